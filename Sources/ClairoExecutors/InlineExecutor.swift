public import ClairoCore

/// Runs tasks in this process, on a dedicated thread and without a sandbox.
public struct InlineExecutor: TaskExecutor {
    private let engine: any TaskEngine

    public init(engine: any TaskEngine) { self.engine = engine }

    public func run(
        _ spec: TaskSpec, io: TaskIO, observer: TaskObserver, stop: StopRequest
    ) async throws(ClairoError) -> TaskResult {
        try await onDedicatedThread(name: "task") { [engine] () throws(ClairoError) in
            try ProcessLimits.byHand.withinThisProcess().checkInherited()
            return try engine.run(spec, io: io, observer: observer, stop: stop)
        }
    }
}
