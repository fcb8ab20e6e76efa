internal import ClairoCore
internal import ClairoPipeline

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

    /// Runs an operation on the jobs of several videos.
    /// - Parameter videos: ids as they stand on the command line.
    /// - Throws: the first error of a video after it has been reported, and what the other videos would fail with too.
    static func runOnJobs(
        of videos: [String], _ services: Services,
        _ body: (JobOperations, VideoID) async throws(ClairoError) -> Void
    ) async throws {
        let ids = try VideoArgument.ids(videos)
        try await services.withMetadata { metadata in
            let operations = try services.jobOperations(metadata)
            let failure = try await run(ids, services.environment) { id throws(ClairoError) in
                try await body(operations, id)
            }
            if let failure { throw failure }
        }
    }
}
