import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization

@testable import ClairoPipeline

/// An executor that runs a test's closure for each task.
struct ScriptedExecutor: TaskExecutor {
    typealias Script =
        @Sendable (TaskSpec, TaskIO, TaskObserver, StopRequest) async throws(ClairoError) -> TaskResult

    let script: Script

    init(_ script: @escaping Script) { self.script = script }

    func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult {
        try await script(spec, io, observer, stop)
    }

    /// Completes every task like an engine, without media.
    static func succeeding(_ plan: Plan) -> ScriptedExecutor {
        ScriptedExecutor { (spec, io, _, _) async throws(ClairoError) in try result(of: spec, io, plan) }
    }

    static func result(of spec: TaskSpec, _ io: TaskIO, _ plan: Plan) throws(ClairoError) -> TaskResult {
        guard case .plan = spec.work else {
            if case .chunk(let plan, let index) = spec.work {
                for rung in plan.video?.rungs ?? [] {
                    try io.output?.put(Data("init".utf8), at: rung.initKey)
                    for segment in plan.chunks[index].segments {
                        try io.output?.put(Data("segment".utf8), at: rung.segmentKey(segment))
                    }
                }
            }
            return TaskResult()
        }
        return TaskResult(plan: plan)
    }
}

/// A one-time event that can be awaited.
final class Event: Sendable {
    private let request = StopRequest()

    func happen() { request.cancel() }

    var hasHappened: Bool { request.isCancelled }

    func wait() async { await request.wait() }
}

extension StopRequest {
    /// Returns when the stop is requested.
    func wait() async {
        await withCheckedContinuation { continuation in onCancel { continuation.resume() } }
    }
}

/// A worker's events as comparable text: `chunk failed(retry)`.
final class WorkerLog: Sendable {
    private let mutex = Mutex<[WorkerEvent]>([])

    var events: [WorkerEvent] { mutex.withLock { $0 } }

    func note(_ event: WorkerEvent) { mutex.withLock { $0.append(event) } }

    var words: [String] {
        events.map { event in
            switch event.content {
            case .began: "\(event.task.kind) began"
            case .succeeded: "\(event.task.kind) succeeded"
            case .failed(_, let consequence): "\(event.task.kind) failed(\(consequence))"
            case .released: "\(event.task.kind) released"
            case .lost: "\(event.task.kind) lost"
            }
        }
    }
}
