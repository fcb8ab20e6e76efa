import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// Commands that read from and write to buckets.
@Suite(.sharesMachine, .enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed"))
struct ObjectStorageTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Bucket {
        let proxy: FaultProxy
        let name: String
        let environment: [String: String]

        func store(_ prefix: String) throws -> any DurableStore {
            try StoreURL.open("s3://\(name)/\(prefix)", environment: environment)
        }
    }

    /// A bucket behind a proxy that records every request.
    private func bucket(holding file: URL? = nil) async throws -> Bucket {
        let server = try await S3Server.shared(.rclone)
        let proxy = try FaultProxy(to: server.port)
        scratch.onCleanup { proxy.stop() }
        let bucket = Bucket(
            proxy: proxy, name: try await server.makeBucket(),
            environment: S3Server.environment(endpoint: proxy.endpoint))
        if let file {
            let store = try bucket.store("")
            try await onDedicatedThread(name: "put") { try store.put(try Data(contentsOf: file), at: "in/clip.mp4") }
        }
        return bucket
    }

    @Test func probingAndPlanningALargeObjectReadsLittleOfIt() async throws {
        let source = try await Clip(seconds: 2).make(paddedTo: 40 << 20, as: scratch.url("large.mp4"))
        let bucket = try await bucket(holding: source)
        let url = "s3://\(bucket.name)/in/clip.mp4"
        for command in ["probe", "plan"] {
            let before = bucket.proxy.exchanges.count
            let remote = try await ClairoProcess.run(command, url, "--json", environment: bucket.environment)
            #expect(remote.status == 0, "\(remote)")
            let asked = bucket.proxy.exchanges.dropFirst(before).map(\.request)
            let bytes = asked.compactMap { Self.length(ofRange: $0.headers["range"]) }.reduce(0, +)
            #expect(asked.allSatisfy { $0.method == "HEAD" || $0.headers["range"] != nil })
            #expect(bytes < 16 << 20, "\(command) read \(bytes) of \(40 << 20) bytes")
            #expect(asked.count < 40)
        }
    }

    private static func length(ofRange header: String?) -> Int? {
        let ends = (header ?? "").replacing("bytes=", with: "").split(separator: "-").compactMap { Int($0) }
        return ends.count == 2 ? ends[1] - ends[0] + 1 : nil
    }

    @Test func aJobBetweenBucketsProducesTheSameOutputAsOnDisk() async throws {
        let source = try await Clip(seconds: 5).make()
        let bucket = try await bucket(holding: source)
        let options = ["--preset", "ultrafast", "--segment-seconds", "2", "--progress", "none"]
        let remote = try await ClairoProcess.run(
            arguments: ["transcode", "s3://\(bucket.name)/in/clip.mp4", "-o", "s3://\(bucket.name)/out"] + options,
            environment: bucket.environment)
        #expect(remote.status == 0, "\(remote)")
        let local = try await ClairoProcess.run(
            arguments: ["transcode", source.path, "-o", scratch.path("out")] + options)
        #expect(local.status == 0)

        let store = try bucket.store("out")
        let expected = try contents(below: scratch.path("out"))
        let found = try await onDedicatedThread(name: "get") {
            try Dictionary(uniqueKeysWithValues: store.list(prefix: "").map { ($0.rawValue, try store.get($0)) })
        }
        #expect(Set(found.keys) == Set(expected.keys))
        // The manifest contains the source, which is an object in one case and a file in the other.
        for (key, data) in expected where key != "clairo.json" { #expect(found[key] == data, "\(key) differs") }

        let written = bucket.proxy.exchanges.map(\.request).filter { $0.method == "PUT" }.map(\.path)
        #expect(written.last == "/\(bucket.name)/out/master.m3u8")
        let verified = try await ClairoProcess.run(
            "verify", "s3://\(bucket.name)/out", environment: bucket.environment)
        #expect(verified.status == 0, "\(verified)")
    }

    @Test func aJobIntoABucketKeepsForeignUploads() async throws {
        let source = try await Clip(seconds: 1).make()
        let bucket = try await bucket()
        let store = try bucket.store("")
        let arguments = [
            "transcode", source.path, "-o", "s3://\(bucket.name)", "--preset", "ultrafast", "--no-verify", "--force",
            "--progress", "none",
        ]
        #expect(try await ClairoProcess.run(arguments: arguments, environment: bucket.environment).status == 0)
        let other = try await onDedicatedThread(name: "begin") {
            try store.beginUpload(at: "raw/videos/x/source", partSize: 8 << 20)
        }
        #expect(try await ClairoProcess.run(arguments: arguments, environment: bucket.environment).status == 0)
        #expect(
            try await onDedicatedThread(name: "list") { try store.openUploads(prefix: "").map(\.id) } == [other.id])
    }

    @Test func aKilledJobIntoABucketResumes() async throws {
        let source = try await Clip(seconds: 12).make()
        let bucket = try await bucket()
        let arguments = [
            "transcode", source.path, "-o", "s3://\(bucket.name)/out", "--preset", "fast", "--segment-seconds", "2",
            "--chunk-cpu-seconds", "1", "--jobs", "1", "--no-verify",
        ]
        bucket.proxy.add(.init(.stall, "PUT", path: "180p/00003.m4s", times: 100))
        let clairo = try ClairoProcess.start(arguments, environment: bucket.environment)
        // It cannot proceed past the third segment, however late the signal arrives.
        _ = await bucket.proxy.exchange { $0.fault == .stall }
        clairo.send(SIGKILL)
        _ = try await clairo.outcome()
        bucket.proxy.removeRules()
        bucket.proxy.release()
        let again = try await ClairoProcess.run(arguments: arguments, environment: bucket.environment)
        #expect(again.status == 0, "\(again)")
        #expect(again.errors.contains("Continuing"))
        let third = try await ClairoProcess.run(arguments: arguments, environment: bucket.environment)
        #expect(third.status == 73, "a complete output is not replaced")
    }

    @Test func aMissingObjectIsReported() async throws {
        let bucket = try await bucket()
        for (url, status) in [("s3://\(bucket.name)/none.mp4", Int32(66)), ("s3://\(bucket.name)", 66)] {
            let outcome = try await ClairoProcess.run("probe", url, environment: bucket.environment)
            #expect(outcome.status == status, "\(outcome)")
        }
        let refused = try await ClairoProcess.run(
            "probe", "s3://\(bucket.name)/x.mp4",
            environment: bucket.environment.merging(["AWS_SECRET_ACCESS_KEY": "hunter2"]) { $1 })
        #expect(refused.status == 77, "\(refused)")
        #expect(!refused.description.contains("hunter2"))
        let away = try await ClairoProcess.run(
            "probe", "s3://\(bucket.name)/x.mp4",
            environment: bucket.environment.merging([
                "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1", "AWS_MAX_ATTEMPTS": "1",
            ]) { $1 })
        #expect(away.status == 69, "\(away)")
    }

    @Test func controlCCancelsAStalledRequestAtOnce() async throws {
        let source = try await Clip(seconds: 1).make()
        let bucket = try await bucket(holding: source)
        bucket.proxy.add(.init(.stall, "GET", path: "clip.mp4", times: 100))
        let clairo = try ClairoProcess.start(
            ["transcode", "s3://\(bucket.name)/in/clip.mp4", "-o", scratch.path("out"), "--progress", "none"],
            environment: bucket.environment)
        _ = await bucket.proxy.exchange { $0.fault == .stall }
        clairo.send(SIGINT)
        #expect(try await clairo.outcome().status == 130)
    }
}
