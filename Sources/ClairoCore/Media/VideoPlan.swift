/// The video of an output.
public struct VideoPlan: Sendable, Codable, Hashable {
    /// Stream of the source that it is made from.
    public var streamIndex: Int
    /// Where frames, GOPs and segments are.
    public var grid: SegmentGrid
    /// Frames of the grid that the source's frames cover. Any after them hold the last one while audio goes on.
    public var sourceFrameCount: Int
    /// Orientation of the source.
    public var orientation: Orientation
    /// Whether frames are deinterlaced.
    public var deinterlace: Bool
    /// The source's dynamic range. HDR is tone-mapped to SDR.
    public var dynamicRange: DynamicRange
    /// The output's color tags: the source's, or BT.709 after tone mapping.
    public var color: ColorDescription
    /// Segments that one encoder makes before the next is opened. Its bytes depend on these segments' frames alone, so a
    /// chunk is a multiple of it, any worker that makes it gets the same, and a resumed job repeats no more than this.
    public var segmentsPerEncoder: Int
    /// Whether decoding can start in the middle of the source. Otherwise there is only one chunk.
    public var isSeekable: Bool
    /// From largest to smallest. Each is scaled from the one before.
    public var rungs: [Rung]
    /// One entry for each standard height and for the source's own: kept, capped or dropped, and why.
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
