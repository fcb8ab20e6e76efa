internal import ClairoCore
internal import Libav

/// Decodes a run of the source and maps each source frame to the frames of the output grid that show it.
///
/// A source frame at time `t` begins at output frame `round((t - origin) · rate)` and is shown until the next one
/// begins. So the source frame at output frame `k` depends on the source alone, not on where decoding began, and chunks
/// join seamlessly. Variable frame rates become constant in the same way: source frames are repeated or dropped.
struct FrameReader {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let video: VideoPlan
    let control: JobControl

    /// A decoder may not return the last frame or two of an intact file. If more are missing, the source ended early.
    private static let missingFramesTolerated = 3

    /// Reads the source frames for the output frames `frames` and passes each to `body` with the output frames that
    /// show it.
    /// - Parameter seek: The timestamp to seek to first, from the chunk in the plan.
    func read(
        frames: Range<Int>, seek: Int64?, threads: Int32, _ body: (Frame, Range<Int>) throws -> Void
    ) throws {
        if let seek {
            let demuxer = try open()
            try demuxer.seek(stream: video.streamIndex, to: seek)
            if try decode(demuxer, frames: frames, mustStartBy: frames.lowerBound, threads: threads, body) { return }
            // The seek went too far: start again from the beginning.
        }
        _ = try decode(open(), frames: frames, mustStartBy: nil, threads: threads, body)
    }

    private func open() throws -> Demuxer {
        let demuxer = try Demuxer(
            SourceBytes(source), options: limits.demuxerOptions, interrupt: control.interrupt)
        demuxer.select(streams: [video.streamIndex])
        return demuxer
    }

    /// - Parameter mustStartBy: If the first source frame is after this output frame, nothing is passed on.
    /// - Returns: Whether decoding began early enough.
    private func decode(
        _ demuxer: Demuxer, frames: Range<Int>, mustStartBy: Int?, threads: Int32,
        _ body: (Frame, Range<Int>) throws -> Void
    ) throws -> Bool {
        let decoder = try demuxer.openDecoder(stream: video.streamIndex, of: plan.source.name, threads: threads)
        var timeline = FrameTimeline(frames: frames, origin: plan.origin, grid: video.grid)
        let deinterlacer = video.deinterlace ? Deinterlacer(timeBase: decoder.timeBase) : nil
        var decodedCount = 0
        // After a seek, frames before the first needed one may lack their references. They are not shown.
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

/// The decoder returned fewer frames than the packets declared.
struct SourceEndedEarly: Error {
    /// The number of output frames, from 0, that decoded frames cover.
    var coveredFrames: Int

    /// The error to report if partial output is not allowed.
    /// - Parameters:
    ///   - length: The expected length in seconds.
    ///   - start: The output frame at which decoding began.
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

/// Maps source frames to frames of the output grid. Each is held until the next one determines how long it is shown.
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
    /// Whether all requested frames have been returned.
    private(set) var isComplete = false

    var coveredFrames: Int { max(0, (lastPosition ?? -1) + 1) }

    /// The output frame at which a source frame begins. A frame without a timestamp follows the previous one.
    func position(pts: Int64?, timeBase: Rational) -> Int {
        guard let pts else { return (lastPosition ?? -1) + 1 }
        return grid.frame(at: Rational(pts) * timeBase, origin: origin)
    }

    /// Makes `frame` the current frame and returns the previous one with the output frames that show it, if any are
    /// needed.
    mutating func replaceCurrent(with frame: Frame, at position: Int) -> (Frame, Range<Int>)? {
        // Output time never goes backwards, so the frame is dropped.
        if let lastPosition, position < lastPosition { return nil }
        defer {
            current = (frame, position)
            lastPosition = position
        }
        // The first source frame is shown from the start, however late it begins.
        let start = current?.position ?? frames.lowerBound
        let shown = current?.frame ?? frame
        let range = max(start, frames.lowerBound)..<max(min(position, frames.upperBound), max(start, frames.lowerBound))
        if position >= frames.upperBound { isComplete = true }
        return range.isEmpty || range.lowerBound >= frames.upperBound ? nil : (shown, range)
    }

    /// Returns the last source frame, shown until the end of the requested frames.
    mutating func finish() -> (Frame, Range<Int>)? {
        defer { current = nil }
        guard let current, !isComplete else { return nil }
        let start = max(current.position, frames.lowerBound)
        return start < frames.upperBound ? (current.frame, start..<frames.upperBound) : nil
    }
}

/// Deinterlaces frames, one output frame for each input frame.
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

    /// Returns the frame that was still waiting for its successor.
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
