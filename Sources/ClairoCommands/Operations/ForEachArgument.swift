internal import ClairoCore

/// Runs an operation on several independent arguments.
enum ForEachArgument {
    /// Runs the operation on each item. If it fails for one item, the error is reported and the next item follows.
    /// - Returns: The first reported error.
    /// - Throws: Errors that affect all items, such as an unavailable service or a stop request.
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
