/// Decoder errors of a source, summed over everything that was decoded.
public struct DecodingDamage: Sendable, Hashable {
    /// Frames that the decoder gave.
    public var frames: Int
    /// Errors of the decoder.
    public var errors: Int

    public init(frames: Int, errors: Int) {
        self.frames = frames
        self.errors = errors
    }

    /// More than one frame in fifty: the result is no longer this video. Up to three errors are a scratch, however
    /// short the source is.
    public var isTooMuch: Bool { errors > 3 && Double(errors) / Double(max(frames, 1)) > 0.02 }

    /// What a reader of the output is to know; nil for an undamaged source.
    /// - Throws: `badInput` (65) where there is too much of it and no partial result was asked for.
    public func warning(source name: String, allowPartial: Bool) throws(ClairoError) -> String? {
        guard errors > 0 else { return nil }
        if isTooMuch, !allowPartial {
            throw .badMedia(
                "\(name) is damaged: the decoder met \(errors) errors in \(frames) frames",
                advice: "Give --allow-partial (in a profile: allow-partial) to transcode what can be read.")
        }
        return "the decoder met \(errors) errors in \(frames) frames"
    }
}
