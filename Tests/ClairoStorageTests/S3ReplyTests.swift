import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// How the store handles replies that the test servers never send.
@Suite(.ownThreads) struct S3ReplyTests {
    private let scratch: Scratch
    private let sleeps = SleepRecorder()

    private final class SleepRecorder: Sendable {
        private let all = Mutex<[Double]>([])
        var seconds: [Double] { all.withLock { $0 } }
        func add(_ seconds: Double) { all.withLock { $0.append(seconds) } }
    }

    init() throws { scratch = try Scratch() }

    private func store(
        _ settings: [String: String] = [:],
        _ answer: @escaping @Sendable (ClairoTestSupport.HTTPRequest, Data) -> HTTPResponse?
    ) throws -> (store: S3Store, server: StubServer) {
        let server = try StubServer(answer)
        scratch.onCleanup { server.stop() }
        var options = S3Options()
        options.sleep = { [sleeps] in sleeps.add($0) }
        return (
            try S3Store(
                url: "s3://bucket/p",
                environment: S3Server.environment(endpoint: server.url).merging(settings) { $1 }, options: options),
            server
        )
    }

    private func failure(_ body: () throws -> Void) -> ClairoError? {
        do {
            try body()
            return nil
        } catch { return error as? ClairoError }
    }

    private static func error(_ code: String, _ more: String = "") -> String {
        "<?xml version=\"1.0\"?><Error><Code>\(code)</Code>\(more)</Error>"
    }

    // MARK: Retries

