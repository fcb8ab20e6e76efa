import AWSSigning
import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Curl
import Foundation
import Synchronization
import Testing

/// The behaviour of S3 stores beyond the contract, on both servers.
@Suite(.mostlyWaits, .ownThreads) struct S3StoreTests {
    private static let kinds = S3Server.Kind.allCases.filter(S3Server.isInstalled)
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// A store behind a proxy that records requests.
    private func watched(
        _ kind: S3Server.Kind, _ options: S3Options = .quick
    ) async throws -> (store: S3Store, proxy: FaultProxy) {
        let server = try await S3Server.shared(kind)
        let bucket = try await server.makeBucket()
        let proxy = try FaultProxy(to: server.port)
        scratch.onCleanup { proxy.stop() }
        return (
            try S3Store(
                url: "s3://\(bucket)/p", environment: S3Server.environment(endpoint: proxy.endpoint), options: options),
            proxy
        )
    }

    @Test func theServersForTheseTestsAreInstalled() {
        withKnownIssue("rclone or moto_server is not installed, so S3 is tested less", isIntermittent: true) {
            #expect(Self.kinds.count == S3Server.Kind.allCases.count)
        }
    }

    @Test(arguments: kinds) func presignedURLsWorkWithoutCredentials(kind: S3Server.Kind) async throws {
        let store = try await emptyS3Store(on: kind)
        let client = Curl.HTTPClient()
        func ask(_ method: String, _ access: PresignedAccess, _ body: Data? = nil) throws -> HTTPReply {
            let url = try #require(try store.presignedURL(for: access, expiresIn: 3600))
            return try client.send(
                Curl.HTTPRequest(method, url), body: body.map { .data($0) } ?? .none, limit: 10 << 20)
        }
        #expect(try ask("PUT", .put("a b/ü+"), Data("one".utf8)).status == 200)
        #expect(try store.get("a b/ü+") == Data("one".utf8))
        #expect(try ask("GET", .get("a b/ü+")).body == Data("one".utf8))
        #expect(try ask("GET", .get("none")).status == 404)
        let upload = try store.beginUpload(at: "parts", partSize: 5 << 20)
        #expect(try ask("PUT", .putPart(number: 1, size: 6 << 20, upload), Data(count: 6 << 20)).status == 200)
        _ = try store.complete(upload, parts: try store.parts(of: upload))
        #expect(try store.info(of: "parts")?.size == 6 << 20)
        if kind == .rclone {
            // Only the signed request is allowed.
            #expect(try ask("PUT", .putPart(number: 1, size: 6 << 20, upload), Data(count: 7 << 20)).status == 403)
            #expect(try ask("DELETE", .get("a b/ü+")).status == 403)
        }
        #expect(throws: ClairoError.self) { _ = try store.presignedURL(for: .get("x"), expiresIn: 604_801) }
    }

