public import ClairoCore
internal import Foundation

/// Looks into a source in a child, as tasks are done: what strangers have sent is parsed nowhere near credentials.
public struct ProcessProber: MediaProber {
    private let executor: ProcessExecutor

    public init(executor: ProcessExecutor) { self.executor = executor }

    public func probe(_ source: any ByteSource, name: String) throws(ClairoError) -> MediaInfo {
        let spec = TaskSpec(
            taskID: .make(), jobID: .make(), videoID: .make(), attempt: 1, traceID: "", work: .probe(name: name))
        let host = TaskHost(source: source, output: NoOutput()) { _ in }
        guard let media = try executor.runHere(spec, host: host, stop: StopRequest()).media else {
            throw .defect("\(name) was looked into without a result")
        }
        return media
    }
}
