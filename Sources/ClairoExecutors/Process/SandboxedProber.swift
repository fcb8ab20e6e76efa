public import ClairoCore
internal import Foundation

/// Probes a source in a child process, like a task, so that untrusted media is never parsed in a process with
/// credentials.
public struct SandboxedProber: MediaProber {
    private let executor: ProcessExecutor
    private let settings: @Sendable (_ profile: String) -> TranscodeSettings

    /// - Parameter settings: Returns the settings of a profile.
    public init(
        executor: ProcessExecutor,
        settings: @escaping @Sendable (_ profile: String) -> TranscodeSettings = { _ in TranscodeSettings() }
    ) { (self.executor, self.settings) = (executor, settings) }

    public func probe(_ source: any ByteSource, name: String, profile: String) throws(ClairoError) -> MediaInfo {
        let spec = TaskSpec(
            taskID: .make(), jobID: .make(), videoID: .make(), attempt: 1, traceID: "",
            work: .probe(name: name, settings: settings(profile)))
        let result = try executor.runHere(
            spec, io: TaskIO(source: source), observer: TaskObserver(), stop: StopRequest())
        guard let media = result.media else {
            throw .defect("Probing \(name) gave no result")
        }
        return media
    }
}