    @Test func transientErrorsAreRetriedWithGrowingRandomPauses() throws {
        let (store, server) = try store { _, _ in HTTPResponse(503, Self.error("SlowDown")) }
        let error = failure { try store.put(Data("x".utf8), at: "k") }
        #expect(error?.exitCode == .temporary)
        #expect(error?.message.contains("5 attempts") == true)
        #expect(server.requests.count == 5)
        #expect(sleeps.seconds.count == 4)
        for (pause, most) in zip(sleeps.seconds, [0.5, 1, 2, 4]) { #expect((0...most).contains(pause)) }
    }

    @Test func theNumberOfAttemptsIsConfigurable() throws {
        let (store, server) = try store(["AWS_MAX_ATTEMPTS": "2"]) { _, _ in HTTPResponse(500) }
        #expect(failure { _ = try store.get("k") }?.exitCode == .temporary)
        #expect(server.requests.count == 2)
    }

    @Test func theServerDeterminesTheWaitingTime() throws {
        let (store, _) = try store { _, _ in
            HTTPResponse(429, Data(Self.error("TooManyRequests").utf8), headers: ["retry-after": "7"])
        }
        #expect(failure { _ = try store.get("k") }?.exitCode == .temporary)
        #expect(sleeps.seconds == [7, 7, 7, 7])
    }

    @Test(arguments: [
        (403, "AccessDenied"), (404, "NoSuchKey"), (404, "NoSuchBucket"),
        (405, "MethodNotAllowed"),
        (403, "SignatureDoesNotMatch"), (400, "EntityTooLarge"), (411, "MissingContentLength"),
    ])
    func aPermanentErrorIsNotRetried(status: Int, code: String) throws {
        let (store, server) = try store { _, _ in HTTPResponse(status, Self.error(code)) }
        #expect(failure { _ = try store.get("k") } != nil)
        #expect(server.requests.count == 1)
    }

    @Test func aWrongClockIsCorrectedOnce() throws {
        let ahead = 3 * 3600.0
        let (store, server) = try store { request, _ in
            let difference = Self.date(request).timeIntervalSinceNow - ahead
            if abs(difference) < 3600 { return HTTPResponse(200, "here") }
            return HTTPResponse(
                403, Data(Self.error("RequestTimeTooSkewed").utf8),
                headers: ["date": Self.text(Date().addingTimeInterval(ahead))])
        }
        #expect(try store.get("k") == Data("here".utf8))
        #expect(try store.get("k") == Data("here".utf8))
        // The clock difference is kept.
        #expect(server.requests.count == 3)
    }

    @Test func aClockThatCannotBeCorrectedIsReported() throws {
        let (store, server) = try store { _, _ in
            HTTPResponse(
                403, Data(Self.error("RequestTimeTooSkewed", "<Message>too far</Message>").utf8),
                headers: ["date": Self.text(Date())])
        }
        let error = failure { _ = try store.get("k") }
        #expect(error?.exitCode == .configuration)
        #expect(error?.advice?.contains("clock") == true)
        #expect(server.requests.count == 2)
    }

    @Test func expiredCredentialsAreRenewedOnce() throws {
        let (store, server) = try store { _, _ in HTTPResponse(400, Self.error("ExpiredToken")) }
        #expect(failure { _ = try store.get("k") }?.exitCode == .noPermission)
        #expect(server.requests.count == 2)
    }

    @Test func checksumsAreOmittedForAServerThatDoesNotSupportThem() throws {
        let (store, server) = try store { request, _ in
            request.headers["x-amz-checksum-sha256"] == nil
                ? HTTPResponse(200) : HTTPResponse(501, Self.error("NotImplemented"))
        }
        for _ in 0..<3 { try store.put(Data("x".utf8), at: "k") }
        #expect(server.requests.count == 4)
        #expect(server.requests.allSatisfy { $0.headers["x-amz-content-sha256"]?.count == 64 })
    }

    @Test func concurrentPartsAreResentWithoutChecksumsOnceTheyAreRefused() async throws {
        let count = 6
        // All parts are refused before the first reply is sent.
        let (arrived, everybody) = (DispatchGroup(), DispatchSemaphore(value: 0))
        for _ in 0..<count { arrived.enter() }
        arrived.notify(queue: .global()) { for _ in 0..<count { everybody.signal() } }
        let (store, server) = try store { request, _ in
            guard request.headers["x-amz-checksum-sha256"] != nil else {
                return HTTPResponse(200, Data(), headers: ["etag": "\"e\""])
            }
            arrived.leave()
            everybody.wait()
            return HTTPResponse(501, Self.error("NotImplemented"))
        }
        try await withThrowingTaskGroup { group in
            for number in 1...count {
                group.addTask {
                    try await onDedicatedThread(name: "part") {
                        try store.putPart(
                            Data("x".utf8), number: number, of: MultipartUpload(key: "k", id: "u", partSize: 1))
                    }
                }
            }
            for try await part in group { #expect(part.etag == "e") }
        }
        try store.put(Data("x".utf8), at: "k")
        #expect(server.requests.count == 2 * count + 1)
    }

    /// A header may be the cause, so the request is repeated without it, but only once.
    @Test(arguments: [(400, "InvalidArgument"), (400, "InvalidRequest"), (501, "NotImplemented")])
    func aRefusalOfAnOptionalHeaderIsRepeatedOnce(status: Int, code: String) throws {
        let (store, server) = try store { _, _ in HTTPResponse(status, Self.error(code)) }
        #expect(failure { _ = try store.get("k") } != nil)
        #expect(server.requests.map { $0.headers["x-amz-checksum-mode"] } == ["ENABLED", nil])
        #expect(store.limitations == [], "the header made no difference")
    }

    /// A reply to HEAD has no error code.
    @Test(arguments: [400, 501]) func aRefusedHeaderIsRecognizedOnAMissingObject(status: Int) throws {
        let (store, server) = try store { request, _ in
            if request.headers["x-amz-checksum-mode"] != nil { return HTTPResponse(status) }
            return HTTPResponse(404, request.method == "HEAD" ? "" : Self.error("NoSuchKey"))
        }
        for _ in 0..<2 { #expect(try store.info(of: "k") == nil) }
        #expect(server.requests.map(\.method) == ["HEAD", "HEAD", "GET", "HEAD", "GET"])
        #expect(store.limitations.count == 1)
    }

    /// S3 refuses a wrong size with the same status, and must then not complete the object.
    @Test func aWrongSizeIsNotTakenForARefusedHeader() throws {
        let (store, server) = try store { _, _ in HTTPResponse(400, Self.error("InvalidRequest")) }
        let part = UploadedPart(number: 1, size: 1, etag: "e", checksum: nil)
        #expect(
            failure { _ = try store.complete(MultipartUpload(key: "k", id: "u", partSize: 1), parts: [part]) } != nil)
        #expect(server.requests.map { $0.headers["x-amz-mp-object-size"] } == ["1"])
        #expect(store.limitations == [])
    }

    @Test func anInvalidChecksumSettingIsRefused() {
        for name in ["AWS_REQUEST_CHECKSUM_CALCULATION", "AWS_RESPONSE_CHECKSUM_VALIDATION"] {
            let error = failure { _ = try store([name: "never"]) { _, _ in nil } }
            #expect(error?.exitCode == .configuration)
            #expect(error?.message.contains(name) == true)
        }
    }

    @Test func anUnrelatedErrorDoesNotDisableChecksums() throws {
        let (store, server) = try store { request, _ in
            request.path.hasSuffix("bad") ? HTTPResponse(400, Self.error("InvalidArgument")) : HTTPResponse(200)
        }
        #expect(failure { try store.put(Data("x".utf8), at: "bad") } != nil)
        try store.put(Data("x".utf8), at: "good")
        #expect(server.requests.map { $0.headers["x-amz-checksum-sha256"] != nil } == [true, false, true])
    }

    // MARK: Refusals

    /// An operator can mend these while work waits, so no job may fail because of them.
    static let refusals: [(status: Int, code: String, exit: ClairoError.ExitCode)] = [
        (403, "AccessDenied", .noPermission), (403, "AllAccessDisabled", .noPermission),
        (403, "InvalidAccessKeyId", .noPermission), (403, "SignatureDoesNotMatch", .noPermission),
        (400, "ExpiredToken", .noPermission), (400, "InvalidToken", .noPermission), (401, "Unknown", .noPermission),
        (403, "Unknown", .noPermission), (403, "RequestTimeTooSkewed", .configuration),
        (404, "NoSuchBucket", .configuration), (400, "AuthorizationHeaderMalformed", .configuration),
        (301, "PermanentRedirect", .configuration), (400, "InvalidBucketName", .configuration),
        (501, "NotImplemented", .configuration),
    ]

    @Test(arguments: refusals.indices) func aRefusalIsNotAnErrorOfTheCall(_ index: Int) throws {
        let refusal = Self.refusals[index]
        let (store, _) = try store { request, _ in
            HTTPResponse(refusal.status, request.method == "HEAD" ? "" : Self.error(refusal.code))
        }
        for error in [
            failure { try store.put(Data("x".utf8), at: "k") }, failure { _ = try store.get("k") },
            failure { _ = try store.open("k") }, failure { _ = try store.info(of: "k") },
            failure { try store.delete("k") }, failure { _ = try store.list(prefix: "", after: nil, limit: 1) },
        ] {
            #expect(error?.kind == .refused && error?.exitCode == refusal.exit, "\(String(describing: error))")
            #expect(error?.advice != nil)
        }
    }

    @Test(arguments: [(507, "InsufficientStorage"), (403, "QuotaExceeded"), (507, "XMinioStorageFull")])
    func aFullStoreHasNoCapacity(_ status: Int, _ code: String) throws {
        let (store, _) = try store { _, _ in HTTPResponse(status, Self.error(code)) }
        let error = failure { try store.put(Data("x".utf8), at: "k") }
        #expect(error?.kind == .capacity && error?.exitCode == .inputOutput)
    }

    // MARK: Messages

    @Test func aServerThatIsNotS3IsReported() throws {
        let (store, _) = try store { _, _ in HTTPResponse(404, "<html><body>404 page not found</body></html>") }
        let upload = MultipartUpload(key: "k", id: "u", partSize: 1)
        for error in [
            failure { try store.put(Data("x".utf8), at: "k") },
            failure { _ = try store.beginUpload(at: "k", partSize: 1) },
            failure { _ = try store.putPart(Data("x".utf8), number: 1, of: upload) },
        ] {
            #expect(error?.kind == .refused && error?.exitCode == .configuration)
            #expect(error?.advice?.contains("AWS_ENDPOINT_URL_S3") == true)
        }
    }

    @Test func anUnknownUploadIsANoInputError() throws {
        let (store, _) = try store { _, _ in HTTPResponse(404, Self.error("NoSuchUpload")) }
        let upload = MultipartUpload(key: "k", id: "u", partSize: 1)
        #expect(failure { _ = try store.putPart(Data("x".utf8), number: 1, of: upload) }?.exitCode == .noInput)
    }

    @Test(arguments: ["", "<NextContinuationToken/><NextPartNumberMarker/><NextKeyMarker/><NextUploadIdMarker/>"])
    func aTruncatedListWithoutAContinuationIsAnError(marker: String) throws {
        let (store, _) = try store { _, _ in
            HTTPResponse(
                200,
                "<Result><IsTruncated>true</IsTruncated>\(marker)<Contents><Key>p/a</Key><Size>1</Size></Contents>"
                    + "<Part><PartNumber>1</PartNumber><Size>1</Size><ETag>e</ETag></Part></Result>")
        }
        let upload = MultipartUpload(key: "k", id: "u", partSize: 1)
        #expect(failure { _ = try store.parts(of: upload) }?.exitCode == .configuration)
        #expect(failure { _ = try store.list(prefix: "", after: nil, limit: 10) }?.exitCode == .configuration)
        #expect(failure { _ = try store.openUploads(prefix: "") }?.exitCode == .configuration)
    }

    @Test func aBucketInAnotherRegionIsReported() throws {
        let (store, _) = try store { _, _ in
            HTTPResponse(400, Self.error("AuthorizationHeaderMalformed", "<Region>eu-west-1</Region>"))
        }
        let error = failure { try store.check() }
        #expect(error?.exitCode == .configuration)
        #expect(error?.advice?.contains("AWS_REGION=eu-west-1") == true)
    }

    @Test func aServersErrorMessageIsOneLineWithoutSecrets() throws {
        let (store, _) = try store { request, _ in
            HTTPResponse(
                403,
                Self.error(
                    "SignatureDoesNotMatch",
                    "<Message>no\n&#x1B;[31m\(String(repeating: "x", count: 5000))</Message>"
                        + "<StringToSign>\(request.headers["authorization"] ?? "")</StringToSign>"))
        }
        let error = try #require(failure { _ = try store.get("k") })
        #expect(error.exitCode == .noPermission)
        #expect(error.message.count < 600)
        #expect(!error.message.contains("\n") && !error.message.contains("\u{1B}"))
        #expect(!error.description.contains("Signature="))
    }

    @Test func aFullStoreIsACapacityError() throws {
        let (store, _) = try store { _, _ in HTTPResponse(507, Self.error("XMinioStorageFull")) }
        #expect(failure { try store.put(Data(), at: "k") }?.kind == .capacity)
    }

    // MARK: Conditional writes

    @Test func aConflictingWriteIsRetried() throws {
        let puts = Mutex(0)
        let (store, _) = try store { request, _ in
            if request.method != "PUT" { return HTTPResponse(404, Self.error("NoSuchKey")) }
            #expect(request.headers["if-none-match"] == "*")
            return puts.withLock { count in
                count += 1
                return count == 1 ? HTTPResponse(409, Self.error("ConditionalRequestConflict")) : HTTPResponse(200)
            }
        }
        #expect(try store.putIfAbsent(Data("x".utf8), at: "k"))
        #expect(puts.withLock { $0 } == 2)
    }

    @Test func aFailedPreconditionMeansThatTheObjectExists() throws {
        let (store, _) = try store { request, _ in
            request.method == "PUT"
                ? HTTPResponse(412, Self.error("PreconditionFailed")) : HTTPResponse(404, Self.error("NoSuchKey"))
        }
        #expect(try store.putIfAbsent(Data("x".utf8), at: "k") == false)
    }

    // MARK: Deletion

    private static func keys(in body: Data) -> [String] {
        String(decoding: body, as: UTF8.self).components(separatedBy: "<Key>").dropFirst().map {
            $0.components(separatedBy: "</Key>")[0]
        }
    }

    @Test func aThousandKeysAreDeletedWithEachRequest() throws {
        let deleted = Mutex<[[String]]>([])
        let (store, server) = try store { request, body in
            #expect(request.headers["content-md5"] == Data(Checksum.md5(body).hexBytes).base64EncodedString())
            deleted.withLock { $0.append(Self.keys(in: body)) }
            return HTTPResponse(200, "<DeleteResult/>")
        }
        let keys = (0..<2500).map { ObjectKey("k/\($0)") }
        try store.delete(keys)
        #expect(server.requests.allSatisfy { $0.method == "POST" && $0.query == "delete=" })
        let batches = deleted.withLock { $0 }
        #expect(batches.map(\.count).sorted() == [500, 1000, 1000])
        #expect(Set(batches.joined()) == Set(keys.map { "p/\($0)" }))
    }

    @Test func aKeyThatXMLCannotHoldIsDeletedByItself() throws {
        let (store, server) = try store { request, _ in
            request.method == "POST" ? HTTPResponse(200, "<DeleteResult/>") : HTTPResponse(204)
        }
        try store.delete(["a", "b\u{1}", "c"])
        #expect(server.requests.map { "\($0.method) \($0.path)" } == ["POST /bucket", "DELETE /bucket/p/b%01"])
    }

    @Test func theErrorsOfKeysBecomeOne() throws {
        let errors = ["p/a", "p/b", "p/c"].map { "<Error><Key>\($0)</Key><Code>AccessDenied</Code></Error>" }
        let (store, server) = try store { _, _ in HTTPResponse(200, "<DeleteResult>\(errors.joined())</DeleteResult>") }
        let error = try #require(failure { try store.delete(["a", "b", "c", "d"]) })
        #expect(error.exitCode == .noPermission)
        #expect(error.message.contains("s3://bucket/p/a and 2 more objects"), "\(error)")
        #expect(server.requests.count == 1)
    }

    @Test func keysThatFailForNowAreDeletedAgain() throws {
        let (store, server) = try store { request, _ in
            guard request.method == "POST" else { return HTTPResponse(204) }
            return HTTPResponse(
                200,
                "<DeleteResult><Error><Key>p/b</Key><Code>InternalError</Code></Error>"
                    + "<Error><Key>p/c</Key><Code>NoSuchKey</Code></Error></DeleteResult>")
        }
        try store.delete(["a", "b", "c"])
        #expect(server.requests.map { "\($0.method) \($0.path)" } == ["POST /bucket", "DELETE /bucket/p/b"])
    }

    @Test func anErrorInASuccessfulReplyIsAnError() throws {
        let (store, _) = try store { _, _ in HTTPResponse(200, Self.error("InternalError")) }
        #expect(failure { try store.delete(["a", "b"]) }?.exitCode == .temporary)
    }

    // MARK: Parts

    @Test func partsAreListedInPagesWithTheirChecksums() throws {
        let sha256 = Checksum.sha256(Data("x".utf8))
        let base64 = Data(sha256.hexBytes).base64EncodedString()
        let (store, server) = try store { request, _ in
            let isFirst = !request.query.contains("part-number-marker")
            let parts = (isFirst ? 1...1000 : 1001...1002).map { number in
                "<Part><PartNumber>\(number)</PartNumber><ETag>&quot;\(String(repeating: "a", count: 32))&quot;</ETag>"
                    + "<Size>1</Size>\(isFirst ? "<ChecksumSHA256>\(base64)</ChecksumSHA256>" : "")</Part>"
            }
            return HTTPResponse(
                200,
                "<ListPartsResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><IsTruncated>\(isFirst)</IsTruncated>"
                    + "<NextPartNumberMarker>\(isFirst ? 1000 : 1002)</NextPartNumberMarker>\(parts.joined())</ListPartsResult>"
            )
        }
        let parts = try store.parts(of: MultipartUpload(key: "k", id: "u/1+", partSize: 1))
        #expect(parts.map(\.number) == Array(1...1002))
        #expect(parts[0].checksum == .sha256(sha256))
        #expect(parts[1001].checksum == .md5(String(repeating: "a", count: 32)))
        #expect(server.requests.map(\.query).allSatisfy { $0.contains("uploadId=u%2F1%2B") })
    }

    @Test func theCompletionIncludesTheChecksumsOfTheParts() throws {
        let sha256 = Checksum.sha256(Data("x".utf8))
        let sent = Mutex("")
        let (store, _) = try store { request, body in
            if request.method == "HEAD" {
                return HTTPResponse(200, Data(), headers: ["etag": "\"e\"", "content-length": "3"])
            }
            sent.withLock { $0 = String(decoding: body, as: UTF8.self) }
            // S3 sends white space first to keep a long request alive.
            return HTTPResponse(200, "   \n <CompleteMultipartUploadResult/>")
        }
        let parts = [
            UploadedPart(number: 1, size: 2, etag: "a&b", checksum: .sha256(sha256)),
            UploadedPart(number: 2, size: 1, etag: "c", checksum: nil),
        ]
        // The stub's HEAD returns two different lengths; only the number of sent bytes counts.
        _ = try? store.complete(MultipartUpload(key: "k", id: "u", partSize: 2), parts: parts)
        let base64 = Data(sha256.hexBytes).base64EncodedString()
        #expect(
            sent.withLock { $0 }.hasSuffix(
                "<Part><PartNumber>1</PartNumber><ETag>\"a&amp;b\"</ETag><ChecksumSHA256>\(base64)</ChecksumSHA256></Part>"
                    + "<Part><PartNumber>2</PartNumber><ETag>\"c\"</ETag></Part></CompleteMultipartUpload>"))
    }

    @Test func damagedBytesAreDetectedByTheirChecksum() throws {
        let (store, _) = try store { _, _ in
            HTTPResponse(
                200, Data("changed".utf8),
                headers: [
                    "x-amz-checksum-sha256": Data(Checksum.sha256(Data("original".utf8)).hexBytes).base64EncodedString()
                ])
        }
        #expect(failure { _ = try store.get("k") }?.exitCode == .inputOutput)
    }

    @Test(arguments: ["", "-3"]) func theStoredChecksumIsKnownWithoutReadingTheObject(parts: String) throws {
        let sum = Checksum.sha256(Data("film".utf8))
        let (store, server) = try store { request, _ in
            HTTPResponse(
                200, Data(request.method == "HEAD" ? "".utf8 : "film".utf8),
                headers: ["x-amz-checksum-sha256": Data(sum.hexBytes).base64EncodedString() + parts])
        }
        // The checksum of a multipart object is not the checksum of its bytes.
        #expect(try store.info(of: "k")?.sha256 == (parts.isEmpty ? sum : nil))
        #expect(server.requests.last?.headers["x-amz-checksum-mode"] == "ENABLED")
        #expect(try store.get("k") == Data("film".utf8))
    }

    // MARK: Times

    private static func date(_ request: ClairoTestSupport.HTTPRequest) -> Date {
        let style = Date.ISO8601FormatStyle(dateSeparator: .omitted, timeSeparator: .omitted, timeZone: .gmt)
        return (try? Date(request.headers["x-amz-date"] ?? "", strategy: style)) ?? .distantPast
    }

    private static func text(_ date: Date) -> String {
        let formatter = DateFormatter()
        formatter.locale = Locale(identifier: "en_US_POSIX")
        formatter.timeZone = .gmt
        formatter.dateFormat = "EEE, dd MMM yyyy HH:mm:ss 'GMT'"
        return formatter.string(from: date)
    }
}

extension String {
    /// The bytes of hexadecimal digits.
    fileprivate var hexBytes: [UInt8] {
        let digits = Array(self)
        return stride(from: 0, to: digits.count, by: 2).compactMap { UInt8(String(digits[$0...$0 + 1]), radix: 16) }
    }
}
