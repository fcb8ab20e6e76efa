internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo upload`: stores videos and queues them.
struct UploadCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "upload",
        abstract: "Store videos and queue them for processing.",
        discussion: """
            Each file is probed before it is sent: a file that is not a video is refused. The bytes go to the raw store. Then \
            one transaction registers the video and the message about it, and the video's id is printed. Run the same \
            command again to continue an upload that was interrupted.

              clairo upload holiday.mov
              clairo upload --priority high --title "Summer 2026" *.mp4
              ffmpeg -i in.avi -f matroska - | clairo upload - --title Converted
              clairo upload s3://bucket/dropbox/clip.mp4 --raw-store s3://bucket/raw
            """)

    @OptionGroup var options: UploadOptions

    @Flag(help: "Send nothing where a video with the same content exists, and print that video's id.")
    var dedupe = false

    @Flag(help: "Wait until the videos are ready; fail if one fails.")
    var wait = false

    @Flag(help: "Print one line of JSON for each video.")
    var json = false

    @Option(help: "Progress on stderr: auto, bar, json or none.")
    var progress: ProgressStyle = .auto

    @OptionGroup var sandboxOptions: IntakeSandboxOptions
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions
    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func validate() throws {
        guard !dedupe || !options.files.contains("-") else {
            throw ValidationError("--dedupe reads a video before it is sent, and standard input can be read only once.")
        }
    }

    func run(_ environment: CommandEnvironment) async throws {
        let stop = StopRequest()
        let services = Services(
            try await serviceOptions.settings(environment), environment, stop: stop)
        try checkProfile(services)
        try await services.checkSandbox(sandboxOptions.sandbox, log: PipelineLog(milestones: false, environment))
        try await Signals.stopping(stop) {
            try await services.withMetadata { metadata in
                let registration = try services.registration(
                    metadata, limits: limitOptions.limits, sandbox: sandboxOptions.sandbox)
                let loop = UploadLoop(
                    options: options, services: services, registration: registration, dedupe: dedupe, json: json,
                    progress: progress)
                var videos: [VideoID] = []
                let failure = try await loop.run { file, outcome in
                    report(outcome, name: file, environment)
                    CrashPoint.reach("upload.reported")
                    try await loop.acknowledge(outcome.session)
                    videos.append(outcome.video.id)
                }
                if wait {
                    try await VideoWatch(metadata: metadata, environment: environment, json: json)
                        .untilFinal(videos, stop: stop)
                }
                // Removes abandoned uploads. The next upload retries failures.
                _ = try? await UploadSweep(registration).run(limit: 10)
                if let failure { throw failure }
            }
        }
    }

    /// Rejects a profile that does not exist. Without the setting `profiles`, only the workers can check it.
    private func checkProfile(_ services: Services) throws(ClairoError) {
        _ = try options.request(name: "video")
        if services.settings.value(.profiles) != nil {
            _ = try services.profiles().settings(of: options.profile)
        } else if options.profile != "default" {
            services.environment.warn(
                "the setting profiles is not set here, so \(options.profile) is not checked; videos fail if the workers do not know it"
            )
        }
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
                schema: 2, video: VideoDocument(outcome.video, for: .operator), sentBytes: outcome.sentBytes,
                sameContentAs: outcome.sameContent?.id)
            if let data = try? JSON.encode(report, pretty: false) {
                environment.output(String(decoding: data, as: UTF8.self) + "\n")
            }
        } else {
            environment.output("\(outcome.video.id)\n")
        }
    }
}

/// The output of `clairo upload --json`.
struct UploadReport: Codable {
    var schema: Int
    var video: VideoDocument
    /// The bytes that this run sent.
    var sentBytes: Int64
    var sameContentAs: VideoID?
}
