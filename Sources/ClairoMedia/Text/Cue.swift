internal import ClairoCore

/// A text that is shown for a time: the only form that text has between a reader of subtitles and the output.
struct Cue: Hashable, Sendable {
    /// Milliseconds on the output timeline, as precise as WebVTT is.
    var start: Int64
    /// The end. Readers may give any; `CueList` keeps cues that end after they begin.
    var end: Int64
    /// Where and how it is shown: WebVTT cue settings, such as `line:10% align:left`. Empty for the player's choice.
    var settings = ""
    /// Lines of WebVTT cue text: escaped, without empty lines.
    var text: String
}

/// The cues of a track in the order of their times, and what was left out of them.
struct CueList: Hashable, Sendable {
    /// A track with more cues is animation, or an attack.
    static let mostCues = 200_000
    /// The same, in bytes of text.
    static let mostBytes = 8 << 20

    private(set) var cues: [Cue] = []
    /// The number of cues that end before they begin, or when they begin.
    private(set) var withoutDuration = 0
    /// The number of cues before the start or after the end of the output.
    private(set) var outside = 0
    /// Whether cues beyond the limits were left out.
    private(set) var isCut = false

    /// Sorts cues and cuts them to the output. A cue that was given twice is kept once.
    /// - Parameter duration: The duration of the output in milliseconds.
    init(_ given: some Sequence<Cue>, duration: Int64) {
        var kept: [Cue] = []
        var bytes = 0
        for cue in given where !cue.text.isEmpty {
            guard cue.end > cue.start else {
                withoutDuration += 1
                continue
            }
            let shown = max(cue.start, 0)..<max(min(cue.end, duration), max(cue.start, 0))
            guard !shown.isEmpty else {
                outside += 1
                continue
            }
            bytes += cue.text.utf8.count
            guard kept.count < Self.mostCues, bytes <= Self.mostBytes else {
                isCut = true
                break
            }
            kept.append(Cue(start: shown.lowerBound, end: shown.upperBound, settings: cue.settings, text: cue.text))
        }
        // Equal times keep the order of the source, which players use to stack cues.
        let order = kept.indices.sorted {
            (kept[$0].start, kept[$0].end, $0) < (kept[$1].start, kept[$1].end, $1)
        }
        var seen: Set<Cue> = []
        cues = order.map { kept[$0] }.filter { seen.insert($0).inserted }
    }

    /// The warnings about what was left out.
    /// - Parameter track: The track, for people.
    func warnings(track: String) -> [MediaWarning] {
        func cues(_ count: Int) -> String { count == 1 ? "1 cue was" : "\(count) cues were" }
        return [
            withoutDuration > 0
                ? "\(track): \(cues(withoutDuration)) left out because they end before they are seen" : nil,
            outside > 0 ? "\(track): \(cues(outside)) left out because they are not within the output" : nil,
            isCut ? "\(track): only its first \(self.cues.count) cues are used, because it is too long" : nil,
        ].compactMap { $0.map { MediaWarning(.textChanged, $0) } }
    }
}
