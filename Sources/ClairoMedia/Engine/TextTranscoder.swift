internal import ClairoCore
internal import Foundation

/// Makes one text track: reads its cues, and writes the segments and the whole file.
struct TextTranscoder {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let track: TextPlan
    /// The files that came with the request.
    let files: [SubtitleFile]
    let sink: SegmentSink
    let control: JobControl

    func run() throws {
        let read = try TextReader(
            source: source, limits: limits, plan: plan, track: track, files: files, control: control
        ).read()
        try control.checkCancellation()
        let list = CueList(read.cues, duration: (track.duration * Rational(1000)).rounded)
        let name = "text track \(track.id)"
        if let charset = read.guessed {
            control.warn(
                MediaWarning(
                    .textChanged, "\(name): its text is not UTF-8 and was read as \(charset.name)",
                    advice: "If letters are wrong, save the subtitles as UTF-8."))
        }
        list.warnings(track: name).forEach { control.warn($0) }
        let text = TextSegments(list.cues, of: track)
        if text.isCut {
            control.warn(
                MediaWarning(.textChanged, "\(name): too many of its cues are shown at once; some are left out"))
        }
        // What cannot be read back as it was written would be shown wrongly.
        if let problem = TextSegments.problem(of: track, whole: text.whole, segment: { text.segments[$0] }) {
            throw ClairoError.defect("\(track.folder): \(problem)")
        }
        for (index, segment) in text.segments.enumerated() {
            try control.checkCancellation()
            try sink.write(file: segment, at: track.segmentKey(index))
        }
        try sink.write(file: text.whole, at: track.wholeKey)
    }
}

/// The files of a text track, which follow from its cues.
struct TextSegments {
    /// The maximum size of all segments. Cues that are shown for long are repeated in many.
    private static let mostBytes = 40 << 20

    let whole: Data
    let segments: [Data]
    /// Whether cues were left out because the segments would be too large.
    let isCut: Bool

    /// - Parameter cues: In the order of `CueList`.
    init(_ cues: [Cue], of track: TextPlan) {
        var bySegment = [[Cue]](repeating: [], count: track.segmentCount)
        var kept: [Cue] = []
        var bytes = 0
        let boundaries = track.segmentBoundaries
        /// The segment in which a time is; a boundary belongs to the one that it begins.
        func segment(at milliseconds: Int64) -> Int {
            let time = Rational(milliseconds, 1000)
            var (low, high) = (0, boundaries.count)
            while low < high {
                let middle = (low + high) / 2
                if boundaries[middle] <= time { low = middle + 1 } else { high = middle }
            }
            return low
        }
        for cue in cues {
            let first = segment(at: cue.start)
            // A cue that ends at a boundary, or within a millisecond before it, is not in the segment after it.
            let last = max(first, segment(at: cue.end - 1))
            bytes += (last - first + 1) * (cue.text.utf8.count + cue.settings.utf8.count + 40)
            guard bytes <= Self.mostBytes else { break }
            kept.append(cue)
            for index in first...last { bySegment[index].append(cue) }
        }
        whole = WebVTT.file(kept)
        segments = bySegment.map(WebVTT.segment)
        isCut = kept.count < cues.count
    }

    /// Checks the files of a track against each other: the whole file is what Clairo writes, and every segment has
    /// exactly the cues of the whole file that are shown in it.
    /// - Parameters:
    ///   - segments: The segments to check; nil for all.
    ///   - segment: The content of a segment; nil if it is missing.
    /// - Returns: The problem found, or nil.
    static func problem(
        of track: TextPlan, whole: Data, segments: Range<Int>? = nil, segment: (Int) throws -> Data?
    ) rethrows -> String? {
        guard let text = String(validating: whole, as: UTF8.self), let cues = WebVTT.cues(text) else {
            return "\(track.wholeKey) is not WebVTT"
        }
        guard WebVTT.file(cues) == whole else { return "\(track.wholeKey) is damaged" }
        let isOrdered = zip(cues, cues.dropFirst()).allSatisfy { $0.start <= $1.start }
        let end = (track.duration * Rational(1000)).rounded
        guard isOrdered, cues.allSatisfy({ $0.start >= 0 && $0.start < $0.end && $0.end <= end }) else {
            return "the times of \(track.wholeKey) are not in order, or beyond the end"
        }
        let wanted = TextSegments(cues, of: track)
        for index in segments ?? 0..<track.segmentCount {
            guard let found = try segment(index) else { return "\(track.segmentKey(index)) is missing" }
            guard found == wanted.segments[index] else {
                return "\(track.segmentKey(index)) has other cues than \(track.wholeKey) at its time"
            }
        }
        return nil
    }
}
