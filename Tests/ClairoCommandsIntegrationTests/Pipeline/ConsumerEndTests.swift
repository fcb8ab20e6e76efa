import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// How a consumer ends on a stop request while it runs a task that takes longer than its grace period.
@Suite(.sharesMachine) struct ConsumerEndTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let clip = Clip(
        width: 1280, height: 720, seconds: 120, video: .graph("testsrc2=s=1280x720:r=25:d=120"))

    private func worker(_ arguments: String...) async throws -> (PipelineSite, VideoID, ChildProcess) {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch, chunkSeconds: 60)
        let id = try await pipeline.upload(try await Self.clip.make())
        let worker = try pipeline.start(["consume", "--concurrency", "1", "--lease", "3000"] + arguments)
        #expect(await worker.line(on: .messages) { $0.contains("kind=chunk") && $0.contains("began") } != nil)
        return (pipeline, id, worker)
    }

    @Test func drainingFinishesTheTaskThatIsBegunAndNoMore() async throws {
        let (pipeline, id, worker) = try await worker("--drain")
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

    @Test func aSecondSignalEndsItAtOnce() async throws {
        let (_, _, worker) = try await worker("--drain")
        worker.send(SIGTERM)
        #expect(await worker.line(on: .messages) { $0.contains("stopping") } != nil)
        worker.send(SIGTERM)
        let outcome = try await worker.outcome()
        #expect(outcome.status == 143 && outcome.signal == nil, "\(outcome)")
    }
}
