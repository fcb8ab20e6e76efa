internal import ClairoCore

/// Ends the process with the exit code of an error that was already reported.
struct AlreadyReported: Error {
    var exitCode: ClairoError.ExitCode
}

/// The output on stdout of a failed command with `--json`.
struct ErrorDocument: Codable {
    struct Content: Codable {
        var kind: ClairoError.Kind
        var exitCode: Int32
        var message: String
        var advice: String?

        init(_ error: ClairoError) {
            kind = error.kind
            exitCode = error.exitCode.rawValue
            message = error.message
            advice = error.advice
        }
    }

    var error: Content
}
