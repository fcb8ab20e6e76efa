internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia

extension ProcessExecutor {
    /// Runs tasks by `clairo run-task` of this program, on sources within `limits`. This process, which has the credentials,
    /// is closed to others of its user then.
    init(
        taking limits: InputLimits = InputLimits(), sandbox: SandboxMode,
        within processLimits: ProcessLimits = ProcessLimits(),
        onKill: @escaping @Sendable (TaskKill) -> Void = { _ in }
    ) {
        if sandbox != .off { Sandbox.hideThisProcess() }
        self.init(
            limits: processLimits, sandbox: sandbox, arguments: RunTaskCommand.arguments(limits), onKill: onKill)
    }
}
