import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// How a consumer stops during a task that takes longer than its grace period.
@Suite(.sharesMachine) struct ConsumerStopTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func drainingWorker(
        on clip: Clip, chunkSeconds: Double
    ) async throws -> (PipelineSite, VideoID, ChildProcess) {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch, chunkSeconds: chunkSeconds)
        let id = try await pipeline.upload(try await clip.make())
        let worker = try pipeline.start(["consume", "--concurrency", "1", "--lease", "3000", "--drain"])
        #expect(await worker.line(on: .messages) { $0.contains("kind=chunk") && $0.contains("began") } != nil)
        return (pipeline, id, worker)
    }

    @Test func drainingFinishesTheRunningTaskAndClaimsNoOther() async throws {
        let (pipeline, id, worker) = try await drainingWorker(
            on: Clip(width: 640, height: 360, seconds: 30), chunkSeconds: 0.02)
        worker.send(SIGTERM)
        let outcome = try await worker.outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(!outcome.errors.contains("task released"))
        let tasks = try await pipeline.tasks(id)
        let lines = outcome.errors.split(separator: "\n")
        let stop = try #require(lines.firstIndex { $0.contains("stopping") })
        let begun = lines[..<stop].count { $0.contains("kind=chunk") && $0.contains("began") }
        #expect(!lines[stop...].contains { $0.contains("began") })
        #expect(tasks.count { $0.kind == .chunk && $0.state == .succeeded } == begun)
        #expect(tasks.contains { $0.state == .pending } && tasks.allSatisfy { $0.state != .running })
    }

    @Test func aSecondSignalStopsTheConsumerAtOnce() async throws {
        let (_, _, worker) = try await drainingWorker(on: .long, chunkSeconds: 60)
        worker.send(SIGTERM)
        #expect(await worker.line(on: .messages) { $0.contains("stopping") } != nil)
        worker.send(SIGTERM)
        let outcome = try await worker.outcome()
        #expect(outcome.status == 143 && outcome.signal == nil, "\(outcome)")
    }
}
