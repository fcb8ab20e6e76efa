import ClairoCore
import ClairoMedia
import ClairoMetadata
import ClairoPipeline
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// An object in a real bucket that was not uploaded by `clairo upload`.
@Suite(.mostlyWaits) struct S3EventTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(.enabled(if: S3Server.isInstalled(.rclone)))
    func anEventOfARealBucketRegistersItsObject() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        let environment = server.environment
        let openBucket: ObjectEventHandler.OpenBucket = { (name, _) throws(ClairoError) in
            try StoreURL.open("s3://\(name)", environment: environment)
        }
        let store = try openBucket(bucket, StopRequest())
        let key: ObjectKey = "in box/50% \"ü\" + 映画.wav"
        let clip = MemoryMedia.wav(samples: 8000)
        try await onDedicatedThread(name: "put") { try store.put(clip, at: key) }
        let metadata = try await MetadataDatabase.open(url: "sqlite:\(scratch.path("clairo.db"))", environment: [:])
        defer { Task { await metadata.close() } }
        let handler = ObjectEventHandler(
            ownStores: [try StoreURL.open("s3://\(bucket)/raw", environment: environment)], metadata: metadata,
            prober: EngineProber(MediaTaskEngine()), openBucket: openBucket)
        // From AWS's documentation, version 2.1, without unused fields.
        let event = Data(
            """
            {"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put",
            "eventTime":"2026-11-22T18:04:05.123Z","s3":{"bucket":{"name":"\(bucket)"},"object":{
            "key":"in+box%2F50%25+%22%C3%BC%22+%2B+%E6%98%A0%E7%94%BB.wav","eTag":"\(Checksum.md5(clip))"}}}]}
            """.utf8)
        #expect(try await handler.handle(event: event).registered.count == 1)
        #expect(try await handler.handle(event: event).known.count == 1)
        let video = try #require(try await metadata.videos(VideoFilter()).first)
        #expect(video.source.key == key.rawValue && video.sha256 == Checksum.sha256(clip))
        // Its bytes are found again under that name.
        let sum = try await onDedicatedThread(name: "read") {
            try Checksum.sha256(openBucket(video.source.bucket, StopRequest()).open(ObjectKey(video.source.key)))
        }
        #expect(sum == video.sha256)
        // Clairo's own folder, in the same bucket.
        let own = try await #require(throws: ClairoError.self) {
            try await handler.handle(bucket: bucket, key: "raw/videos/\(VideoID.make())/source")
        }
        let error = try await #require(throws: ClairoError.self) {
            try await handler.handle(bucket: "no-such-bucket-\(bucket)", key: "a.wav")
        }
        #expect(own.exitCode == .usage && error.exitCode == .configuration)
    }
}
