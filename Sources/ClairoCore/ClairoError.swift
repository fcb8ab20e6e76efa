/// An error that explains itself: what was being done, why it failed, and what to do about it.
///
/// `kind` decides about a retry (article Failures); `exitCode` follows sysexits(3).
public struct ClairoError: Error, Sendable, Equatable {
    /// Who has to act on an error, and whether a retry can help.
    public enum Kind: String, Sendable, Codable, CaseIterable {
        /// The media can never be processed. The job fails and is not retried.
        case badInput
        /// Network errors, throttling, a lost worker. Retried later with back-off.
        case transient
        /// Out of resources (disk, memory, quota). Retried later, without counting as an attempt.
        case capacity
        /// A service refuses this process: credentials, permissions, a missing bucket, a read-only database. An operator
        /// has to act. Retried later with back-off, without counting as an attempt.
        case refused
        /// A bug in Clairo, or an unknown cause.
        case defect
        /// The call was wrong: an option, a missing file, an unwritable folder.
        case usage
        /// Stopped on request. Completed work can be resumed.
        case cancelled
    }

    /// Process exit codes from sysexits(3).
    /// How the process ends, after sysexits(3). The manual pages show these comments.
    public enum ExitCode: Int32, Sendable, Codable {
        /// The command line, or a setting on it, is wrong.
        case usage = 64
        /// The media is damaged, of an unknown format, or beyond a limit; or the output that was checked is not valid.
        case badMedia = 65
        /// The input does not exist, or cannot be opened.
        case noInput = 66
        /// A service is unavailable.
        case unavailable = 69
        /// An internal error.
        case software = 70
        /// The output cannot be created, or exists already.
        case cannotCreate = 73
        /// Reading or writing failed, or a disk or a store is full.
        case inputOutput = 74
        /// A temporary failure; try again later.
        case temporary = 75
        /// Permission denied, or credentials are missing or refused.
        case noPermission = 77
        /// The configuration is wrong.
        case configuration = 78
        /// Stopped by SIGINT, as by Ctrl-C.
        case interrupted = 130
        /// Stopped by SIGTERM.
        case terminated = 143
    }

    /// Who has to act, and whether another attempt can help.
    public let kind: Kind
    /// Exit code of a process that ends with this error.
    public let exitCode: ExitCode
    /// What failed, and on which object: one sentence without a full stop.
    public let message: String
    /// What the user can do: one sentence, or nil.
    public let advice: String?

    public init(kind: Kind, exitCode: ExitCode, _ message: String, advice: String? = nil) {
        self.kind = kind
        self.exitCode = exitCode
        // Messages contain paths and are recorded, logged and sent.
        self.message = SystemText.repaired(message)
        self.advice = advice
    }

    /// The call is wrong: an option, an argument.
    public static func usage(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .usage, exitCode: .usage, message, advice: advice)
    }

    /// This media will never work.
    public static func badMedia(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .badInput, exitCode: .badMedia, message, advice: advice)
    }

    /// The input does not exist.
    public static func noInput(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .usage, exitCode: .noInput, message, advice: advice)
    }

    /// The output cannot be created, or exists already.
    public static func cannotCreate(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .usage, exitCode: .cannotCreate, message, advice: advice)
    }

    /// Reading or writing failed.
    public static func inputOutput(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .transient, exitCode: .inputOutput, message, advice: advice)
    }

    /// Permission was denied.
    public static func noPermission(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .usage, exitCode: .noPermission, message, advice: advice)
    }

    /// A service refuses this process until an operator has mended credentials, permissions or a setting of the service.
    public static func refused(
        _ message: String, exitCode: ExitCode = .noPermission, advice: String? = nil
    ) -> ClairoError {
        ClairoError(kind: .refused, exitCode: exitCode, message, advice: advice)
    }

    /// A service cannot be reached.
    public static func unavailable(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .transient, exitCode: .unavailable, message, advice: advice)
    }

    /// A service is reachable but cannot serve the request now: throttling, overload, a lost connection.
    public static func temporary(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .transient, exitCode: .temporary, message, advice: advice)
    }

    /// A setting is wrong: a bucket, a host, a schema, a clock.
    public static func configuration(_ message: String, advice: String? = nil) -> ClairoError {
        ClairoError(kind: .usage, exitCode: .configuration, message, advice: advice)
    }

    /// A bug, or something unknown.
    public static func defect(_ message: String) -> ClairoError {
        ClairoError(
            kind: .defect, exitCode: .software, message,
            advice: "This is a bug; please report it with the command and the output of clairo probe --json.")
    }

    /// Somebody asked to stop.
    public static let cancelled = ClairoError(kind: .cancelled, exitCode: .interrupted, "Stopped on request")

    /// Whether the same call may succeed later: the cause is neither the media nor the call nor a bug.
    public var mayPass: Bool {
        switch kind {
        case .transient, .capacity, .refused: true
        case .badInput, .defect, .usage, .cancelled: false
        }
    }

    /// The same error with `action` prefixed to its message.
    public func whileDoing(_ action: String) -> ClairoError {
        ClairoError(kind: kind, exitCode: exitCode, "\(action): \(message)", advice: advice)
    }
}

extension ClairoError: CustomStringConvertible {
    public var description: String { advice.map { "\(message). \($0)" } ?? message }
}
