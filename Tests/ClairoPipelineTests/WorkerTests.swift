import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoPipeline

/// What a worker believes of the task that it has executed.
@Suite struct WorkerTests {
    private let metadata = MemoryMetadata()
    private let store = MemoryStore()
    private let plan = Plan.sample(chunks: 1, segmentsPerChunk: 1)

    /// Writes a segment, claims to have done more than there is, and fails.
    private struct Boaster: TaskExecutor {
        let told = StopRequest()
        let done = StopRequest()

        func run(_ spec: TaskSpec, host: TaskHost, stop: StopRequest) async throws(ClairoError) -> TaskResult {
            try host.output.put(Data("half".utf8), at: Plan.sampleRung.segmentKey(0))
            for frames in [10, -1, Int.max] { host.progress(frames) }
            told.cancel()
            while !done.isCancelled { try? await Task.sleep(for: .milliseconds(1)) }
            throw .defect("it was caught")
        }
    }

    @Test func progressIsBoundedByThePlanAndAFailedAttemptLeavesNothing() async throws {
        let task = try await MetadataStoreContract.chunk(of: plan, in: metadata)
        let executor = Boaster()
        let worker = Worker(
            Worker.Services(
                metadata: metadata, output: store, openSource: { _ in MemorySource(Data([1])) }, executor: executor),
            owner: "test", leaseSeconds: 3600)
        let claimed = try #require(try await worker.claim([.chunk]))
        async let performed: Void = worker.perform(claimed, stop: StopRequest())
        func now() async throws -> WorkTask? { try await metadata.tasks(of: task.jobID).first { $0.id == task.id } }
        try await eventually { executor.told.isCancelled }
        #expect(await worker.renew(claimed))
        #expect(try await now()?.framesDone == task.framesPlanned)
        #expect(try store.list(prefix: "").count == 1)
        executor.done.cancel()
        try await performed
        #expect(try await now()?.state == .pending)
        #expect(try await now()?.error?.message.contains("it was caught") == true)
        #expect(try store.list(prefix: "") == [])
    }
}
