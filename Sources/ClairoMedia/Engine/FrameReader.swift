internal import ClairoCore
internal import Libav

/// Decodes a run of the source and says for each picture at which frames of the output grid it is shown.
///
/// Picture at time `t` belongs to frame `round((t - origin) · rate)` and is shown until the next one begins. Which picture is
/// shown at frame `k` therefore depends on the source alone and not on where decoding began, so chunks join without a
/// seam. Variable rates become constant the same way: pictures are repeated or left out.
struct FrameReader {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let video: VideoPlan
    let control: JobControl

    /// A codec may owe the last picture or two of a sound file; more than this is a source that ends early.
    private static let missingFramesTolerated = 3

    /// Reads the pictures for `frames` and gives each with its frames to `body`.
    /// - Parameter seek: where the demuxer is to go first, from the plan's chunk.
    func read(
        frames: Range<Int>, seek: Int64?, threads: Int32, _ body: (Frame, Range<Int>) throws -> Void
    ) throws {
        if let seek {
            let demuxer = try open()
            try demuxer.seek(stream: video.streamIndex, to: seek)
            if try decode(demuxer, frames: frames, mustStartBy: frames.lowerBound, threads: threads, body) { return }
            // The index pointed behind the place: start over from the beginning.
        }
        _ = try decode(open(), frames: frames, mustStartBy: nil, threads: threads, body)
    }

    private func open() throws -> Demuxer {
        let demuxer = try Demuxer(
            SourceBytes(source), options: limits.demuxerOptions, interrupt: control.interrupt)
        demuxer.select(streams: [video.streamIndex])
        return demuxer
    }

    /// - Parameter mustStartBy: if the first picture lies behind this frame, nothing is given out.
    /// - Returns: whether decoding began early enough.
    private func decode(
        _ demuxer: Demuxer, frames: Range<Int>, mustStartBy: Int?, threads: Int32,
        _ body: (Frame, Range<Int>) throws -> Void
    ) throws -> Bool {
        let decoder = try demuxer.openDecoder(stream: video.streamIndex, of: plan.source.name, threads: threads)
        var timeline = FrameTimeline(frames: frames, origin: plan.origin, grid: video.grid)
        let deinterlacer = video.deinterlace ? Deinterlacer(timeBase: decoder.timeBase) : nil
        var decodedCount = 0
        // After a seek, pictures before the first that is wanted may lack their references; nobody sees them.
        var unseen: (frames: Int, errors: Int)?
        var isLate = false

        func take(_ frame: Frame, pts: Int64?, timeBase: Ratio) throws {
            let position = timeline.position(pts: pts, timeBase: Rational(timeBase))
            if let mustStartBy, timeline.isEmpty, position > mustStartBy {
                isLate = true
                return
            }
            if mustStartBy != nil, unseen == nil, position >= frames.lowerBound {
                unseen = (decodedCount - 1, decoder.errorCount)
            }
            if let (shown, range) = timeline.replaceCurrent(with: frame, at: position) { try body(shown, range) }
        }

        func drain() throws {
            while !isLate, case .value(let frame) = try control.clock.measure(.decode, { try decoder.receive() }) {
                decodedCount += 1
                if let deinterlacer {
                    for (output, pts) in try control.clock.measure(.conform, { try deinterlacer.process(frame) }) {
                        try take(output, pts: pts, timeBase: deinterlacer.outputTimeBase)
                    }
                } else {
                    try take(frame, pts: frame.pts, timeBase: decoder.timeBase)
                }
            }
        }

        var isAtEnd = false
        while !timeline.isComplete, !isLate {
            guard let packet = try demuxer.nextReadable(control) else {
                isAtEnd = true
                try control.clock.measure(.decode) { try decoder.send(nil) }
                try drain()
                if let deinterlacer, !isLate {
                    for (output, pts) in try deinterlacer.finish() {
                        try take(output, pts: pts, timeBase: deinterlacer.outputTimeBase)
                    }
                }
                break
            }
            guard packet.streamIndex == video.streamIndex else { continue }
            try control.clock.measure(.decode) { try decoder.send(packet) }
            try drain()
        }
        if isLate { return false }
        control.countDecoded(
            frames: decodedCount - (unseen?.frames ?? 0), damaged: decoder.errorCount - (unseen?.errors ?? 0))
        let covered = timeline.coveredFrames
        let wanted = min(video.sourceFrameCount, frames.upperBound)
        if isAtEnd, covered < wanted - Self.missingFramesTolerated { throw SourceEndedEarly(coveredFrames: covered) }
        if let (shown, range) = timeline.finish() { try body(shown, range) }
        return true
    }
}

