public import Foundation

/// Describes a short clip that Debian's `ffmpeg` generates. Equal clips are generated once per test run.
public struct Clip: Hashable, Sendable {
    public enum Video: Hashable, Sendable {
        /// A moving test pattern with fine and coarse detail.
        case pattern
        /// Each frame shows its index (see `FrameNumbers`).
        case numbers
        /// White for one frame at each of these times in seconds, otherwise black.
        case flashes([Double])
        /// Red, green, blue and white quarters: top left, top right, bottom left, bottom right.
        case quarters
        /// Any lavfi graph.
        case graph(String)
        case none
    }

    public enum Audio: Hashable, Sendable {
        case none
        /// A continuous tone with `channels` channels.
        case tone(channels: Int)
        /// A tone of 40 ms at each of these times. The track only covers `from` to `to`.
        case beeps([Double], from: Double, to: Double)
        /// Any lavfi graph.
        case graph(String)
    }

    public var width: Int
    public var height: Int
    /// In ffmpeg's notation, such as `30000/1001`.
    public var rate: String
    public var seconds: Double
    /// How many times its packets are repeated in the file. A repeated clip takes no longer to generate than a single
    /// one.
    public var repeats: Int
    public var video: Video
    public var audio: Audio
    /// A filter applied to the frames before encoding.
    public var filter: String?
    /// Output options such as a codec, tags or a pixel format. They follow, and override, the defaults.
    public var options: [String]
    /// The matrix of the video track header; MP4 and MOV only.
    public var matrix: DisplayMatrix?
    public var suffix: String

    public init(
        width: Int = 320, height: Int = 180, rate: String = "25", seconds: Double = 4, repeats: Int = 1,
        video: Video = .pattern, audio: Audio = .tone(channels: 2), filter: String? = nil, options: [String] = [],
        matrix: DisplayMatrix? = nil, suffix: String = "mp4"
    ) {
        self.width = width
        self.height = height
        self.rate = rate
        self.seconds = seconds
        self.repeats = repeats
        self.video = video
        self.audio = audio
        self.filter = filter
        self.options = options
        self.matrix = matrix
        self.suffix = suffix
    }

    public var framesPerSecond: Double {
        let parts = rate.split(separator: "/").compactMap { Double($0) }
        return parts.count == 2 ? parts[0] / parts[1] : parts.first ?? 25
    }

    public var frameCount: Int { Int((seconds * framesPerSecond).rounded()) }

    /// Two minutes of 720p. A task with a minute of it takes longer than a test should, so tests stop it.
    public static let long = Clip(width: 1280, height: 720, seconds: 2, repeats: 60)

    /// The clip's file, generated on first use. It is shared and must not be modified.
    public func make() async throws -> URL { try await ClipMaker.shared.clip(self) }
}

/// The matrix of a track header: `x' = a·x + c·y`, `y' = b·x + d·y`, translated back to the origin.
public struct DisplayMatrix: Hashable, Sendable {
    public var a, b, c, d: Int32

    public init(a: Int32, b: Int32, c: Int32, d: Int32) {
        self.a = a
        self.b = b
        self.c = c
        self.d = d
    }
}

