/// The video of an output.
public struct VideoPlan: Sendable, Codable, Hashable {
    /// The index of the source stream.
    public var streamIndex: Int
    /// The positions of frames, GOPs and segments.
    public var grid: SegmentGrid
    /// The number of output frames that the source's frames cover. Later frames repeat the last one while audio
    /// continues.
    public var sourceFrameCount: Int
    /// Orientation of the source.
    public var orientation: Orientation
    /// Whether frames are deinterlaced.
    public var deinterlace: Bool
    /// The source's dynamic range. HDR is tone-mapped to SDR.
    public var dynamicRange: DynamicRange
    /// The output's color tags: the source's, or BT.709 after tone mapping.
    public var color: ColorDescription
    /// The number of segments that one encoder makes before the next is opened. The bytes depend only on the frames of
    /// these segments, so any worker produces the same bytes. A chunk is a multiple of it, and a resumed job repeats at
    /// most this.
    public var segmentsPerEncoder: Int
    /// Whether decoding can start in the middle of the source. Otherwise there is only one chunk.
    public var isSeekable: Bool
    /// The rungs from the largest to the smallest. Each is scaled from the previous one.
    public var rungs: [Rung]
    /// The decisions for each standard height and for the source's own, with the reasons.
    public var decisions: [LadderDecision]

    public init(
        streamIndex: Int, grid: SegmentGrid, sourceFrameCount: Int, orientation: Orientation, deinterlace: Bool,
        dynamicRange: DynamicRange, color: ColorDescription, segmentsPerEncoder: Int, isSeekable: Bool, rungs: [Rung],
        decisions: [LadderDecision]
    ) {
        self.segmentsPerEncoder = segmentsPerEncoder
        self.isSeekable = isSeekable
        self.streamIndex = streamIndex
        self.grid = grid
        self.sourceFrameCount = sourceFrameCount
        self.orientation = orientation
        self.deinterlace = deinterlace
        self.dynamicRange = dynamicRange
        self.color = color
        self.rungs = rungs
        self.decisions = decisions
    }
}

extension VideoPlan {
    /// Whether frames are mapped from HDR to SDR.
    public var toneMap: Bool { dynamicRange != .sdr }

    /// The segments that one encoder makes together with segment `index`.
    public func encoderRun(ofSegment index: Int) -> Range<Int> {
        let start = index / segmentsPerEncoder * segmentsPerEncoder
        return start..<min(start + segmentsPerEncoder, grid.segmentCount)
    }
}