/// Decoding ended before the frames that the packets promised.
struct SourceEndedEarly: Error {
    /// Frames of the grid that decoded pictures cover, counted from 0.
    var coveredFrames: Int

    /// In words for people, where what is missing may not be left out.
    /// - Parameters:
    ///   - length: of what there should be, in seconds.
    ///   - start: frame at which decoding began.
    func error(of plan: Plan, length: Double, start: Int = 0) -> ClairoError {
        func time(_ frame: Int) -> String {
            clock(Double(frame) / (plan.video?.grid.frameRate ?? Rational(25)).doubleValue)
        }
        let found =
            coveredFrames > 0 || start == 0
            ? "\(time(coveredFrames)) of \(clock(length)) can be decoded"
            : "nothing can be decoded from \(time(start)) of \(clock(length)) on"
        return .badMedia(
            "\(plan.source.name) ends early: \(found)",
            advice: coveredFrames > 0 && !plan.settings.allowPartial
                ? "Give --allow-partial (in a profile: allow-partial) to transcode what can be read." : nil)
    }
}

/// Assigns pictures to frames of the output grid. One picture is held back until the next tells how long it is shown.
struct FrameTimeline {
    private let frames: Range<Int>
    private let origin: Rational
    private let grid: SegmentGrid
    private var current: (frame: Frame, position: Int)?
    private var lastPosition: Int?

    init(frames: Range<Int>, origin: Rational, grid: SegmentGrid) {
        self.frames = frames
        self.origin = origin
        self.grid = grid
    }

    var isEmpty: Bool { lastPosition == nil }
    /// Whether every frame that was asked for has been given out.
    private(set) var isComplete = false

    var coveredFrames: Int { max(0, (lastPosition ?? -1) + 1) }

    /// The frame at which a picture begins; one without a time follows the one before.
    func position(pts: Int64?, timeBase: Rational) -> Int {
        guard let pts else { return (lastPosition ?? -1) + 1 }
        return grid.frame(at: Rational(pts) * timeBase, origin: origin)
    }

    /// Makes `frame` the current picture and returns the one before with the frames it is shown at, if any are wanted.
    mutating func replaceCurrent(with frame: Frame, at position: Int) -> (Frame, Range<Int>)? {
        // Time does not run backwards on our side; such a picture is left out.
        if let lastPosition, position < lastPosition { return nil }
        defer {
            current = (frame, position)
            lastPosition = position
        }
        // The first picture is shown from the start, however late it comes.
        let start = current?.position ?? frames.lowerBound
        let shown = current?.frame ?? frame
        let range = max(start, frames.lowerBound)..<max(min(position, frames.upperBound), max(start, frames.lowerBound))
        if position >= frames.upperBound { isComplete = true }
        return range.isEmpty || range.lowerBound >= frames.upperBound ? nil : (shown, range)
    }

    /// The last picture, shown to the end of what was asked for.
    mutating func finish() -> (Frame, Range<Int>)? {
        defer { current = nil }
        guard let current, !isComplete else { return nil }
        let start = max(current.position, frames.lowerBound)
        return start < frames.upperBound ? (current.frame, start..<frames.upperBound) : nil
    }
}

/// Makes whole pictures of fields, one for each picture that comes in.
final class Deinterlacer {
    private let timeBase: Ratio
    private var graph: FilterGraph?
    private var shape: [Int] = []
    private var nextPTS: Int64 = 0

    init(timeBase: Ratio) { self.timeBase = timeBase }

    var outputTimeBase: Ratio { graph?.timeBase(output: 0) ?? timeBase }

    func process(_ frame: Frame) throws -> [(Frame, Int64?)] {
        let current = [
            frame.width, frame.height, Int(frame.format), Int(frame.colorMatrix), frame.isFullRange ? 1 : 0,
        ]
        var outputs: [(Frame, Int64?)] = []
        if graph == nil || current != shape {
            outputs = try finish()
            graph = try FilterGraph(
                video: "[in]bwdif=mode=send_frame:parity=auto:deint=interlaced[out0]", like: frame, timeBase: timeBase,
                outputs: 1)
            shape = current
        }
        let pts = frame.pts ?? nextPTS
        nextPTS = pts + max(frame.duration, 1)
        try graph?.push(frame, pts: pts)
        return try outputs + pull()
    }

    /// The picture that waits for a successor.
    func finish() throws -> [(Frame, Int64?)] {
        guard graph != nil else { return [] }
        try graph?.push(nil)
        return try pull()
    }

    private func pull() throws -> [(Frame, Int64?)] {
        var outputs: [(Frame, Int64?)] = []
        while let graph, case .value(let output) = try graph.pull() { outputs.append((output, output.pts)) }
        return outputs
    }
}
