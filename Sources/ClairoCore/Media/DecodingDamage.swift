/// Decoder errors of a source, summed over everything that was decoded.
public struct DecodingDamage: Sendable, Hashable {
    /// Frames that the decoder returned.
    public var frames: Int
    /// Errors that the decoder reported.
    public var errors: Int

    public init(frames: Int, errors: Int) {
        self.frames = frames
        self.errors = errors
    }

    /// Whether more than one frame in fifty is damaged. Up to three errors are tolerated, however short the source is.
    public var isTooMuch: Bool { errors > 3 && Double(errors) / Double(max(frames, 1)) > 0.02 }

    /// The warning for the output; nil for an undamaged source.
    /// - Throws: `badInput` (65) if there is too much damage and partial results are not allowed.
    public func warning(source name: String, allowPartial: Bool) throws(ClairoError) -> MediaWarning? {
        guard errors > 0 else { return nil }
        if isTooMuch, !allowPartial {
            throw .badMedia(
                "\(name) is damaged: the decoder reported \(errors) errors in \(frames) frames",
                advice: "Give --allow-partial (in a profile: allow-partial) to transcode what can be read.")
        }
        return MediaWarning(
            .damaged, "the decoder reported \(errors) errors in \(frames) frames",
            advice: "Use an undamaged copy of the source if there is one.")
    }
}
