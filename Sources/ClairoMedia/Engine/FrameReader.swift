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
            let reader = try open()
            try reader.demuxer.seek(stream: video.streamIndex, to: seek)
            if try decode(reader, frames: frames, mustStartBy: frames.lowerBound, threads: threads, body) { return }
            // The seek went too far, or to a frame that is no key frame: start again from the beginning.
        }
        _ = try decode(open(), frames: frames, mustStartBy: nil, threads: threads, body)
    }

    private func open() throws -> SourceReader {
        let reader = try SourceReader(source, limits: limits, interrupt: control.interrupt, parts: plan.parts)
        reader.select(tracks: [video.streamIndex])
        return reader
    }

    /// Whether a frame has a size that filters accept. Damaged parameter sets may declare any size for a few frames.
    private func isPlausible(_ frame: Frame) -> Bool {
        let least = min(16, video.source?.codedSize.shortSide ?? 16)
        return min(frame.width, frame.height) >= least
    }

    /// - Parameter mustStartBy: If the first source frame is after this output frame, nothing is passed on.
    /// - Returns: Whether decoding began early enough.
    private func decode(
        _ reader: SourceReader, frames: Range<Int>, mustStartBy: Int?, threads: Int32,
        _ body: (Frame, Range<Int>) throws -> Void
    ) throws -> Bool {
        let hasSought = mustStartBy != nil
        var packets = CorrectedPackets(
            reader, track: video.streamIndex, corrections: plan.corrections?[video.streamIndex],
            isFromStart: !hasSought)
        var decoders = TrackDecoder(
            reader, track: video.streamIndex, of: plan.source.name, threads: threads, named: video.source?.decoder)
        var timeline = FrameTimeline(
            frames: frames, origin: plan.origin, grid: video.grid, placement: video.placement ?? .times)
        var times = video.placement == .sortedTimes ? SortedTimes(delay: video.sortedTimeDelay ?? 0) : nil
        // The frame before, which the deinterlacer needs if it is made later.
        var previous: Frame?
        // Made for the first interlaced frame. It returns other frames unchanged.
        var deinterlacer: Deinterlacer?
        var counts = RunCounts(frames: frames, grid: video.grid, control: control)
        var hasKeyFrame = false
        var implausible = 0
        // After a seek, frames before the first needed one may lack their references. They are not shown.
        var isChecked = !hasSought
        var isLate = false

        func countErrors() {
            let start = hasSought ? -1 : frames.lowerBound
            counts.countErrors(
                decoders.errorCount + implausible, at: timeline.lastPosition.map { $0 + 1 } ?? start)
        }

        /// Counts what the timeline returned, before it is passed on: the encoder that writes a segment reads the counts.
        func count(shown: Int, from start: Int, to position: Int) {
            if timeline.shownCount > shown { counts.countShown(at: start) }
            if timeline.isComplete { counts.closeAll() } else { counts.close(before: position) }
        }

        func take(_ frame: Frame, pts: Int64?, timeBase: Ratio) throws {
            let position = timeline.position(pts: pts, timeBase: Rational(timeBase))
            if let mustStartBy, timeline.isEmpty, position > mustStartBy {
                isLate = true
                return
            }
            if !isChecked, position >= frames.lowerBound {
                guard hasKeyFrame else {
                    isLate = true
                    return
                }
                isChecked = true
            }
            countErrors()
            counts.countDecoded(at: position)
            let (start, shownBefore) = (timeline.lastPosition ?? 0, timeline.shownCount)
            let output = timeline.replaceCurrent(with: frame, at: position)
            count(shown: shownBefore, from: start, to: position)
            if let (shown, range) = output { try body(shown, range) }
        }

        func drain(_ decoder: Decoder) throws {
            while !isLate, case .value(let frame) = try control.clock.measure(.decode, { try decoder.receive() }) {
                guard isPlausible(frame) else {
                    implausible += 1
                    continue
                }
                hasKeyFrame = hasKeyFrame || frame.isKey
                if frame.isInterlaced, deinterlacer == nil {
                    deinterlacer = Deinterlacer(timeBase: decoder.timeBase, after: previous)
                }
                previous = frame
                let pts = times == nil ? frame.pts : times?.next(own: frame.containerPTS)
                if let deinterlacer {
                    for (output, pts) in try control.clock.measure(
                        .conform, { try deinterlacer.process(frame, pts: pts) })
                    {
                        try take(output, pts: pts, timeBase: deinterlacer.outputTimeBase)
                    }
                } else {
                    try take(frame, pts: pts, timeBase: decoder.timeBase)
                }
            }
        }

        func finish(_ decoder: Decoder) throws {
            try control.clock.measure(.decode) { try decoder.send(nil) }
            try drain(decoder)
        }

        var isAtEnd = false
        while !timeline.isComplete, !isLate {
            let next = try packets.next(control)
            if let ended = decoders.ended(before: next) {
                try finish(ended)
                times?.removeAll()
            }
            let decoder = try decoders.decoder(for: next)
            guard let packet = next?.packet else {
                isAtEnd = true
                try finish(decoder)
                if let deinterlacer, !isLate {
                    for (output, pts) in try deinterlacer.finish() {
                        try take(output, pts: pts, timeBase: deinterlacer.outputTimeBase)
                    }
                }
                break
            }
            let errors = decoder.errorCount
            try control.clock.measure(.decode) { try decoder.send(packet) }
            if decoder.errorCount == errors { times?.add(packet.dts ?? packet.pts) }
            try drain(decoder)
        }
        if isLate { return false }
        // After a seek, nothing is known about what is before.
        let covered = hasSought && timeline.isEmpty ? frames.lowerBound : timeline.coveredFrames
        let wanted = min(video.sourceFrameCount, frames.upperBound)
        if isAtEnd, covered < wanted - Self.missingFramesTolerated { throw SourceEndedEarly(coveredFrames: covered) }
        countErrors()
        let (start, shownBefore) = (timeline.lastPosition ?? 0, timeline.shownCount)
        let last = timeline.finish()
        count(shown: shownBefore, from: start, to: frames.upperBound)
        counts.closeAll()
        if let (shown, range) = last { try body(shown, range) }
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

/// Gives decoded frames the times of the packets in ascending order: decoders return frames in the order in which they
/// are shown.
struct SortedTimes {
    private let delay: Int64
    private var times: [Int64] = []

    /// - Parameter delay: The ticks from decoding to presentation.
    init(delay: Int64 = 0) { self.delay = delay }

    mutating func add(_ time: Int64?) {
        guard let time else { return }
        // Times ascend except for reordering, so the place is near the end.
        var index = times.endIndex
        while index > 0, times[index - 1] > time { index -= 1 }
        times.insert(time, at: index)
    }

    /// Forgets the times of frames that the decoder has left out at its end.
    mutating func removeAll() { times = [] }

    /// - Parameter own: The frame's presentation time, if the container has one. A decoder leaves out frames whose
    ///   references are missing, and their times are skipped. Without a delay (AVI) such times are wrong.
    mutating func next(own: Int64? = nil) -> Int64? {
        if delay > 0, let own {
            while times.count > 1, let time = times[1].addingChecked(delay), time <= own { times.removeFirst() }
        }
        return times.isEmpty ? nil : times.removeFirst().addingChecked(delay)
    }
}

/// Maps source frames to frames of the output grid. Each is held until the next one determines how long it is shown.
struct FrameTimeline {
    private let frames: Range<Int>
    private let origin: Rational
    private let grid: SegmentGrid
    private let placement: FramePlacement
    private var current: (frame: Frame, position: Int)?
    /// The position of the last frame, which is the current one; nil before the first.
    private(set) var lastPosition: Int?

    /// With `FramePlacement.order`, a frame is shown at most this many frames later than its time, so that a source
    /// with a faster clock does not run away.
    static let mostDelay = 2

    init(frames: Range<Int>, origin: Rational, grid: SegmentGrid, placement: FramePlacement = .times) {
        self.placement = placement
        self.frames = frames
        self.origin = origin
        self.grid = grid
    }

    var isEmpty: Bool { lastPosition == nil }
    /// The number of source frames that begin within the requested frames and were returned.
    private(set) var shownCount = 0
    /// Whether all requested frames have been returned.
    private(set) var isComplete = false

    var coveredFrames: Int { max(0, (lastPosition ?? -1) + 1) }

    /// The output frame at which a source frame begins. A frame without a timestamp follows the previous one.
    func position(pts: Int64?, timeBase: Rational) -> Int {
        guard let pts else { return (lastPosition ?? -1) + 1 }
        let position = grid.frame(at: Rational(pts) * timeBase, origin: origin)
        return Self.ordered(position, after: lastPosition ?? -1, placement)
    }

    /// The position of a frame after the last one, if frames are not placed by their times alone: the next one, if that
    /// is near its own. A frame that jitters is shown at most one frame early.
    static func ordered(_ position: Int, after last: Int, _ placement: FramePlacement) -> Int {
        let next = last + 1
        guard placement != .times, next - position <= mostDelay else { return position }
        return max(next, placement == .order ? position - 1 : position)
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
        guard !range.isEmpty, range.lowerBound < frames.upperBound else { return nil }
        if current != nil { count(start) }
        return (shown, range)
    }

    /// Returns the last source frame, shown until the end of the requested frames.
    mutating func finish() -> (Frame, Range<Int>)? {
        defer { current = nil }
        guard let current, !isComplete else { return nil }
        let start = max(current.position, frames.lowerBound)
        guard start < frames.upperBound else { return nil }
        count(current.position)
        return (current.frame, start..<frames.upperBound)
    }

    /// A frame that is held from before the requested frames counts where it begins.
    private mutating func count(_ position: Int) {
        if position >= frames.lowerBound || frames.lowerBound == 0 { shownCount += 1 }
    }
}

/// Deinterlaces frames, one output frame for each input frame.
final class Deinterlacer {
    private let timeBase: Ratio
    private var graph: FilterGraph?
    private var shape: [Int] = []
    private var nextPTS: Int64 = 0
    private var skipped = 0

    /// The frame before the first one. It is not returned.
    private var before: Frame?

    init(timeBase: Ratio, after before: Frame? = nil) {
        self.timeBase = timeBase
        self.before = before
    }

    var outputTimeBase: Ratio { graph?.timeBase(output: 0) ?? timeBase }

    func process(_ frame: Frame, pts known: Int64?) throws -> [(Frame, Int64?)] {
        let current = Self.shape(of: frame)
        var outputs: [(Frame, Int64?)] = []
        if graph == nil || current != shape {
            outputs = try finish()
            graph = try FilterGraph(
                video: "[in]bwdif=mode=send_frame:parity=auto:deint=interlaced[out0]", like: frame, timeBase: timeBase,
                outputs: 1)
            shape = current
            if let before, Self.shape(of: before) == current {
                try graph?.push(before, pts: (known ?? nextPTS) &- max(before.duration, 1))
                skipped = 1
            }
            before = nil
        }
        let pts = known ?? nextPTS
        nextPTS = pts.addingChecked(max(frame.duration, 1)) ?? pts
        try graph?.push(frame, pts: pts)
        return try outputs + pull()
    }

    private static func shape(of frame: Frame) -> [Int] {
        [frame.width, frame.height, Int(frame.format), Int(frame.colorMatrix), frame.isFullRange ? 1 : 0]
    }

    /// Returns the frame that was still waiting for its successor.
    func finish() throws -> [(Frame, Int64?)] {
        guard graph != nil else { return [] }
        try graph?.push(nil)
        return try pull()
    }

    private func pull() throws -> [(Frame, Int64?)] {
        var outputs: [(Frame, Int64?)] = []
        while let graph, case .value(let output) = try graph.pull() {
            if skipped > 0 { skipped -= 1 } else { outputs.append((output, output.pts)) }
        }
        return outputs
    }
}
