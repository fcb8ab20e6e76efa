internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia

extension ProcessExecutor {
    /// Runs tasks with `clairo run-task` of this program, on sources within `limits`. Unless the sandbox is off, other
    /// processes of the same user can no longer inspect this process, which has the credentials.
    init(
        taking limits: InputLimits = InputLimits(), sandbox: SandboxMode,
        within processLimits: ProcessLimits = ProcessLimits(),
        onKill: @escaping @Sendable (TaskKill) -> Void = { _ in }
    ) {
        if sandbox != .off { Sandbox.makeProcessNondumpable() }
        self.init(
            limits: processLimits, sandbox: sandbox, arguments: RunTaskCommand.arguments(limits), onKill: onKill)
    }
}
