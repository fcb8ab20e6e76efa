internal import ClairoCore
internal import Foundation

/// Limits on what a plan may cost. A few damaged timestamps can make a job of days from a file of a few kilobytes, so
/// the cost is checked before anything is encoded.
///
/// `--max-cpu-hours` sets the first limit, and the others grow with it.
struct CostLimits: Sendable, Hashable {
    /// At the preset `medium`, a day of 1080p at 60 frames per second takes 180 CPU hours with all rungs, and a film of
    /// three hours in 2160p takes 40.
    static let defaultCPUHours = 200.0

    /// Below this number of output frames their number per source frame is not limited.
    private static let fewFrames = 20_000.0

    /// The maximum predicted CPU time in seconds.
    var maxCPUSeconds: Double
    /// The maximum predicted size of the output in bytes. By default 2 TB: a day of 2160p at the highest rates of all
    /// rungs, as segments and as MP4, has about 1 TB.
    var maxBytes: Double
    /// The maximum number of output frames per source frame. By default 1000, half a minute for each at 30 frames per
    /// second: a recording of slides that lasts for hours and stores fewer frames is rare.
    var maxFramesPerSourceFrame: Double

    init(cpuHours: Double = defaultCPUHours) {
        let scale = cpuHours / Self.defaultCPUHours
        maxCPUSeconds = cpuHours * 3600
        maxBytes = 2e12 * scale
        maxFramesPerSourceFrame = 1000 * scale
    }

    /// - Parameters:
    ///   - plan: The plan, with its prediction.
    ///   - sourceFrames: The number of frames in the part of the source that is used.
    ///   - audibleSeconds: The seconds of audio in the source, without gaps.
    ///   - name: The name of the source.
    /// - Throws: `badInput` (65) with the numbers if a limit is exceeded.
    func check(plan: Plan, sourceFrames: Int, audibleSeconds: Double, name: String) throws(ClairoError) {
        if plan.prediction.cpuSeconds > maxCPUSeconds {
            throw Self.tooExpensive(
                "\(name) would take \(Self.rounded(plan.prediction.cpuSeconds / 3600)) CPU hours, more than the limit "
                    + "of \(Self.rounded(maxCPUSeconds / 3600))")
        }
        if Double(plan.prediction.bytes) > maxBytes {
            throw Self.tooExpensive(
                "\(name) would give \(Self.rounded(Double(plan.prediction.bytes) / 1e9)) GB of output, more than the "
                    + "limit of \(Self.rounded(maxBytes / 1e9)) GB")
        }
        let frames = plan.video?.grid.frameCount ?? 0
        let ratio = Double(frames) / Double(max(sourceFrames, 1))
        // A still image may be shown as long as there is audio.
        let isSilent = audibleSeconds < plan.duration.doubleValue / 2
        if isSilent, Double(frames) > Self.fewFrames, ratio > maxFramesPerSourceFrame {
            throw Self.tooExpensive(
                "\(name): its \(sourceFrames) frames would become \(frames), more than the limit of "
                    + "\(Self.rounded(maxFramesPerSourceFrame)) for each")
        }
    }

    private static func tooExpensive(_ message: String) -> ClairoError {
        .badMedia(
            message,
            advice: "Raise the limit with --max-cpu-hours if you trust the file, or take a part with --duration.")
    }

    /// In whole numbers, or three digits below ten.
    private static func rounded(_ value: Double) -> String {
        value >= 10 ? "\(Int64(clampedFrom: value))" : String(format: "%.3g", value)
    }
}
