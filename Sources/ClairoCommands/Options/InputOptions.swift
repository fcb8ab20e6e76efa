internal import ArgumentParser
internal import ClairoCore
internal import Foundation

/// The source of commands that open media.
struct InputOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Media file, or s3://BUCKET/KEY.", valueName: "input"), completion: .file())
    var input: String

    /// The file's name without its folder, as `SystemText`.
    var fileName: String { (input as NSString).lastPathComponent }

    /// The file's name for people and records.
    var name: String { SystemText.repaired(fileName) }

    /// Opens the source.
    /// - Parameter stop: Cancels requests to an object store.
    func open(
        _ environment: CommandEnvironment, stop: StopRequest = StopRequest()
    ) async throws(ClairoError) -> any ByteSource {
        try await Stores(environment, stop: stop).source(input)
    }
}
