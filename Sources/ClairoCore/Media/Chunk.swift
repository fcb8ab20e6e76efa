/// A run of whole segments: what one worker decodes and encodes in one go.
public struct Chunk: Sendable, Codable, Hashable {
    /// Number of the chunk, from 0.
    public var index: Int
    /// Its segments, from 0.
    public var segments: Range<Int>
    /// Where the demuxer is to seek, in the video stream's time base; nil to read from the start of the source.
    public var seekTimestamp: Int64?

    public init(index: Int, segments: Range<Int>, seekTimestamp: Int64?) {
        self.index = index
        self.segments = segments
        self.seekTimestamp = seekTimestamp
    }
}
