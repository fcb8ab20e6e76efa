public import ClairoCore

/// Runs tasks in this process, on a thread of their own: nothing stands between the media and the worker.
public struct InlineExecutor: TaskExecutor {
    private let engine: any TaskEngine

    public init(engine: any TaskEngine) { self.engine = engine }

    public func run(_ spec: TaskSpec, host: TaskHost, stop: StopRequest) async throws(ClairoError) -> TaskResult {
        let engine = engine
        do {
            return try await onDedicatedThread(name: "task") { try engine.run(spec, host: host, stop: stop) }
        } catch {
            throw error as? ClairoError ?? .defect("\(error)")
        }
    }
}
