/// A run of whole segments that one worker decodes and encodes in one task.
public struct Chunk: Sendable, Codable, Hashable {
    /// Number of the chunk, from 0.
    public var index: Int
    /// Its segments, from 0.
    public var segments: Range<Int>
    /// Where the demuxer seeks, in the video stream's time base; nil to read from the start.
    public var seekTimestamp: Int64?

    public init(index: Int, segments: Range<Int>, seekTimestamp: Int64?) {
        self.index = index
        self.segments = segments
        self.seekTimestamp = seekTimestamp
    }
}
