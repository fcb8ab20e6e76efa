/// Something that a user should know about a source or its output: what was left out, changed or guessed.
///
/// In JSON an object such as `{"code": "track-unused", "message": "…", "advice": "…"}`. Plans and manifests of older
/// versions contain only the message, as a string, which is decoded as `other`.
public struct MediaWarning: Sendable, Hashable {
    /// The kind of warning. Scripts may rely on these names.
    public enum Code: String, Sendable, Codable, Hashable, CaseIterable {
        /// A track of the source is not part of the output.
        case trackUnused = "track-unused"
        /// The container's header contradicts its content.
        case headerMismatch = "header-mismatch"
        /// The source ends before its header says, or cannot be read to its end.
        case truncated
        /// The decoder reported errors, or packets are marked as damaged.
        case damaged
        /// The clock of the source restarts or jumps; the parts were joined.
        case clockBreak = "clock-break"
        /// The source consists of files that were joined, or its tracks change to other streams; the parts were joined.
        case partsJoined = "parts-joined"
        /// Single timestamps were wrong and were replaced.
        case timesReplaced = "times-replaced"
        /// The beginning was left out because it cannot be decoded without earlier frames.
        case startSkipped = "start-skipped"
        /// The size, shape, colour or scan of the frames, or the channels of the audio, change midway.
        case formatChanges = "format-changes"
        /// Container and bitstream declare different colours.
        case colorContradiction = "color-contradiction"
        /// The channel layout is unknown or unusual; some channels are missing from the output or were guessed.
        case layoutGuessed = "layout-guessed"
        /// The source has no audio in a language or layout that was asked for.
        case audioUnavailable = "audio-unavailable"
        /// The loudness that was asked for would need peaks above the limit; the audio is quieter.
        case loudnessLimited = "loudness-limited"
        /// Samples beyond full scale, or that are not numbers, were replaced.
        case samplesClipped = "samples-clipped"
        /// Frames of the source are missing from the output or shown more than once, other than by its frame rate.
        case framesLost = "frames-lost"
        /// Cues of a text track are missing from the output, or were guessed.
        case textChanged = "text-changed"
        /// The source could not be copied without encoding.
        case copyRefused = "copy-refused"
        /// A warning of another version.
        case other
    }

    /// The kind of warning.
    public var code: Code
    /// What was found, and what was done about it. A sentence without a full stop.
    public var message: String
    /// What the user can do, as a sentence; nil if there is nothing to do.
    public var advice: String?

    public init(_ code: Code, _ message: String, advice: String? = nil) {
        self.code = code
        self.message = message
        self.advice = advice
    }
}

extension MediaWarning: CustomStringConvertible {
    /// The message and the advice, for people.
    public var description: String { advice.map { "\(message). \($0)" } ?? message }
}

extension [MediaWarning] {
    /// The warnings as they are stored and sent: without duplicates, in the same order, with long texts cut. If there
    /// are more than `limit` warnings, the last one says how many are missing.
    /// - Parameter limit: At least 1.
    public func bounded(to limit: Int = 100) -> [MediaWarning] {
        var seen: Set<MediaWarning> = []
        let distinct = map(\.shortened).filter { seen.insert($0).inserted }
        guard distinct.count > limit else { return distinct }
        // Some may be missing already.
        let rest = MediaWarning(.other, "at least \(distinct.count - limit + 1) more warnings are not listed")
        return Array(distinct.prefix(limit - 1)) + [rest]
    }
}

extension MediaWarning {
    /// The warning with texts so short that a hundred of them fit into one message.
    fileprivate var shortened: MediaWarning {
        MediaWarning(code, message.shortened, advice: advice?.shortened)
    }
}

extension String {
    /// Names from a source may be of any length.
    fileprivate var shortened: String {
        unicodeScalars.count <= 500 ? self : String(unicodeScalars.prefix(499)) + "…"
    }
}

extension MediaWarning: Codable {
    private enum CodingKeys: String, CodingKey { case code, message, advice }

    public init(from decoder: any Decoder) throws {
        guard let container = try? decoder.container(keyedBy: CodingKeys.self) else {
            self.init(.other, try decoder.singleValueContainer().decode(String.self))
            return
        }
        // A newer worker may know more kinds.
        let code = Code(rawValue: try container.decode(String.self, forKey: .code)) ?? .other
        self.init(
            code, try container.decode(String.self, forKey: .message),
            advice: try container.decodeIfPresent(String.self, forKey: .advice))
    }
}
