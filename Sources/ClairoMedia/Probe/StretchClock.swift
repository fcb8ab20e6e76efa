internal import ClairoCore

/// Finds the stretches of a source: parts with one clock each. Fed with the packets of all audio and video streams in
/// file order, it notices where a clock restarts or jumps, and joins the parts.
///
/// A stream that leaves its clock either follows another stream to a new clock, so that both stay in step, or begins a
/// new stretch. A few packets after which a stream returns to its earlier clock have damaged times. Times that a stream
/// had already in a stretch are no return to it, but a clock that restarted again.
///
/// The streams of each of several joined files have a clock of their own, unless it goes on from the file before.
struct StretchClock {
    /// A clock that runs back by more than this, in seconds, begins a new stretch. Less is jitter.
    private static let backwards = 0.2
    /// A stream joins a stretch whose latest time is at most this far away, in seconds.
    private static let together = 5.0
    /// A stream that returns to a stretch continues it within this time, in seconds.
    private static let continuing = 0.5
    /// At most this many packets of a stretch that its stream leaves again have damaged times.
    private static let fewPackets = 3
    /// More breaks than this are damage; all later ones are ignored.
    private static let mostStretches = 1000
    /// The same for the changes of one stream from stretch to stretch.
    private static let mostRuns = 1000

    /// A gap in which no stream sends anything, in seconds. A longer one begins a new stretch.
    let longestGap: Double

    /// The packets of one stream in one stretch, in ticks of the stream.
    private struct Span {
        var start: Int64
        var end: Int64
        /// The latest decoding time, in seconds.
        var front: Double
        /// The presentation time of the first key frame; for video only.
        var key: Int64?

        mutating func extend(from start: Int64, to end: Int64, at time: Double, isKey: Bool) {
            self.start = min(self.start, start)
            self.end = max(self.end, end)
            front = max(front, time)
            if isKey, key == nil { key = start }
        }
    }

    private struct Stretch {
        var owner: Int
        /// The file of the last packet.
        var file: Int
        /// The latest decoding time of any stream, in seconds.
        var front: Double
        var packets = 0
        var spans: [Int: Span] = [:]
        /// Where the owner's first packet was expected, in ticks, and the stretch that it left.
        var expected: Int64 = 0
        var before: Int?
        /// Whether it continues the stretch before after a pause, unless its owner goes back there.
        var keepsPause = false
        /// Whether the owner went back to an older stretch.
        var wasLeft = false
        /// Whether it is no stretch, but a few packets with damaged times.
        var isDamaged: Bool { before != nil && wasLeft && packets <= StretchClock.fewPackets }

        mutating func take(
            stream index: Int, from start: Int64, to end: Int64, at time: Double, file: Int, isKey: Bool
        ) {
            self.file = file
            packets += 1
            front = max(front, time)
            spans[index, default: Span(start: start, end: end, front: time)]
                .extend(from: start, to: end, at: time, isKey: isKey)
        }
    }

    private struct Stream {
        var base: Rational
        var seconds: Double
        var stretch: Int
        var file: Int
        /// The decoding time at which the next packet is expected, in ticks; nil before the first one with such a time.
        var expected: Int64?
        /// Each packet that changed the stretch, and the new stretch.
        var runs: [(packet: Int, stretch: Int)]
    }

    private var stretches: [Stretch] = []
    private var streams: [Int: Stream] = [:]

    init(longestGap: Double) { self.longestGap = longestGap }

    /// Takes the next packet.
    /// - Parameters:
    ///   - packet: The number of packets of the stream before it.
    ///   - dts: The decoding time. It may be missing where a container has only presentation times and frames are
    ///     reordered, so that a presentation time says little.
    ///   - joinsGaps: Whether a long gap begins a new stretch, as in recordings of live streams. In other files times
    ///     are what an author wanted.
    ///   - file: The number of the file that it is from, if several were joined.
    mutating func take(
        stream index: Int, packet: Int, base: Rational, pts: Int64, dts: Int64?, duration: Int64, isKey: Bool,
        joinsGaps: Bool, file: Int = 0
    ) {
        let known = streams[index]
        var stream =
            known
            ?? Stream(
                base: base, seconds: base.doubleValue, stretch: max(0, stretches.count - 1), file: file, expected: nil,
                runs: [])
        let time = Double(dts ?? pts) * stream.seconds
        if stretches.isEmpty { stretches.append(Stretch(owner: index, file: file, front: time)) }
        let isNewFile = known.map { $0.file < file } ?? (stretches[stream.stretch].file < file)
        stream.file = file
        if known == nil {
            // In a live recording all clocks run together, so a stream that begins far from the others has another.
            let distance = time - stretches[stream.stretch].front
            if joinsGaps && abs(distance) > longestGap || isNewFile && distance < 0,
                let next = other(than: stream.stretch, near: time, stream: index, file: file)
                    ?? begin(index, at: time, stream, keepsPause: false)
            {
                stream.stretch = next
            }
            stream.runs.append((packet, stream.stretch))
        }
        var jump = stream.expected.map { time - Double($0) * stream.seconds } ?? 0
        // No packet of the file before had a decoding time.
        if isNewFile, known != nil, stream.expected == nil { jump = time - stretches[stream.stretch].front }
        let isSure = dts != nil || abs(jump) > Self.together || isNewFile
        let isBackwards = jump < (isNewFile ? 0 : -Self.backwards)
        let follows = isNewFile && stretches.last?.file == file && stream.stretch < stretches.count - 1
        if isSure, isBackwards || jump > longestGap || follows, stream.runs.count < Self.mostRuns {
            let isBreak = jump < 0 || time - stretches[stream.stretch].front > longestGap
            let keepsPause = jump > 0 && !joinsGaps
            if let next = other(than: stream.stretch, near: time, stream: index, file: file)
                ?? (isBreak ? begin(index, at: time, stream, keepsPause: keepsPause) : nil)
            {
                if next < stream.stretch { stretches[stream.stretch].wasLeft = true }
                stream.stretch = next
                stream.runs.append((packet, next))
            }
        }
        if let dts {
            stream.expected = dts.addingChecked(max(duration, 0)) ?? dts
        } else if stream.stretch != known?.stretch {
            stream.expected = nil
        }
        streams[index] = stream
        let end = pts.addingChecked(max(duration, 0)) ?? pts
        stretches[stream.stretch].take(stream: index, from: pts, to: end, at: time, file: file, isKey: isKey)
    }

