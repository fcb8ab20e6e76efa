internal import ClairoCore
internal import ClairoExecutors
internal import Glibc

/// A task process that misbehaves, for tests of executors and sandboxes. It is started in place of `clairo run-task`,
/// takes the same options and builds the same sandbox.
///
/// ```
/// clairo-misbehaving --misbehave KIND [--target TARGET] [--layer LAYER]... --sandbox MODE
///                    (--parent PID | --connect SOCKET)
/// ```
@main
struct ClairoMisbehaving {
    /// Runs on the calling thread, which is the only thread of the process until the sandbox is complete.
    static func main() throws {
        var options: [String: [String]] = [:]
        var arguments = CommandLine.arguments.dropFirst()
        while let name = arguments.popFirst() { options[name, default: []].append(arguments.popFirst() ?? "") }
        func last(_ name: String) -> String? { options[name]?.last }

        guard let misbehaviour = last("--misbehave").flatMap(Misbehaviour.init(rawValue:)),
            let sandbox = SandboxMode(rawValue: last("--sandbox") ?? "auto")
        else { exit(ClairoError.ExitCode.usage.rawValue) }
        let named = (options["--layer"] ?? []).compactMap(SandboxLayer.init(rawValue:))
        let layers = Set(named.isEmpty ? SandboxLayer.allCases : named)
        let report =
            if let path = last("--connect") {
                try TaskChild.enclose(connectingTo: path, sandbox: sandbox, layers: layers)
            } else {
                TaskChild.enclose(parent: last("--parent").flatMap { Int32($0) } ?? 0, sandbox: sandbox, layers: layers)
            }
        if let refusal = report.refusal(of: sandbox) { TaskChild.fail(refusal) }
        let engine = MisbehavingEngine(misbehaviour: misbehaviour, target: last("--target") ?? "")
        TaskChild(engine: engine, sandbox: report).serve()
    }
}
