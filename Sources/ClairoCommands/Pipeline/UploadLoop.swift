internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import Glibc

/// Uploads the files of a command line in sequence, for `upload` and `run`.
struct UploadLoop {
    let options: UploadOptions
    let services: Services
    let registration: UploadRegistration
    var dedupe = false
    /// Whether errors are printed as JSON too.
    let json: Bool
    var progress = ProgressStyle.none
    /// Whether the other files are uploaded after any error, except after a stop. Otherwise an error that concerns more
    /// than one file ends the loop.
    var continuesAfterErrors = false

    /// Uploads each file. An error that does not end the loop is reported.
    /// - Parameter uploaded: Receives the name and outcome of each file.
    /// - Returns: The first reported error.
    func run(_ uploaded: (_ file: String, FileUpload.Outcome) async throws -> Void) async throws -> AlreadyReported? {
        var failure: AlreadyReported?
        for file in options.files {
            do {
                try await uploaded(file, try await upload(file))
            } catch let error as ClairoError where endsOnly(file, error) && options.files.count > 1 {
                _ = ClairoCommand.report(error, asJSON: json, services.environment)
                failure = failure ?? AlreadyReported(exitCode: error.exitCode)
            }
        }
        return failure
    }

    /// Call when the user has received the video's id. After that, uploading the same file creates another video.
    func acknowledge(_ session: UploadID?) async throws(ClairoError) {
        guard let session else { return }
        try await FileUpload(registration: registration, stop: services.stop).acknowledge(session)
    }

    private func upload(_ file: String) async throws -> FileUpload.Outcome {
        if file == "-" { return try await StandardInput.upload(registration, options: options, stop: services.stop) }
        let name = SystemText.repaired((file as NSString).lastPathComponent)
        let meter = UploadMeter(style: progress, name: name, environment: services.environment)
        defer { meter.stop() }
        let source = try await services.stores.source(file)
        let request = try options.request(name: name)
        return try await FileUpload(registration: registration, stop: services.stop).run(
            source, request: request,
            fingerprint: { () throws(ClairoError) in
                try Self.fingerprint(of: file, source: source, request: request)
            }, dedupe: dedupe, progress: { meter.show($0) })
    }

    /// Whether an error ends the upload of this file only. Errors of the services would be the same for the others.
    private func endsOnly(_ file: String, _ error: ClairoError) -> Bool {
        if continuesAfterErrors { return error.kind != .cancelled }
        return error.kind == .badInput || error.exitCode == .noInput
            || (error.exitCode == .noPermission && !SystemFile.isReadable(file))
    }

    /// Identifies an upload of the same file with the same properties, as far as possible without reading the file.
    private static func fingerprint(
        of file: String, source: any ByteSource, request: UploadRequest
    ) throws(ClairoError) -> String {
        var parts = [request.title ?? "", request.profile, request.priority.rawValue, request.tenant]
        if let etag = source.etag {
            parts += [file, etag]
        } else {
            var status = stat()
            guard SystemText.withCString(file, { stat($0, &status) }) == 0 else {
                throw .noInput("\(file) no longer exists", advice: "Check the name.")
            }
            let path = SystemFile.resolved(file)
            let (modified, changed) = (status.st_mtim, status.st_ctim)
            parts += [
                ProcessInfo.processInfo.hostName, path, "\(status.st_size) \(status.st_ino)",
                "\(modified.tv_sec).\(modified.tv_nsec) \(changed.tv_sec).\(changed.tv_nsec)",
            ]
        }
        return Checksum.sha256(Data(parts.map { "\($0.utf8.count):\($0)" }.joined().utf8))
    }
}
