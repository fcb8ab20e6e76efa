import ClairoCore
import ClairoMedia
import ClairoTestSupport
import Foundation
import Testing

/// A job that was interrupted and continues gives the warnings of one that was not.
@Suite(.sharesMachine) struct ContinuedWarningTests {
    /// Three segments, each with an encoder of its own.
    private static let settings = TranscodeSettings.quick.with {
        $0.heights = [180]
        $0.chunkCPUSeconds = 0.001
        $0.allowPartial = true
    }

    /// A clip whose last ten frames of the first segment are destroyed.
    private static func damaged() async throws -> Data {
        let clip = try await Clip(seconds: 6, video: .numbers, audio: .none).make()
        var data = try Data(contentsOf: clip)
        let packets = try await Oracle.probe(clip.path, "packets", "-select_streams", "v")
        try #require(packets.count == 150)
        for packet in packets[40..<50] {
            let position = try #require(packet["pos"].flatMap { Int($0) })
            let size = try #require(packet["size"].flatMap { Int($0) })
            data.replaceSubrange(position..<position + size, with: Data(count: size))
        }
        return data
    }

    private func run(_ source: Data, into store: any ObjectStore) async throws -> TranscodeJob.Outcome {
        let job = TranscodeJob(
            source: MemorySource(source), sourceName: "source.mp4", settings: Self.settings, store: store)
        return try await onDedicatedThread(name: "test job") { try job.run() }
    }

    @Test func lostFramesAndErrorsOfTheFirstRunAreReportedByTheSecond() async throws {
        let source = try await Self.damaged()
        let whole = try await run(source, into: MemoryStore())
        let codes = whole.manifest.warnings.map(\.code)
        #expect(codes.contains(.framesLost) && codes.contains(.damaged), "\(whole.manifest.warnings)")

        let store = MemoryStore()
        await #expect(throws: ClairoError.self) {
            try await run(source, into: BreakingStore(base: store, at: "video/180p/00002.m4s"))
        }
        #expect(try store.size(of: "video/180p/00001.m4s") != nil)
        let second = try await run(source, into: store)
        #expect(second.resumedSegments > 0)
        #expect(second.manifest.warnings == whole.manifest.warnings)
        #expect(second.manifest.counts == nil)
        #expect(second.manifest.renditions == whole.manifest.renditions)
    }
}

/// A store that fails when one object is written.
private struct BreakingStore: ObjectStore {
    let base: MemoryStore
    let last: ObjectKey

    init(base: MemoryStore, at last: ObjectKey) {
        self.base = base
        self.last = last
    }

    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        if key == last { throw .inputOutput("The disk is full") }
        try base.put(data, at: key)
    }
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        try base.put(at: key, writing: body)
    }
    func get(_ key: ObjectKey) throws(ClairoError) -> Data { try base.get(key) }
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { try base.open(key) }
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { try base.info(of: key) }
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        try base.list(prefix: prefix, after: key, limit: limit)
    }
    func delete(_ key: ObjectKey) throws(ClairoError) { try base.delete(key) }
}
