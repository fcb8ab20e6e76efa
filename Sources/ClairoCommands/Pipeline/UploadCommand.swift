internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import ClairoStorage
internal import Foundation
internal import Glibc

/// `clairo upload`: the way in.
struct UploadCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "upload",
        abstract: "Store videos and queue them for processing.",
        discussion: """
            Looks into each file first: what is no video is refused before a byte is sent. Then the bytes go to the raw \
            store, and one transaction registers the video and the message about it. Prints the video's id. An upload that \
            was interrupted, by anything, is continued by the same command.

              clairo upload holiday.mov
              clairo upload --priority high --title "Summer 2026" *.mp4
              ffmpeg -i in.avi -f matroska - | clairo upload - --title Converted
              clairo upload s3://bucket/dropbox/clip.mp4 --raw-store s3://bucket/raw
            """)

    @Argument(help: "Media files; - reads standard input.", completion: .file())
    var files: [String]

    @Option(help: "A title for people.")
    var title: String?

    @Option(help: "The named settings to process it with.")
    var profile: String = "default"

    @Option(help: "high, normal or low.")
    var priority: Priority = .normal

    @Option(help: "Whose it is: a name by which work is shared out.")
    var tenant: String = Video.defaultTenant

    @Flag(help: "Where a video with the same content is there already, send nothing and give its id.")
    var dedupe = false

    @Flag(help: "Wait until the videos are ready, and fail where one fails.")
    var wait = false

    @Flag(help: "Print one JSON object per video, on a line each.")
    var json = false

    @Option(help: "Progress on stderr: auto, bar, json or none.")
    var progress: ProgressStyle = .auto

    @OptionGroup var sandboxOptions: IntakeSandboxOptions
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions
    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func validate() throws {
        guard files.count(where: { $0 == "-" }) < 2 else { throw ValidationError("Standard input can be read once.") }
        guard !dedupe || !files.contains("-") else {
            throw ValidationError(
                "--dedupe reads the video before it is sent, which cannot be done with standard input.")
        }
    }

    func run(_ environment: CommandEnvironment) async throws {
        let stop = StopRequest()
        let services = Services(
            try await serviceOptions.settings(environment), environment, stop: stop)
        try await services.checkSandbox(sandboxOptions.sandbox, log: PipelineLog(milestones: false, environment))
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                let registration = try services.registration(
                    metadata, limits: limitOptions.limits, sandbox: sandboxOptions.sandbox)
                var videos: [VideoID] = []
                var failure: ClairoError?
                for file in files {
                    do {
                        videos.append(try await upload(file, registration: registration, services: services))
                    } catch let error as ClairoError where Self.isAbout(file, error) {
                        // One bad file of many does not keep the others from their upload.
                        guard files.count > 1 else { throw error }
                        _ = ClairoCommand.report(error, asJSON: json, environment)
                        failure = failure ?? error
                    }
                }
                if wait {
                    try await VideoWatch(metadata: metadata, environment: environment, json: json)
                        .untilFinal(videos, stop: stop)
                }
                // What others left unfinished long ago; a round that fails is made by the next.
                _ = try? await UploadSweep(registration).run(limit: 10)
                if let failure { throw AlreadyReported(exitCode: failure.exitCode) }
            }
        }
    }

    /// Whether a failure is this file's alone, and not one of the services that all files go to.
    private static func isAbout(_ file: String, _ error: ClairoError) -> Bool {
        error.kind == .badInput || error.exitCode == .noInput
            || (error.exitCode == .noPermission && !FileManager.default.isReadableFile(atPath: file))
    }

    private func upload(_ file: String, registration: UploadRegistration, services: Services) async throws -> VideoID {
        let meter = UploadMeter(
            style: progress, name: (file as NSString).lastPathComponent, environment: services.environment)
        defer { meter.stop() }
        let outcome: FileUpload.Outcome
        let transfer = FileUpload(registration: registration, stop: services.stop)
        if file == "-" {
            outcome = try await StandardInput.upload(
                registration, title: title, profile: profile, priority: priority, tenant: tenant, stop: services.stop)
        } else {
            let source = try await Source.open(
                file, services.environment, stop: services.stop)
            let request = try UploadRequest(
                originalName: (file as NSString).lastPathComponent, title: title, profile: profile, priority: priority,
                tenant: tenant)
            outcome = try await transfer.run(
                source, request: request,
                fingerprint: { () throws(ClairoError) in
                    try Self.fingerprint(of: file, source: source, request: request)
                }, dedupe: dedupe, progress: { meter.show($0) })
        }
        meter.stop()
        report(outcome, name: file, services.environment)
        CrashPoint.reach("upload.told")
        // From here on the same file is another video.
        if let session = outcome.session { try await transfer.acknowledge(session) }
        return outcome.video.id
    }

    private func report(_ outcome: FileUpload.Outcome, name: String, _ environment: CommandEnvironment) {
        if let twin = outcome.sameContent {
            let words =
                twin.id == outcome.video.id
                ? "has been uploaded before; nothing was sent" : "has the same content as video \(twin.id)"
            environment.error("\(Render.printable(name)) \(words)\n")
        }
        if json {
            let report = UploadReport(
                schema: 1, video: outcome.video, sentBytes: outcome.sentBytes, sameContentAs: outcome.sameContent?.id)
            if let data = try? JSON.encode(report, pretty: false) {
                environment.output(String(decoding: data, as: UTF8.self) + "\n")
            }
        } else {
            environment.output("\(outcome.video.id)\n")
        }
    }

    /// The same for the same file, as far as can be told without reading it, and for the same words about it.
    static func fingerprint(
        of file: String, source: any ByteSource, request: UploadRequest
    ) throws(ClairoError) -> String {
        var parts = [request.title ?? "", request.profile, request.priority.rawValue, request.tenant]
        if let etag = source.etag {
            parts += [file, etag]
        } else {
            var status = stat()
            guard stat(file, &status) == 0 else { throw .noInput("\(file) has gone", advice: "Check the name.") }
            let path = URL(fileURLWithPath: file).resolvingSymlinksInPath().path
            let (modified, changed) = (status.st_mtim, status.st_ctim)
            parts += [
                ProcessInfo.processInfo.hostName, path, "\(status.st_size) \(status.st_ino)",
                "\(modified.tv_sec).\(modified.tv_nsec) \(changed.tv_sec).\(changed.tv_nsec)",
            ]
        }
        return Checksum.sha256(Data(parts.map { "\($0.utf8.count):\($0)" }.joined().utf8))
    }
}

/// What `clairo upload --json` prints.
struct UploadReport: Codable {
    var schema: Int
    var video: Video
    /// Bytes that were sent by this run.
    var sentBytes: Int64
    var sameContentAs: VideoID?
}
