internal import AWSClient
internal import ClairoCore

/// Maps ECS's stop reason to an error, for a task that stopped without a result. Source:
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/stopped-task-error-codes.html
struct ECSStopReason {
    var error: ClairoError

    /// - Parameter name: The container that runs Clairo. Other containers (a log router, an agent) are used only if
    ///   this one has neither an exit code nor a reason.
    init(_ task: ECSTask, container name: String) {
        let ended = (task.containers ?? []).filter { $0.exitCode != nil || $0.reason != nil }
        let container = ended.first { $0.name == name } ?? ended.first
        let exit = container?.exitCode.map { " (exit \($0))" } ?? ""
        let words = [container?.reason, task.stoppedReason].compactMap { $0 }.filter { !$0.isEmpty }
            .map(AWSRefusal.printable)
        let why = words.isEmpty ? "" : ": " + words.joined(separator: "; ")
        let codes = words.map { $0.prefix { $0 != ":" } }

        if words.contains(where: { $0.hasPrefix("OutOfMemoryError") }) {
            // The task exceeded its own limit and would fail again in the same way, so it must not be retried forever.
            error = ClairoError(
                kind: .defect, exitCode: .software, "The ECS task ran out of memory\(why)",
                advice: "Give the task definition more memory if you trust the source.")
            return
        }
        switch task.stopCode {
        case "SpotInterruption", "TerminationNotice":
            error = .temporary("The ECS task's machine was reclaimed (\(task.stopCode ?? ""))\(why)")
            return
        case "UserInitiated", "ServiceSchedulerInitiated":
            error = .temporary("The ECS task was stopped from outside\(why)")
            return
        case "TaskFailedToStart":
            error = Self.failedToStart(why, codes: codes.map(String.init))
            return
        default: break
        }
        switch container?.exitCode.map(Int32.init(truncatingIfNeeded:)) {
        case ClairoError.ExitCode.noPermission.rawValue, ClairoError.ExitCode.configuration.rawValue:
            error = .refused(
                "The ECS task rejected its settings\(exit)\(why)", exitCode: .configuration,
                advice: "Its role must have access to the output store and the exchange; see the task's log.")
        case ClairoError.ExitCode.unavailable.rawValue, ClairoError.ExitCode.inputOutput.rawValue,
            ClairoError.ExitCode.temporary.rawValue, ClairoError.ExitCode.interrupted.rawValue,
            ClairoError.ExitCode.terminated.rawValue:
            error = .temporary("The ECS task ended early\(exit)\(why)")
        default:
            error = .defect("The ECS task ended without a result\(exit)\(why)")
        }
    }

    /// Whether a message is about a lack of capacity. Some limits have only a message and no error code of their own.
    static func isLackOfCapacity(_ text: String) -> Bool {
        ["reached the limit", "quota", "apacity is unavailable", "apacity unavailable"].contains { text.contains($0) }
    }

    private static func failedToStart(_ why: String, codes: [String]) -> ClairoError {
        if isLackOfCapacity(why) {
            return ClairoError(
                kind: .capacity, exitCode: .temporary, "ECS had no capacity for the task\(why)",
                advice: "Add capacity providers or subnets in other zones, or wait.")
        }
        if codes.contains("InternalError") || why.contains("Timeout waiting for") {
            return .temporary("ECS could not start the task\(why)")
        }
        return ClairoError(
            kind: .defect, exitCode: .software, "ECS could not start the task\(why)",
            advice: "Check the task definition: its image, its execution role, and the route from its subnets to AWS.")
    }

    /// Returns the error if RunTask started no task. Source:
    /// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/api_failures_messages.html
    static func notStarted(_ failures: [ECSCallFailure]) -> ClairoError {
        let reasons = failures.map { failure in
            AWSRefusal.printable([failure.reason, failure.detail].compactMap { $0 }.joined(separator: ", "))
        }
        guard let first = failures.first?.reason else {
            return ClairoError(kind: .capacity, exitCode: .temporary, "ECS started no task and gave no reason")
        }
        let message = "ECS started no task: \(reasons.joined(separator: "; "))"
        let code = first.uppercased()
        if code.hasPrefix("RESOURCE") || code.contains("CAPACITY") || code == "AGENT"
            || failures.contains(where: { isLackOfCapacity(($0.reason ?? "") + ($0.detail ?? "")) })
        {
            return ClairoError(
                kind: .capacity, exitCode: .temporary, message,
                advice: "Add machines or capacity providers to the cluster, or wait.")
        }
        return ClairoError(
            kind: .defect, exitCode: .software, message,
            advice: "Check the task definition and the cluster, for example with clairo doctor.")
    }
}
