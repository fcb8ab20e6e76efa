internal import ClairoCore

/// Two mono tracks that are the left and the right channel of one stereo recording, as cameras and editors write them.
///
/// Their channel layouts, or the titles of PCM tracks, may say left and right. Without such labels, two PCM tracks that
/// are the only ones of their language are a pair if they are alike, and their titles do not tell them apart.
struct MonoPair {
    private enum Side { case left, right }

    let left: AudioStream
    let right: AudioStream
    /// Whether the channel layouts say left and right.
    private let isLabelled: Bool

    /// The pair that a track belongs to, or nil.
    /// - Parameter tracks: All tracks of the same language.
    init?(_ track: AudioStream, among tracks: [AudioStream]) {
        let alike = tracks.filter { $0.index == track.index || Self.areAlike($0, track) }
        let lefts = alike.filter { Self.side($0) == .left }
        let rights = alike.filter { Self.side($0) == .right }
        if let left = lefts.first, let right = rights.first, lefts.count == 1, rights.count == 1,
            Self.otherWords(left) == Self.otherWords(right)
        {
            guard track.index == left.index || track.index == right.index else { return nil }
            self.left = left
            self.right = right
            isLabelled = Self.sideByLayout(left) != nil && Self.sideByLayout(right) != nil
            return
        }
        guard alike.count == 2, tracks.count == 2, alike.allSatisfy({ Self.isPlainPCM($0) }),
            Self.name(alike[0]) == Self.name(alike[1])
        else { return nil }
        let isOrdered = alike[0].index < alike[1].index
        left = alike[isOrdered ? 0 : 1]
        right = alike[isOrdered ? 1 : 0]
        isLabelled = false
    }

    func contains(_ track: AudioStream) -> Bool { track.index == left.index || track.index == right.index }

    /// Nil if the source says that they are a pair.
    var warning: MediaWarning? {
        guard !isLabelled else { return nil }
        return MediaWarning(
            .layoutGuessed,
            "audio streams \(left.index) and \(right.index) are mono tracks that begin and end together; they were "
                + "taken as the left and the right channel of one stereo track",
            advice: "If they are not, give each its own language or title, or remove one, before the upload.")
    }

    /// Whether two tracks may be channels of one recording.
    static func areAlike(_ first: AudioStream, _ second: AudioStream) -> Bool {
        first.channels == 1 && second.channels == 1 && first.codec == second.codec
            && first.sampleRate == second.sampleRate && abs(first.start - second.start) < 0.1
            && abs(first.end - second.end) < 0.1
    }

    private static func isPCM(_ track: AudioStream) -> Bool { track.codec.hasPrefix("pcm_") }

    /// Whether it is PCM of one channel without a position of its own. libav's name of another layout of one channel
    /// contains the position, as in `1 channels (FL)`.
    private static func isPlainPCM(_ track: AudioStream) -> Bool {
        isPCM(track) && side(track) == nil && !track.layout.contains("(")
    }

    private static func side(_ track: AudioStream) -> Side? {
        sideByLayout(track) ?? (isPCM(track) && !track.layout.contains("(") ? sideByTitle(track) : nil)
    }

    private static func sideByLayout(_ track: AudioStream) -> Side? {
        if track.layout.hasSuffix("(FL)") { return .left }
        if track.layout.hasSuffix("(FR)") { return .right }
        return nil
    }

    private static let sideWords: Set<Substring> = ["left", "l", "right", "r"]

    private static func words(_ track: AudioStream) -> Set<Substring> {
        Set((track.title ?? "").lowercased().split { !$0.isLetter })
    }

    /// The words of the title that do not name a side. A film and its commentary differ in them.
    private static func otherWords(_ track: AudioStream) -> Set<Substring> { words(track).subtracting(sideWords) }

    private static func sideByTitle(_ track: AudioStream) -> Side? {
        let words = words(track)
        let isLeft = !words.isDisjoint(with: ["left", "l"])
        let isRight = !words.isDisjoint(with: ["right", "r"])
        guard isLeft != isRight else { return nil }
        return isLeft ? .left : .right
    }

    /// The title without numbers and punctuation: recorders number their tracks.
    private static func name(_ track: AudioStream) -> String { (track.title ?? "").lowercased().filter(\.isLetter) }
}
