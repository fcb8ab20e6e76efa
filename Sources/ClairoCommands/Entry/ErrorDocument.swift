internal import ClairoCore

/// Ends the process with the exit code of an error that has been reported already.
struct AlreadyReported: Error {
    var exitCode: ClairoError.ExitCode
}

/// What a command prints on stdout when it fails and `--json` is given.
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