actor ClipMaker {
    static let shared = ClipMaker()

    private static let folder = Scratch.root + "/clips"

    private var clips: [Clip: Task<URL, any Error>] = [:]

    func clip(_ clip: Clip) async throws -> URL {
        if let known = clips[clip] { return try await known.value }
        try FileManager.default.createDirectory(atPath: Self.folder, withIntermediateDirectories: true)
        let stem = "\(Self.folder)/clip-\(clips.count)"
        let task = Task { try await Self.make(clip, stem: stem) }
        clips[clip] = task
        return try await task.value
    }

    private static func make(_ clip: Clip, stem: String) async throws -> URL {
        let path = "\(stem).\(clip.suffix)"
        var arguments = ["-v", "error", "-nostdin", "-y"]
        var inputs = 0
        var maps: [String] = []
        let size = "\(clip.width)x\(clip.height)"
        let length = "\(clip.seconds)"
        func add(graph: String) {
            arguments += ["-f", "lavfi", "-i", graph]
            maps += ["-map", "\(inputs)"]
            inputs += 1
        }
        switch clip.video {
        case .none: break
        case .pattern: add(graph: "testsrc2=s=\(size):r=\(clip.rate):d=\(length)")
        case .graph(let graph): add(graph: graph)
        case .quarters:
            add(
                graph: "color=red:s=\(size):r=\(clip.rate):d=\(length),"
                    + "drawbox=x=iw/2:y=0:w=iw/2:h=ih/2:c=lime:t=fill,drawbox=x=0:y=ih/2:w=iw/2:h=ih/2:c=blue:t=fill,"
                    + "drawbox=x=iw/2:y=ih/2:w=iw/2:h=ih/2:c=white:t=fill")
        case .flashes(let instants):
            let frame = 1 / clip.framesPerSecond
            let when = instants.map { "between(t,\($0 - frame / 4),\($0 + frame / 2))" }.joined(separator: "+")
            add(graph: "color=black:s=\(size):r=\(clip.rate):d=\(length),drawbox=c=white:t=fill:enable='\(when)'")
        case .numbers:
            let raw = "\(stem).gray"
            try FrameNumbers.write(clip.frameCount, width: clip.width, height: clip.height, to: raw)
            arguments += ["-f", "rawvideo", "-pix_fmt", "gray", "-s", size, "-r", clip.rate, "-i", raw]
            maps += ["-map", "\(inputs)"]
            inputs += 1
        }
        switch clip.audio {
        case .none: break
        case .tone(let channels):
            let tones = (0..<channels).map { "0.3*sin(\(440 + 110 * $0)*2*PI*t)" }.joined(separator: "|")
            add(graph: "aevalsrc='\(tones)':s=48000:d=\(length)")
        case .graph(let graph): add(graph: graph)
        case .beeps(let instants, let from, let to):
            let tone = instants.map { "between(t,\($0 - from),\($0 - from + 0.04))" }.joined(separator: "+")
            if from > 0 { arguments += ["-itsoffset", "\(from)"] }
            add(graph: "aevalsrc='0.8*sin(1000*2*PI*t)*(\(tone))':s=48000:d=\(to - from)")
        }
        if let filter = clip.filter { arguments += ["-vf", filter] }
        arguments += maps
        if clip.video != .none {
            arguments += ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-pix_fmt", "yuv420p"]
        }
        if clip.video == .numbers {
            // Padded to a constant bit rate, so that caps derived from the source's bit rate do not influence tests.
            arguments += [
                "-b:v", "2M", "-minrate", "2M", "-maxrate", "2M", "-bufsize", "1M", "-x264-params", "nal-hrd=cbr",
            ]
        }
        if clip.audio != .none, clip.suffix != "wav" { arguments += ["-c:a", "aac"] }
        let outcome = try await ChildProcess("ffmpeg", arguments + clip.options + [path]).outcome()
        guard outcome.status == 0 else { throw ClipFailed(reason: outcome.errors) }
        if clip.repeats > 1 { try await repeatPackets(of: path, clip.repeats) }
        if let matrix = clip.matrix { try matrix.write(into: path, width: clip.width, height: clip.height) }
        return URL(fileURLWithPath: path)
    }

    private static func repeatPackets(of path: String, _ count: Int) async throws {
        let single = path + ".single"
        try FileManager.default.moveItem(atPath: path, toPath: single)
        let outcome = try await ChildProcess(
            "ffmpeg", ["-v", "error", "-nostdin", "-stream_loop", "\(count - 1)", "-i", single, "-c", "copy", path]
        ).outcome()
        guard outcome.status == 0 else { throw ClipFailed(reason: outcome.errors) }
    }
}

struct ClipFailed: Error {
    var reason: String
}

extension DisplayMatrix {
    struct NoTrackHeader: Error {}

    /// Writes the matrix into the first track header of an MP4 (ISO/IEC 14496-12, 8.3.2).
    func write(into path: String, width: Int, height: Int) throws {
        var file = try Data(contentsOf: URL(fileURLWithPath: path))
        guard let box = file.range(of: Data("tkhd".utf8)), file[box.upperBound] == 0 else { throw NoTrackHeader() }
        // Translates the frame back to the origin.
        let (w, h) = (Int32(width), Int32(height))
        let x = max(0, -(a * w)) + max(0, -(c * h))
        let y = max(0, -(b * w)) + max(0, -(d * h))
        let one: Int32 = 1 << 16
        let values: [Int32] = [a * one, b * one, 0, c * one, d * one, 0, x * one, y * one, 1 << 30]
        let bytes = values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) } }
        let start = box.upperBound + 40
        file.replaceSubrange(start..<start + bytes.count, with: bytes)
        try file.write(to: URL(fileURLWithPath: path))
    }
}
