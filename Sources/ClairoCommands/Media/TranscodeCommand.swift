internal import ArgumentParser
internal import ClairoCore
internal import ClairoMedia
internal import ClairoStorage
internal import Foundation

/// `clairo transcode`: makes the output of one source.
struct TranscodeCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "transcode",
        abstract: "Turn a video into HLS, DASH and MP4.",
        discussion: """
            Writes a folder with a ladder of renditions, their playlists and a poster, and verifies it before the \
            multivariant playlist appears. Run the same command again to continue a run that was stopped, by Ctrl-C or \
            by kill -9.

              clairo transcode holiday.mov
              clairo transcode holiday.mov -o /srv/videos/holiday --heights 1080,720,480
              clairo transcode lecture.mkv --format hls --preset veryfast --progress json
              clairo transcode film.mkv --encrypt cbcs --key-file keys.txt
              clairo transcode s3://uploads/talk.mp4 -o s3://videos/talk
            """)

    @OptionGroup var input: InputOptions
    @OptionGroup var options: SettingsOptions

    @OptionGroup var keyFileOption: KeyFileOption

    @Option(
        name: .shortAndLong,
        help: ArgumentHelp(
            "Output folder, or s3://BUCKET/PREFIX (default: the input's name without its suffix, in the current folder).",
            valueName: "dir"),
        completion: .directory)
    var output: String?

    @Option(
        name: .customLong("subtitle"), parsing: .singleValue,
        help: ArgumentHelp(
            "A file with subtitles in SRT, ASS or WebVTT, its language and its role: main, captions (or sdh), "
                + "commentary or forced. Give it again for each file. Uploads have no such files: put their subtitles "
                + "into the source.", valueName: "file[:lang[:role]]"),
        completion: .file())
    var subtitleFiles: [String] = []

    @Option(
        help: ArgumentHelp("Chunks to encode at once (default: from cores and memory).", valueName: "count"))
    var jobs: Int?

    @Option(help: ArgumentHelp("Memory to use, such as 2G or 800M (default: from the machine's).", valueName: "size"))
    var memory: String?

    @Flag(help: "Replace an existing output.")
    var force = false

    @Flag(inversion: .prefixedNo, help: "Decode and check all output before it is published.")
    var verify = true

    @Flag(help: "Print the manifest and the verification as JSON.")
    var json = false

    @Option(help: "Progress on stderr: auto, bar, json or none.")
    var progress: ProgressStyle = .auto

    @OptionGroup var sandboxOptions: SandboxOptions

    @OptionGroup(title: "Output in S3") var deliveryOptions: DeliveryOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try options.settings()
        let (protection, keys) = try protection(settings)
        let resources = TranscodeResources(
            jobs: try checkedJobs(), memory: try memory.map(Self.bytes), verifies: verify, force: force)
        let subtitles = try SubtitleArgument.read(subtitleFiles)
        let stop = StopRequest()
        let folder = output ?? (input.fileName as NSString).deletingPathExtension
        try refuseSourceInside(folder)
        let stored = try Stores(environment, stop: stop).output(
            folder, delivery: deliveryOptions.delivery(environment))
        let store: any ObjectStore = protection.map { EncryptingStore(stored, $0, keys: keys) } ?? stored
        let name = input.name
        let reporter = ProgressReporter(style: progress, environment: environment)
        let report = try await Signals.stopping(stop) {
            let source = try await input.open(environment, stop: stop)
            reporter.start()
            defer { reporter.stop() }
            let request = try await onDedicatedThread(name: "transcode") {
                // Only in an existing output folder; other files must not be removed.
                if try store.size(of: OutputLayout.manifest) != nil { try OutputDestination.tidy(stored) }
                return TaskSpec.TranscodeRequest(
                    source: try SourceFingerprint(of: source, name: name, check: stop.check), settings: settings,
                    resources: resources, subtitles: subtitles.isEmpty ? nil : subtitles, protection: protection)
            }
            let result = try await CommandTask(sandbox: sandboxOptions.sandbox, limits: limitOptions.limits).run(
                .transcode(request), source: source, output: store, stop: stop, log: reporter.log,
                progress: reporter.take)
            let manifest = try await onDedicatedThread(name: "transcode") { try store.get(OutputLayout.manifest) }
            return TranscodeReport(
                output: folder, manifest: try JSONDecoder().decode(OutputManifest.self, from: manifest),
                verification: result.verification)
        }
        environment.output(
            json ? String(decoding: try JSON.encode(report), as: UTF8.self) + "\n" : Self.render(report))
    }

    /// Rejects a source inside the output folder, because its own output could overwrite it.
    private func refuseSourceInside(_ folder: String) throws(ClairoError) {
        let inside = SystemFile.resolved(input.input)
        let outside = SystemFile.resolved(folder)
        if inside.hasPrefix(outside + "/"),
            SystemFile.exists("\(outside)/\(OutputLayout.manifest)")
        {
            throw .usage("The source is in the output folder \(folder)", advice: "Choose another folder with -o.")
        }
    }

    /// Where players get keys unless `--key-uri` says it: a path on the server of the playlists.
    private static let defaultKeyURI = "/keys/{kid}"

    /// The protection that the settings ask for, and the keys. Both options are given, or neither.
    private func protection(_ settings: TranscodeSettings) throws(ClairoError) -> (Protection?, KeySet) {
        let keys = try keyFileOption.keys()
        guard settings.encrypt != nil else {
            guard keys == nil else {
                throw .usage("--key-file without --encrypt encrypts nothing", advice: "Give both.")
            }
            return (nil, KeySet())
        }
        guard let keys else {
            throw .usage(
                "--encrypt needs keys",
                advice: "Give --key-file FILE, with a line KID:KEY of 32 hexadecimal digits each.")
        }
        return (try Protection(settings, keys: keys, defaultURI: Self.defaultKeyURI), keys)
    }

    private func checkedJobs() throws(ClairoError) -> Int? {
        guard let jobs else { return nil }
        guard (1...1024).contains(jobs) else {
            throw .usage("--jobs \(jobs) is out of range", advice: "Give 1 or more.")
        }
        return jobs
    }

    /// `2G`, `800M`, `1.5GiB` or plain bytes.
    static func bytes(_ text: String) throws(ClairoError) -> Int64 {
        let upper = text.uppercased()
        let number = upper.prefix { $0.isNumber || $0 == "." }
        let factor: Double? =
            switch upper.dropFirst(number.count) {
            case "", "B": 1
            case "K", "KB", "KIB": 1024
            case "M", "MB", "MIB": 1024 * 1024
            case "G", "GB", "GIB": 1024 * 1024 * 1024
            default: nil
            }
        guard let factor, let value = Double(number), value > 0, value * factor < 1e15 else {
            throw .usage("--memory \(text) is not a size", advice: "Give a number with K, M or G, such as 2G.")
        }
        return Int64(value * factor)
    }

    static func render(_ outcome: TranscodeReport) -> String {
        let (manifest, folder) = (outcome.manifest, outcome.output)
        var text = ""
        if !manifest.renditions.isEmpty {
            text += Render.renditions(manifest.renditions, last: "bytes") {
                Render.bytes(manifest.renditions[$0].bytes)
            }
        }
        for track in manifest.plan.text ?? [] {
            text +=
                "text \(track.id): WebVTT, \(track.segmentCount) \(track.segmentCount == 1 ? "segment" : "segments")\n"
        }
        text += Render.warnings(manifest.warnings)
        if let report = outcome.verification {
            for check in report.checks where ["source-frames", "source-audio"].contains(check.name) {
                text += "\(check.subject): \(check.detail)\n"
            }
            text += "verified: \(report.checks.count) checks passed\n"
        }
        let keys = Set(manifest.files.map { ObjectKey($0.key) })
        for key in OutputLayout.entryPoints where keys.contains(key) { text += "\(folder)/\(key)\n" }
        for key in keys.filter(OutputLayout.isProgressive).sorted() { text += "\(folder)/\(key)\n" }
        return text
    }
}

/// The output of `clairo transcode --json`.
struct TranscodeReport: Codable {
    var output: String
    var manifest: OutputManifest
    var verification: VerificationReport?
}
