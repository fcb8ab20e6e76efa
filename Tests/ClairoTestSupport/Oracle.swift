public import Foundation

/// Debian's ffmpeg and ffprobe as an independent check of the output.
public enum Oracle {
    public struct Refused: Error, CustomStringConvertible {
        public var command: String
        public var reason: String
        public var description: String { "\(command): \(reason)" }
    }

    @discardableResult
    private static func run(_ program: String, _ arguments: [String]) async throws -> ChildProcess.Outcome {
        let process = try ChildProcess(program, arguments)
        let outcome = try await process.outcome()
        guard outcome.status == 0 else { throw Refused(command: process.command, reason: outcome.errors) }
        return outcome
    }

    // MARK: Decoding

    /// All frames of the first video stream as raw data, without duplicating or dropping any.
    public static func frames(
        _ path: String, filter: String = "null", format: String, options: [String] = []
    ) async throws -> Data {
        try await run(
            "ffmpeg",
            ["-v", "error", "-nostdin", "-i", path, "-map", "0:v:0"] + options + [
                "-vf", filter, "-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", format, "-",
            ]
        ).output
    }

    /// The first frame, scaled, as RGB bytes.
    public static func firstFrame(_ path: String, width: Int, height: Int) async throws -> [[UInt8]] {
        let bytes = [UInt8](
            try await frames(
                path, filter: "scale=\(width):\(height):flags=area", format: "rgb24", options: ["-frames:v", "1"]))
        return stride(from: 0, to: bytes.count, by: 3).map { Array(bytes[$0..<$0 + 3]) }
    }

    /// What some players do with MP4.
    private static func input(_ path: String, ignoresEditLists: Bool) -> [String] {
        (ignoresEditLists ? ["-ignore_editlist", "1"] : []) + ["-copyts", "-i", path]
    }

    /// Times on the file's timeline at which the brightness of the whole frame rises above the middle.
    public static func flashes(_ path: String, ignoresEditLists: Bool = false) async throws -> [Double] {
        let text = try await run(
            "ffmpeg",
            ["-v", "error", "-nostdin"] + input(path, ignoresEditLists: ignoresEditLists) + [
                "-map", "0:v:0", "-vf",
                "signalstats,metadata=mode=print:key=lavfi.signalstats.YAVG:file=-", "-fps_mode", "passthrough", "-f",
                "null",
                "/dev/null",
            ]
        ).text
        var instants: [Double] = []
        var time = 0.0
        var wasBright = false
        for line in text.split(separator: "\n") {
            if let range = line.range(of: "pts_time:") {
                time = Double(line[range.upperBound...].prefix { !$0.isWhitespace }) ?? -1
            } else if let range = line.range(of: "YAVG=") {
                let isBright = (Double(line[range.upperBound...]) ?? 0) > 125
                if isBright, !wasBright { instants.append(time) }
                wasBright = isBright
            }
        }
        return instants
    }

    /// Audio samples from time 0 of the file's timeline, at 48 kHz, one array per channel.
    public static func samples(
        _ path: String, channels: Int = 1, ignoresEditLists: Bool = false
    ) async throws -> [[Float]] {
        let data = try await run(
            "ffmpeg",
            ["-v", "error", "-nostdin"] + input(path, ignoresEditLists: ignoresEditLists) + [
                "-map", "0:a:0", "-af",
                "aresample=48000:async=1:first_pts=0", "-ac",
                "\(channels)", "-f", "f32le", "-",
            ]
        ).output
        let interleaved = data.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }
        return (0..<channels).map { channel in
            stride(from: channel, to: interleaved.count, by: channels).map { interleaved[$0] }
        }
    }

    /// Integrated loudness in LUFS and true peak in dBTP by ffmpeg's `ebur128`.
    public static func loudness(_ path: String) async throws -> (integrated: Double, truePeak: Double) {
        let text = try await run(
            "ffmpeg",
            [
                "-v", "error", "-nostdin", "-i", path, "-map", "0:a:0", "-af",
                "ebur128=metadata=1:peak=true,ametadata=mode=print:file=-", "-f", "null", "/dev/null",
            ]
        ).text
        var (integrated, peak) = (0.0, 0.0)
        for line in text.split(separator: "\n") {
            let value = line.split(separator: "=").last.flatMap { Double($0) } ?? 0
            if line.hasPrefix("lavfi.r128.I=") { integrated = value }
            if line.hasPrefix("lavfi.r128.true_peaks_ch") { peak = max(peak, value) }
        }
        return (integrated, 20 * log10(peak))
    }

    /// Times at which audio starts after a tenth of a second of silence.
    public static func beeps(_ path: String, ignoresEditLists: Bool = false) async throws -> [Double] {
        var instants: [Double] = []
        var silence = 4800
        for (index, sample) in try await samples(path, ignoresEditLists: ignoresEditLists)[0].enumerated() {
            if abs(sample) > 0.2 {
                if silence >= 4800 { instants.append(Double(index) / 48_000) }
                silence = 0
            } else {
                silence += 1
            }
        }
        return instants
    }

    /// Decodes everything and returns the decoder's warnings.
    public static func complaints(_ path: String) async throws -> String {
        try await run("ffmpeg", ["-v", "warning", "-nostdin", "-i", path, "-map", "0", "-f", "null", "-"]).errors
    }

    // MARK: Probing

    /// One section of ffprobe's output, each entry as its fields.
    public static func probe(_ path: String, _ section: String, _ arguments: String...) async throws -> [[String:
        String]]
    {
        let text = try await run(
            "ffprobe", ["-v", "error", "-of", "json", "-show_\(section)"] + arguments + [path]
        ).output
        let object = try JSONSerialization.jsonObject(with: text) as? [String: Any]
        return (object?[section] as? [[String: Any]] ?? []).map { $0.mapValues { "\($0)" } }
    }
}
