public import ClairoCore

/// A `MediaProber` that probes in this process with an engine, with the default settings for every profile.
public struct EngineProber: MediaProber {
    private let engine: any TaskEngine

    public init(_ engine: any TaskEngine) { self.engine = engine }

    public func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
        let spec = TaskSpec(
            taskID: .make(), jobID: .make(), videoID: .make(), attempt: 1, traceID: "", work: .probe(name: name))
        guard let media = try engine.run(spec, io: TaskIO(source: source)).media else {
            throw .defect("\(name) was probed without a result")
        }
        return media
    }
}
