/// A run of whole segments that one worker decodes and encodes in one task, for all rungs of a wave.
public struct Chunk: Sendable, Hashable {
    /// The index of the chunk among all chunks of the plan.
    public var index: Int
    /// The wave of the rungs that it makes. Earlier waves are made first; 0 is the first.
    public var wave: Int
    /// The indexes of its segments.
    public var segments: Range<Int>
    /// The seek target in the video stream's time base; nil to read from the start.
    public var seekTimestamp: Int64?

    public init(index: Int, wave: Int = 0, segments: Range<Int>, seekTimestamp: Int64?) {
        self.index = index
        self.wave = wave
        self.segments = segments
        self.seekTimestamp = seekTimestamp
    }
}

extension Chunk: Codable {
    private enum CodingKeys: String, CodingKey { case index, wave, segments, seekTimestamp }

    /// Also accepts plans of older versions, which have one wave.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        self.init(
            index: try container.decode(Int.self, forKey: .index),
            wave: try container.decodeIfPresent(Int.self, forKey: .wave) ?? 0,
            segments: try container.decode(Range<Int>.self, forKey: .segments),
            seekTimestamp: try container.decodeIfPresent(Int64.self, forKey: .seekTimestamp))
    }
}
