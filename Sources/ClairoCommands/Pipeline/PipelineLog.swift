internal import ClairoCore
internal import ClairoPipeline
internal import Logging

/// The log of the pipeline's daemons on stderr: one line for each milestone, with its ids. Repeated warnings are limited.
struct PipelineLog: Sendable {
    let logger: Logger
    let format: LogFormat
    private let limiter = LineLimiter()

    /// - Parameter milestones: False to log only warnings and errors.
    init(_ format: LogFormat = .text, milestones: Bool = true, _ environment: CommandEnvironment) {
        self.format = format
        logger = Logger(label: "clairo") { _ in
            LineLogHandler(format: format, write: environment.error, logLevel: milestones ? .info : .warning)
        }
    }

    func note(_ text: String) { logger.info("\(text)") }

    func warn(_ text: String) { warn(text, [:]) }

    /// Logs a warning unless equal ones were logged recently.
    /// - Parameter line: What makes warnings equal, if it is not the message.
    private func warn(_ message: String, _ metadata: Logger.Metadata, asEqualTo line: String? = nil) {
        guard let dropped = limiter.admit(line ?? message) else { return }
        let more: Logger.Metadata = dropped > 0 ? ["repeated": .stringConvertible(dropped)] : [:]
        logger.warning("\(message)", metadata: metadata.merging(more) { $1 })
    }

    /// Logs that an activity succeeds after it was blocked. Later warnings are logged again.
    func noteRecovery(of activity: DaemonHealth.Activity) {
        limiter.reset()
        logger.info("works again", metadata: ["activity": "\(activity.rawValue)"])
    }

    /// Logs the error that ended the process.
    func end(_ error: ClairoError) {
        logger.critical(
            "\(error.description)",
            metadata: ["error_kind": "\(error.kind.rawValue)", "exit": .stringConvertible(error.exitCode.rawValue)])
    }

    /// The logger for libraries, without their info messages.
    var quietLogger: Logger {
        var logger = logger
        logger.logLevel = max(.notice, logger.logLevel)
        return logger
    }

    /// Logs an error that is temporary or is reported elsewhere too.
    func warn(_ error: ClairoError) { warn(error.description, ["error_kind": "\(error.kind.rawValue)"]) }

    /// Logs errors and counts them.
    func warning(_ metrics: DaemonMetrics?) -> @Sendable (ClairoError) -> Void {
        { error in
            warn(error)
            metrics?.count(error)
        }
    }

    /// Logs what upkeep removed, if anything.
    func note(removed report: UpkeepReport) {
        if report.isEmpty { return }
        logger.info(
            "obsolete data removed",
            metadata: [
                "objects": .stringConvertible(report.objects), "uploads": .stringConvertible(report.uploads),
                "partial_files": .stringConvertible(report.partialFiles), "bytes": .stringConvertible(report.bytes),
                "videos": .stringConvertible(report.videos), "dead_letters": .stringConvertible(report.deadLetters),
                "rows": .stringConvertible(report.rows),
            ])
    }

    /// Logs a dead letter that was removed because there were too many.
    func note(removed letter: RemovedDeadLetter) {
        logger.warning(
            "dead letter removed: too many",
            metadata: [
                "dead_letter.id": "\(letter.id)", "topic": "\(letter.topic)", "created": "\(letter.createdAt)",
                "redriven": .stringConvertible(letter.wasRedriven),
            ])
    }

    func note(_ event: WorkerEvent) {
        let ids = Self.metadata(event)
        switch event.content {
        case .began: logger.info("task began", metadata: ids)
        case .succeeded(let result):
            let usage = result.usage
            logger.info(
                "task succeeded",
                metadata: ids.merging([
                    "wall": .stringConvertible(LogDuration(seconds: usage.wallSeconds)),
                    "cpu": .stringConvertible(LogDuration(seconds: usage.cpuSeconds)),
                ]) { $1 })
            if event.task.kind == .finish { logger.info("job ready", metadata: Self.metadata(ofJob: event)) }
        case .failed(let error, let consequence):
            let metadata = ids.merging([
                "error_kind": "\(error.kind.rawValue)", "error": "\(error.message)",
                "then": "\(consequence.rawValue)",
            ]) { $1 }
            // While a service refuses or has no room, every task fails in the same way.
            if consequence == .retry, [.refused, .capacity].contains(error.kind) {
                warn("task failed", metadata, asEqualTo: "task failed: \(error.message)")
            } else {
                logger.warning("task failed", metadata: metadata)
            }
            if [.failure, .deadLetter].contains(consequence) {
                logger.error(
                    "job failed",
                    metadata: Self.metadata(ofJob: event).merging(["error": "\(error.message)"]) { $1 })
            }
        case .released: logger.info("task released", metadata: ids)
        case .lost: logger.warning("claim lost, result dropped", metadata: ids)
        }
    }

    private static func metadata(_ event: WorkerEvent) -> Logger.Metadata {
        let task = event.task
        return metadata(ofJob: event).merging([
            "kind": "\(task.kind.rawValue)", "index": .stringConvertible(task.index),
            "attempt": .stringConvertible(task.attempt),
        ]) { $1 }
    }

    private static func metadata(ofJob event: WorkerEvent) -> Logger.Metadata {
        var ids: Logger.Metadata = ["job.id": "\(event.task.jobID)", "video.id": "\(event.task.videoID)"]
        ids["trace.id"] = event.job.map { "\($0.traceID)" }
        return ids
    }
}
