/// A run of whole segments that one worker decodes and encodes in one task.
public struct Chunk: Sendable, Codable, Hashable {
    /// The index of the chunk.
    public var index: Int
    /// The indexes of its segments.
    public var segments: Range<Int>
    /// The seek target in the video stream's time base; nil to read from the start.
    public var seekTimestamp: Int64?

    public init(index: Int, segments: Range<Int>, seekTimestamp: Int64?) {
        self.index = index
        self.segments = segments
        self.seekTimestamp = seekTimestamp
    }
}
