internal import ClairoCore

/// Does the same to several things that have nothing to do with each other.
enum ForEachArgument {
    /// Where one fails that is reported, and the others get their turn.
    /// - Returns: what ends the process with the exit code of the first that failed.
    /// - Throws: what is sure to fail with the others too: a service that is away, a request to stop.
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
