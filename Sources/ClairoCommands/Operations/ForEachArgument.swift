internal import ClairoCore

/// Runs an operation on several independent arguments.
enum ForEachArgument {
    /// An error of one item is reported, and the others are processed all the same.
    /// - Returns: the first error that was reported.
    /// - Throws: errors that the other items would have too: an unavailable service, a request to stop.
    static func run<Item>(
        _ items: [Item], _ environment: CommandEnvironment, _ body: (Item) async throws(ClairoError) -> Void
    ) async throws(ClairoError) -> AlreadyReported? {
        var failure: AlreadyReported?
        for item in items {
            do throws(ClairoError) {
                try await body(item)
            } catch {
                if error.kind == .cancelled || error.exitCode == .unavailable { throw error }
                failure = failure ?? AlreadyReported(exitCode: error.exitCode)
                _ = ClairoCommand.report(error, asJSON: false, environment)
            }
        }
        return failure
    }
}