    /// Another stretch whose clock is near `time`, and in which the stream was not at this time yet: the newest one that
    /// the stream left here, or else the newest.
    private func other(than current: Int, near time: Double, stream index: Int, file: Int) -> Int? {
        var found: Int?
        for number in stretches.indices.suffix(8).reversed() where number != current {
            let stretch = stretches[number]
            guard stretch.file == file, abs(stretch.front - time) < Self.together else { continue }
            if let front = stretch.spans[index]?.front {
                guard time > front - Self.backwards else { continue }
                if time < front + Self.continuing { return number }
            }
            found = found ?? number
        }
        return found
    }

    private mutating func begin(_ index: Int, at time: Double, _ stream: Stream, keepsPause: Bool) -> Int? {
        guard stretches.count < Self.mostStretches else { return nil }
        var stretch = Stretch(owner: index, file: stream.file, front: time)
        stretch.expected = stream.expected ?? 0
        stretch.keepsPause = keepsPause
        stretch.before = stream.stretch
        stretches.append(stretch)
        return stretches.count - 1
    }

    // MARK: Result

    /// The joined timeline.
    struct Timeline {
        /// By stream: the first packet of each run, and the ticks to add to its times.
        var corrections: [Int: [ClockCorrection]] = [:]
        /// The first packets of runs with damaged times, by stream.
        var damaged: [Int: Set<Int>] = [:]
        /// The times at which the clock broke, in seconds of the joined timeline.
        var breaks: [Double] = []
        /// The start and the end of each stream, in ticks, on the joined timeline.
        var extents: [Int: (start: Int64, end: Int64)] = [:]
    }

    /// Joins the stretches.
    /// - Parameter video: The video stream that continues without a gap; nil for audio alone.
    func timeline(video: Int?) -> Timeline {
        var timeline = Timeline()
        var shifts = [Rational](repeating: .zero, count: stretches.count)
        var ends: [Int: Rational] = [:]
        for (number, stretch) in stretches.enumerated() {
            if stretch.isDamaged, let owner = streams[stretch.owner], let span = stretch.spans[stretch.owner] {
                let moved = Rational(stretch.expected) - Rational(span.start)
                shifts[number] = moved * owner.base + (stretch.before.map { shifts[$0] } ?? .zero)
                continue
            }
            let isPause = stretch.keepsPause && !stretch.wasLeft
            if isPause {
                shifts[number] = stretch.before.map { shifts[$0] } ?? .zero
            } else if number > 0 {
                shifts[number] = join(stretch, ends: ends, video: video)
            }
            for (index, span) in stretch.spans {
                let base = streams[index]?.base ?? .zero
                let end = Rational(span.end) * base + shifts[number]
                ends[index] = max(ends[index] ?? end, end)
                extend(&timeline.extents, index, span, by: ticks(shifts[number], base))
            }
            if number > 0, !isPause {
                let start = stretch.spans.map { Rational($1.start) * (streams[$0]?.base ?? .zero) }.min() ?? .zero
                timeline.breaks.append((start + shifts[number]).doubleValue)
            }
        }
        for (index, stream) in streams {
            var list: [ClockCorrection] = []
            for run in stream.runs {
                let shift = ticks(shifts[run.stretch], stream.base)
                if list.isEmpty ? shift != 0 : list.last?.shift != shift {
                    list.append(ClockCorrection(packet: run.packet, shift: shift))
                }
                if stretches[run.stretch].isDamaged {
                    timeline.damaged[index, default: []].insert(run.packet)
                }
            }
            if !list.isEmpty { timeline.corrections[index] = list }
        }
        return timeline
    }

    /// The shift that places a stretch at the end of what is before it.
    private func join(_ stretch: Stretch, ends: [Int: Rational], video: Int?) -> Rational {
        // The video is shown without a gap or an overlap; audio follows it, so that both stay in step.
        for reference in [video, stretch.owner].compactMap({ $0 }) {
            guard let span = stretch.spans[reference], let end = ends[reference], let stream = streams[reference] else {
                continue
            }
            return end - Rational(span.key ?? span.start) * stream.base
        }
        let start = stretch.spans.map { Rational($1.start) * (streams[$0]?.base ?? .zero) }.min() ?? .zero
        return (ends.values.max() ?? start) - start
    }

    private func extend(_ extents: inout [Int: (start: Int64, end: Int64)], _ index: Int, _ span: Span, by shift: Int64)
    {
        let start = span.start.addingChecked(shift) ?? span.start
        let end = span.end.addingChecked(shift) ?? span.end
        let known = extents[index] ?? (start, end)
        extents[index] = (min(known.start, start), max(known.end, end))
    }

    private func ticks(_ shift: Rational, _ base: Rational) -> Int64 {
        base > .zero ? (shift / base).rounded : 0
    }
}