    /// A task's container gets its credentials from its worker. rclone checks the signature.
    @Test(.enabled(if: S3Server.isInstalled(.rclone)))
    func givenCredentialsReplaceThoseOfTheEnvironment() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        var environment = server.environment
        environment["AWS_SECRET_ACCESS_KEY"] = "another secret"
        var options = S3Options.quick
        options.credentials = {
            AWSCredentials(
                accessKeyID: S3Server.credentials.accessKeyID,
                secretAccessKey: S3Server.credentials.secretAccessKey, sessionToken: "session",
                expiration: Date(timeIntervalSinceNow: 3600))
        }
        let given = try S3Store(url: "s3://\(bucket)/p", environment: environment, options: options)
        try given.put(Data("abc".utf8), at: "x")
        #expect(try given.get("x") == Data("abc".utf8))
        let own = try S3Store(url: "s3://\(bucket)/p", environment: environment, options: .quick)
        #expect(throws: ClairoError.self) { try own.get("x") }
    }

    @Test(arguments: kinds) func aSourceIsReadThroughItsPresignedURL(kind: S3Server.Kind) async throws {
        let store = try await emptyS3Store(on: kind)
        let film = MemoryMedia.noise(700_000)
        try store.put(film, at: "a b/film")
        let source = try store.open("a b/film")
        let url = try #require(try source.presignedURL(expiresIn: 3600))
        let etag = try #require(source.etag)
        let remote = PresignedSource.open(name: "film", size: source.size, etag: etag, environment: [:]) { url }
        #expect(try remote.part(at: 0, count: film.count) == film)
        #expect(try remote.part(at: 300_000, count: 10) == film[300_000..<300_010])
        #expect(try remote.presignedURL(expiresIn: 1) == nil)
    }

    @Test func anExpiredURLIsReplacedByANewOne() async throws {
        let store = try await emptyS3Store(on: .rclone)
        try store.put(Data("film".utf8), at: "film")
        let source = try store.open("film")
        let good = try #require(try source.presignedURL(expiresIn: 3600))
        let asked = Mutex(0)
        let sleeps = Mutex(0)
        func remote(goodFrom number: Int) throws -> any ByteSource {
            PresignedSource.open(
                name: "film", size: 4, etag: try #require(source.etag), environment: [:],
                pause: { _ in
                    sleeps.withLock { $0 += 1 }
                    return true
                }
            ) {
                asked.withLock { asked in
                    asked += 1
                    return asked >= number ? good : good.replacing("X-Amz-Signature=", with: "X-Amz-Signature=0")
                }
            }
        }
        #expect(try remote(goodFrom: 3).part(at: 0, count: 4) == Data("film".utf8))
        #expect(sleeps.withLock { $0 } == 2)
        let refused = try #require(failure { _ = try remote(goodFrom: .max).part(at: 0, count: 4) })
        #expect(refused.kind == .transient && refused.message.contains("presigned URL was rejected"))
        #expect(!"\(refused)".contains("X-Amz"), "the URL is not shown")
    }

    @Test func aMissingOrReplacedSourceIsReported() async throws {
        let store = try await emptyS3Store(on: .moto)
        try store.put(Data("film".utf8), at: "film")
        let source = try store.open("film")
        let url = try #require(try source.presignedURL(expiresIn: 3600))
        func remote() throws -> any ByteSource {
            PresignedSource.open(name: "film", size: 4, etag: try #require(source.etag), environment: [:]) { url }
        }
        try store.put(Data("FILM".utf8), at: "film")
        #expect(failure { _ = try remote().part(at: 0, count: 4) }?.message.contains("replaced") == true)
        try store.delete("film")
        #expect(failure { _ = try remote().part(at: 0, count: 4) }?.exitCode == .noInput)
    }

    @Test(arguments: kinds) func objectsHaveTheContentTypeOfTheirKind(kind: S3Server.Kind) async throws {
        let (store, _) = try await watched(kind)
        let types = [
            "v/master.m3u8": "application/vnd.apple.mpegurl", "v/manifest.mpd": "application/dash+xml",
            "v/1.m4s": "video/iso.segment", "v/init.mp4": "video/mp4", "poster.jpg": "image/jpeg",
            "poster.webp": "image/webp",
            "v/plan.json": "application/json", "source": "application/octet-stream",
        ]
        for (key, type) in types {
            try store.put(Data("x".utf8), at: ObjectKey(key))
            let url = try #require(try store.presignedURL(for: .get(ObjectKey(key)), expiresIn: 3600))
            let reply = try Curl.HTTPClient().send(Curl.HTTPRequest("GET", url))
            #expect(reply.headers["Content-Type"] == type)
        }
    }

    @Test func aLocationIsAURLThatOpensTheSamePlace() throws {
        let environment = ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CONFIG_FILE": "/dev/null"]
        let store = try S3Store(url: "s3://bucket/pre%20fix//", environment: environment)
        let place = store.location(of: "a b/ü#.mp4")
        #expect(place.bucket == "bucket")
        #expect(place.key == "pre fix/a b/ü#.mp4")
        #expect(place.url == "s3://bucket/pre%20fix/a%20b/%C3%BC%23.mp4")
        #expect(try S3Store(url: place.url, environment: environment).location(of: "x").key == place.key + "/x")
        for url in ["file:///x", "s3://", "s3:///key", "s3://a b/c", "bucket/key", "s3://../x"] {
            #expect(failure { _ = try S3Store(url: url, environment: environment) }?.exitCode == .configuration)
        }
    }

    @Test(arguments: [
        (["AWS_REGION": "eu-west-1"], "https://bucket.s3.eu-west-1.amazonaws.com/k%20y?"),
        (["AWS_REGION": "cn-north-1"], "https://bucket.s3.cn-north-1.amazonaws.com.cn/k%20y?"),
        (["AWS_ENDPOINT_URL": "http://127.0.0.1:9000"], "http://127.0.0.1:9000/bucket/k%20y?"),
        (
            ["AWS_ENDPOINT_URL": "http://one", "AWS_ENDPOINT_URL_S3": "https://two:443/s3/"],
            "https://two/s3/bucket/k%20y?"
        ),
        ([:], "https://bucket.s3.us-east-1.amazonaws.com/k%20y?"),
    ])
    func settingsDetermineTheAddressOfRequests(settings: [String: String], start: String) throws {
        let keys = ["AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CONFIG_FILE": "/dev/null"]
        let store = try S3Store(url: "s3://bucket", environment: keys.merging(settings) { $1 })
        #expect(try store.presignedURL(for: .get("k y"), expiresIn: 1)?.hasPrefix(start) == true)
    }

    @Test func theProfileDeterminesTheAddressingStyle() throws {
        let file = try scratch.write(
            """
            [profile work]
            region = eu-north-1
            endpoint_url = https://s3.example.com
            s3 =
                addressing_style = virtual
            """, to: "config")
        let store = try S3Store(
            url: "s3://bucket",
            environment: [
                "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_CONFIG_FILE": file, "AWS_PROFILE": "work",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            ])
        let url = try #require(try store.presignedURL(for: .get("k"), expiresIn: 1))
        #expect(url.hasPrefix("https://bucket.s3.example.com/k?"))
        #expect(url.contains("eu-north-1"))
    }

    @Test(arguments: kinds) func aListOfManyKeysIsComplete(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await watched(kind)
        let keys = (0..<1001).map { ObjectKey("k/\($0 / 100) ü+/\($0)") }
        DispatchQueue.concurrentPerform(iterations: 4) { worker in
            for index in stride(from: worker, to: keys.count, by: 4) {
                #expect(throws: Never.self) { try store.put(Data(), at: keys[index]) }
            }
        }
        let before = proxy.exchanges.count
        #expect(try store.list(prefix: "k/") == keys.sorted())
        #expect(proxy.exchanges.count - before == 3)
        #expect(try store.list(prefix: "k/", after: keys.sorted()[599], limit: 3) == Array(keys.sorted()[600...602]))
        #expect(proxy.exchanges.count - before == 4)
    }

    // MARK: Reading

    @Test(arguments: kinds) func sequentialReadsNeedFewRequests(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await watched(kind)
        let data = pattern((20 << 20) + 12_345)
        try store.put(data, at: "film")
        let source = try store.open("film")
        let before = proxy.exchanges.count
        #expect(try read(source, in: 0..<data.count, by: 65_536) == data)
        let requests = proxy.exchanges.count - before
        // 256 KiB, 512 KiB, 1 MiB, 2 MiB, then 4 MiB at a time.
        #expect(requests <= 9, "\(requests)")
    }

    @Test(arguments: kinds) func randomReadsFetchLittleMoreThanRequested(kind: S3Server.Kind) async throws {
        let (store, proxy) = try await watched(kind)
        let data = pattern(30 << 20)
        try store.put(data, at: "film")
        let source = try store.open("film")
        let before = proxy.exchanges.count
        for _ in 0..<3 {
            for offset in [0, 29 << 20, 11 << 20, 5 << 20, (30 << 20) - 10] {
                let end = min(offset + 1000, data.count)
                #expect(try read(source, in: offset..<end, by: 1000) == data[offset..<end])
            }
        }
        let ranges = proxy.exchanges.dropFirst(before).compactMap { $0.request.headers["range"] }
        #expect(ranges.count == 5)
        #expect(ranges.reduce(0) { $0 + length($1) } <= 5 * 256 << 10)
    }

    @Test(arguments: kinds) func severalReadersShareOneSource(kind: S3Server.Kind) async throws {
        var options = S3Options.quick
        options.blockSize = 64 << 10
        options.cachedBlocks = 24
        let (store, _) = try await watched(kind, options)
        let data = pattern((8 << 20) + 77)
        try store.put(data, at: "film")
        let source = try store.open("film")
        let wrong = Atomic<Int>(0)
        DispatchQueue.concurrentPerform(iterations: 6) { worker in
            let start = worker * (1 << 20)
            let part = try? read(source, in: start..<start + (2 << 20), by: 10_000)
            if part != data[start..<start + (2 << 20)] { wrong.add(1, ordering: .relaxed) }
        }
        #expect(wrong.load(ordering: .relaxed) == 0)
    }

    @Test(arguments: kinds) func anObjectReplacedWhileItIsReadIsAnError(kind: S3Server.Kind) async throws {
        let store = try await emptyS3Store(on: kind)
        try store.put(pattern(1 << 20), at: "film")
        let source = try store.open("film")
        #expect(try read(source, in: 0..<100, by: 100) == pattern(1 << 20).prefix(100))
        var other = pattern(1 << 20)
        other[1 << 19] ^= 1
        try store.put(other, at: "film")
        let error = failure { _ = try read(source, in: 1 << 19..<(1 << 19) + 10, by: 10) }
        #expect(error?.exitCode == .inputOutput)
        #expect(error?.message.contains("replaced") == true)
    }

    // MARK: Errors

    @Test(.enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed"))
    func rejectedCredentialsAreReported() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        for (name, value) in [("AWS_SECRET_ACCESS_KEY", "wrong-secret"), ("AWS_ACCESS_KEY_ID", "nobody")] {
            let environment = server.environment.merging([name: value]) { $1 }
            let store = try S3Store(url: "s3://\(bucket)", environment: environment, options: .quick)
            for error in [
                failure { try store.check() }, failure { try store.put(Data("x".utf8), at: "x") },
                failure { try store.put(at: "x") { try $0(Data(count: 20 << 20)) } },
                failure { _ = try store.info(of: "x") }, failure { _ = try store.get("x") },
                failure { _ = try store.list(prefix: "") },
            ] {
                #expect(error?.exitCode == .noPermission)
                #expect(error.map { "\($0)" }?.contains("wrong-secret") == false)
            }
        }
    }

    @Test(arguments: kinds) func aMissingBucketIsReported(kind: S3Server.Kind) async throws {
        let server = try await S3Server.shared(kind)
        let store = try S3Store(url: "s3://no-such-bucket", environment: server.environment, options: .quick)
        for error in [
            failure { try store.check() }, failure { try store.put(Data("x".utf8), at: "x") },
            failure { _ = try store.get("x") }, failure { _ = try store.open("x") },
            failure { _ = try store.list(prefix: "") },
        ] {
            #expect(error?.exitCode == .configuration, "\(String(describing: error))")
            #expect(error?.message.contains("no-such-bucket") == true)
        }
    }

    @Test func missingCredentialsAreReported() throws {
        let store = try S3Store(
            url: "s3://bucket",
            environment: [
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/dev/null",
                "AWS_SHARED_CREDENTIALS_FILE": "/dev/null", "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            ], options: .quick)
        #expect(failure { try store.check() }?.exitCode == .noPermission)
    }

    @Test func anEndpointWithoutAListenerIsAnUnavailableError() throws {
        let proxy = try FaultProxy(to: 1)
        let environment = S3Server.environment(endpoint: proxy.endpoint)
        proxy.stop()
        let store = try S3Store(url: "s3://bucket", environment: environment, options: .quick)
        let error = failure { try store.check() }
        #expect(error?.exitCode == .unavailable)
        #expect(error?.kind == .transient)
        #expect(error?.message.contains(proxy.endpoint) == true)
    }

    @Test func aServerThatIsNotS3IsReported() async throws {
        let server = try StubServer { _, _ in HTTPResponse(200, "<html>Welcome!</html>") }
        scratch.onCleanup { server.stop() }
        let store = try S3Store(
            url: "s3://bucket", environment: S3Server.environment(endpoint: server.url), options: .quick)
        #expect(failure { try store.check() }?.exitCode == .configuration)
    }
}

func failure(_ body: () throws -> Void) -> ClairoError? {
    do {
        try body()
        return nil
    } catch { return error as? ClairoError }
}

/// Bytes in which every position is distinguishable.
func pattern(_ count: Int) -> Data { Data(wholePattern.prefix(count)) }

private let wholePattern: Data = {
    var data = Data(count: 32 << 20)
    data.withUnsafeMutableBytes { bytes in
        let words = bytes.bindMemory(to: UInt32.self)
        for index in words.indices { words[index] = UInt32(truncatingIfNeeded: index) &* 2_654_435_761 }
    }
    return data
}()

/// Reads a range in pieces.
func read(_ source: any ByteSource, in range: Range<Int>, by size: Int) throws -> Data {
    var data = Data()
    while data.count < range.count {
        var piece = Data(count: min(size, range.count - data.count))
        let count = try piece.withUnsafeMutableBytes {
            try source.read(at: Int64(range.lowerBound + data.count), into: $0)
        }
        if count == 0 { break }
        data += piece.prefix(count)
    }
    return data
}

/// Parses `bytes=from-to`.
private func length(_ range: String) -> Int {
    let ends = range.dropFirst("bytes=".count).split(separator: "-").compactMap { Int($0) }
    return ends.count == 2 ? ends[1] - ends[0] + 1 : 0
}
