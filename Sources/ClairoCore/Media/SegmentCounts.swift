/// The frames of the source that were decoded for one segment of the output.
public struct SegmentCounts: Sendable, Codable, Hashable {
    /// The index of the segment.
    public var segment: Int
    /// Frames that the decoder returned and that begin in the segment.
    public var decoded: Int
    /// Errors that the decoder reported.
    public var errors: Int
    /// The frames that are shown, each where it begins.
    public var shown: Int

    public init(segment: Int, decoded: Int = 0, errors: Int = 0, shown: Int = 0) {
        self.segment = segment
        self.decoded = decoded
        self.errors = errors
        self.shown = shown
    }
}
