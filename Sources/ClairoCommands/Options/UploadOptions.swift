internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// The files to upload and their properties, for `upload` and `run`.
struct UploadOptions: ParsableArguments {
    @Argument(
        help: ArgumentHelp("Media files, or s3://BUCKET/KEY; - reads standard input.", valueName: "file"),
        completion: .file())
    var files: [String]

    @Option(help: "Title, for people.")
    var title: String?

    @Option(help: ArgumentHelp("Named settings to process the videos with.", valueName: "name"))
    var profile: String = "default"

    @Option(help: "Priority of the videos: high, normal or low.")
    var priority: Priority = .normal

    @Option(help: ArgumentHelp("Tenant, for fair scheduling.", valueName: "name"))
    var tenant: String = Video.defaultTenant

    func validate() throws {
        guard files.count(where: { $0 == "-" }) < 2 else {
            throw ValidationError("Standard input can be read only once.")
        }
    }

    /// - Parameter name: The original name of the file.
    func request(name: String) throws(ClairoError) -> UploadRequest {
        try UploadRequest(originalName: name, title: title, profile: profile, priority: priority, tenant: tenant)
    }
}
