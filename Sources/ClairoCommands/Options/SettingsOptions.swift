internal import ArgumentParser
internal import ClairoCore
internal import ClairoMedia
internal import Foundation

/// What is to be made, for `plan` and `transcode` alike.
struct SettingsOptions: ParsableArguments {
    @Option(help: "Output formats, comma-separated: hls, dash, mp4.")
    var format: String = "hls,dash,mp4"

    @Option(help: "Video codecs, comma-separated; h264 is the one there is.")
    var codec: String = "h264"

    @Option(help: ArgumentHelp("Short sides to make, such as 1080,720; all that fit without it.", valueName: "list"))
    var heights: String?

    @Option(help: ArgumentHelp("Constant rate factor, 0 to 51; lower is better and larger.", valueName: "crf"))
    var quality: Double = 23

    @Option(help: "Speed of the encoder: \(TranscodePlanner.presets.joined(separator: ", ")).")
    var preset: String = "medium"

    @Option(help: ArgumentHelp("Nominal segment length; the real one is whole GOPs.", valueName: "seconds"))
    var segmentSeconds: Double = 6

    @Option(
        help: ArgumentHelp(
            "CPU time in a chunk, about; chunks are what --jobs encodes at once and what an interruption repeats.",
            valueName: "seconds"))
    var chunkCpuSeconds: Double = 60

    @Option(help: ArgumentHelp("Seconds from the start of the source to begin at.", valueName: "seconds"))
    var start: Double?

    @Option(help: ArgumentHelp("Seconds to take.", valueName: "seconds"))
    var duration: Double?

    @Flag(help: "Take what can be read of a source that is cut short or damaged.")
    var allowPartial = false

    @Flag(help: "Put a source that already is what a rung asks for into the ladder without encoding it.")
    var copyCompatible = false

    func settings() throws(ClairoError) -> TranscodeSettings {
        var formats: [OutputFormat] = []
        for name in Self.list(format) {
            guard let format = OutputFormat(rawValue: name.lowercased()) else {
                throw .usage("--format \(name) is not known", advice: "Choose from hls, dash and mp4.")
            }
            if !formats.contains(format) { formats.append(format) }
        }
        guard !formats.isEmpty else { throw .usage("--format is empty", advice: "Choose from hls, dash and mp4.") }
        for name in Self.list(codec) where name.lowercased() != "h264" {
            throw .usage("--codec \(name) is not there yet", advice: "This version encodes h264 only.")
        }
        guard !Self.list(codec).isEmpty else { throw .usage("--codec is empty", advice: "Give h264.") }
        guard TranscodePlanner.presets.contains(preset) else {
            throw .usage(
                "--preset \(preset) is not known",
                advice: "Choose from \(TranscodePlanner.presets.joined(separator: ", ")).")
        }
        guard (0...51).contains(quality) else {
            throw .usage(
                "--quality \(quality) is out of range", advice: "Give a number from 0 (largest) to 51 (smallest).")
        }
        guard (1...60).contains(segmentSeconds) else {
            throw .usage("--segment-seconds \(segmentSeconds) is out of range", advice: "Give a number from 1 to 60.")
        }
        guard chunkCpuSeconds > 0, chunkCpuSeconds <= 86_400 else {
            throw .usage(
                "--chunk-cpu-seconds \(chunkCpuSeconds) is out of range", advice: "Give a number from 1 to 86400.")
        }
        if let start, !(start >= 0 && start < 1e7) { throw .usage("--start \(start) must not be negative") }
        if let duration, !(duration > 0 && duration < 1e7) { throw .usage("--duration \(duration) must be above zero") }
        return TranscodeSettings(
            formats: OutputFormat.allCases.filter(formats.contains), heights: try parsedHeights(), quality: quality,
            preset: preset, segmentSeconds: segmentSeconds, chunkCPUSeconds: chunkCpuSeconds,
            start: start.map(Rational.init(seconds:)),
            duration: duration.map(Rational.init(seconds:)), copyCompatible: copyCompatible, allowPartial: allowPartial)
    }

    private func parsedHeights() throws(ClairoError) -> [Int]? {
        guard let heights else { return nil }
        var list: [Int] = []
        for text in Self.list(heights) {
            let digits = text.lowercased().hasSuffix("p") ? String(text.dropLast()) : text
            guard let height = Int(digits), (16...4320).contains(height), height % 2 == 0 else {
                throw .usage(
                    "--heights \(text) is not a height",
                    advice: "Give even numbers from 16 to 4320, such as 1080,720,480.")
            }
            if !list.contains(height) { list.append(height) }
        }
        guard !list.isEmpty else { throw .usage("--heights is empty", advice: "Give heights such as 1080,720,480.") }
        return list.sorted(by: >)
    }

    private static func list(_ text: String) -> [String] {
        text.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }.filter { !$0.isEmpty }
    }
}
