import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoExecutors

/// The requests of a child process, sent by a test.
@Suite struct TaskServerTests {
    /// Serves `requests`, as if a child had sent them all at once, and returns the replies.
    private func answers(
        _ requests: [RequestHead], work: TaskSpec.Work = .chunk(MetadataSamples.plan, index: 0),
        source: (any ByteSource)? = nil, output: (any ObjectStore)?
    ) async throws -> [AnswerHead] {
        let (parent, child) = try WireSocket.pair()
        let server = TaskServer(
            socket: parent, io: TaskIO(source: source, output: output), observer: TaskObserver(), work: work,
            outputLimit: 1 << 30)
        let start = try WireMessage(.answer, head: AnswerHead())
        async let serving: Void = onDedicatedThread(name: "server") { server.serve(start) }
        let answers = try await onDedicatedThread(name: "child") {
            _ = try child.receive(WireLimits.fromParent)
            return try requests.enumerated().map { index, request in
                _ = child.send(try WireMessage(.request, id: UInt32(index), head: request))
                return try #require(try child.receive(WireLimits.fromParent)).decodeHead(as: AnswerHead.self)
            }
        }
        child.shutDown()
        await serving
        return answers
    }

    /// A store with one object of 2 GiB, which must not be read.
    private struct LargeStore: ObjectStore {
        let base = FailingStore(error: .cancelled)

        func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? {
            ObjectInfo(key: key, size: 2 << 30, etag: "x", modified: .now)
        }
        func get(_ key: ObjectKey) throws(ClairoError) -> Data {
            Issue.record("The object was loaded")
            return Data()
        }

        func put(_ data: Data, at key: ObjectKey) throws(ClairoError) { try base.put(data, at: key) }
        func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
            throw base.error
        }
        func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { throw base.error }
        func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] { [] }
        func delete(_ key: ObjectKey) throws(ClairoError) { throw base.error }
    }

    @Test func anObjectThatIsTooLargeIsRefusedWithoutLoadingIt() async throws {
        let answers = try await answers([RequestHead(operation: .get, key: "large")], output: LargeStore())
        #expect(answers.first?.failure?.kind == .defect)
        #expect(answers.first?.failure?.message.contains("too large") == true, "\(answers)")
    }

    @Test func aTaskWithoutASourceOrOutputCannotUseThem() async throws {
        let requests = [RequestHead(operation: .source, offset: 0, count: 1), RequestHead(operation: .get, key: "x")]
        for answer in try await answers(requests, output: nil) { #expect(answer.failure?.kind == .defect) }
        let part = try await answers([requests[0]], source: MemorySource(Data([1])), output: nil)
        #expect(part.first?.failure == nil)
    }

    @Test func aMissingObjectIsANoInputErrorForTheChild() async throws {
        let answers = try await answers([RequestHead(operation: .get, key: "none")], output: MemoryStore())
        #expect(answers.first?.failure?.exitCode == .noInput)
    }

    @Test func aTaskMayWriteLittleMoreThanItsPlanNeeds() {
        let plan = Plan.sample(chunks: 2, segmentsPerChunk: 10)
        // 60 s at 400 kbit/s plus 128 kbit/s, times four, plus 64 MiB.
        let least: Int64 = 64 << 20
        for index in [0, 1] {
            let limit = TaskSpec.Work.chunk(plan, index: index).outputLimit ?? 0
            #expect((least + 12_000_000...least + 13_000_000).contains(limit))
        }
        let audio = TaskSpec.Work.track(plan, index: 0).outputLimit ?? 0
        #expect((least + 7_680_000...least + 10_000_000).contains(audio))
        let file = FileRecord(key: "a", bytes: 1 << 30, sha256: "")
        let finish = TaskSpec.FinishRequest(plan: plan, segments: [file, file], warnings: [])
        #expect(TaskSpec.Work.finish(finish).outputLimit == least + (16 << 30))
        #expect(TaskSpec.Work.probe(name: "x").outputLimit == 0)
    }

    @Test func aCopiedRungMayBeAsLargeAsItsSource() {
        var plan = Plan.sample(chunks: 2, segmentsPerChunk: 1)
        plan.video?.rungs[0].copyReorderDelay = 2
        plan.source.size = 10 << 30
        #expect(TaskSpec.Work.chunk(plan, index: 0).outputLimit ?? 0 > 40 << 30)
        #expect(TaskSpec.Work.chunk(plan, index: 1).outputLimit == 64 << 20)
    }
}
