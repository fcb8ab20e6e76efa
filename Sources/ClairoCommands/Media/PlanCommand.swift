internal import ArgumentParser
internal import ClairoCore
internal import ClairoMedia
internal import Foundation

/// `clairo plan`: shows the plan of a transcode with the reasons.
struct PlanCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Show what a transcode would make, and why, without encoding.",
        discussion: """
            Prints the ladder with the reason why each rung is kept, capped or dropped, the segments and chunks, and an \
            estimate of bytes and CPU time.

              clairo plan holiday.mov
              clairo plan holiday.mov --heights 720,360 --json
            """)

    @OptionGroup var input: InputOptions
    @OptionGroup var options: SettingsOptions

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup var sandboxOptions: SandboxOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try options.settings()
        let source = try await input.open(environment)
        let name = input.name
        let fingerprint = try await onDedicatedThread(name: "plan") { try SourceFingerprint(of: source, name: name) }
        let result = try await CommandTask(sandbox: sandboxOptions.sandbox, limits: limitOptions.limits).run(
            .plan(TaskSpec.PlanRequest(source: fingerprint, settings: settings)), source: source,
            log: environment.warn)
        guard let plan = result.plan else { throw ClairoError.defect("Planning \(name) gave no result") }
        if json {
            let report = PlanReport(plan: plan, warnings: result.warnings)
            environment.output(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
        } else {
            environment.output(Self.render(plan) + Render.warnings(result.warnings))
        }
    }

    static func render(_ plan: Plan) -> String {
        var text = "\(Render.printable(plan.source.name)): \(Render.duration(plan.duration.doubleValue)) of output\n"
        if let video = plan.video {
            let grid = video.grid
            text +=
                "\n"
                + Render.table(
                    ["rung", "size", "verdict", "why"],
                    video.decisions.map { [$0.id, $0.size.description, $0.verdict.rawValue, $0.reason] })
            text += """

                \(grid.frameCount) frames at \(Render.frameRate(grid.frameRate)), an IDR every \(grid.gopFrames) frames, \
                \(grid.segmentCount) segments of \(Render.duration(Double(grid.segmentFrames) / grid.frameRate.doubleValue)) \
                in \(plan.chunks.count) \(plan.chunks.count == 1 ? "chunk" : "chunks")\
                \(video.waveCount == 1 ? "" : ", \(video.waveCount) waves")

                """
            if !video.isSeekable, grid.segmentCount > 1 {
                text += "The source has no index to start from in the middle, so it is one chunk.\n"
            }
            var steps: [String] = []
            if video.deinterlace { steps.append("deinterlaced") }
            if video.toneMap {
                steps.append("tone-mapped from HDR to SDR" + (video.hdr == nil ? "" : ", except for the rungs in HDR"))
            }
            if video.orientation != .upright { steps.append("turned upright") }
            if video.sourceFrameCount < grid.frameCount {
                steps.append(
                    "last frame held for \(grid.frameCount - video.sourceFrameCount) frames")
            }
            if !steps.isEmpty { text += "Frames are \(steps.joined(separator: ", ")).\n" }
        }
        text += "\n" + Render.renditions(of: plan) + "\n"
        text +=
            "About \(Render.bytes(plan.prediction.bytes)) and \(Render.duration(plan.prediction.cpuSeconds)) of CPU time.\n"
        return text
    }
}

/// The output of `clairo plan --json`: the fields of the plan, and the warnings beside them.
struct PlanReport: Encodable {
    /// The fields that the plan does not have.
    struct Addition: Codable {
        var warnings: [MediaWarning]
    }

    var plan: Plan
    var warnings: [MediaWarning]

    func encode(to encoder: any Encoder) throws {
        try plan.encode(to: encoder)
        try Addition(warnings: warnings).encode(to: encoder)
    }
}
