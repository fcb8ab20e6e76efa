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
    /// Whether the probe found interlaced frames. Every interlaced frame is deinterlaced, also one that comes later.
    public var deinterlace: Bool
    /// The source's dynamic range. Rungs in SDR are tone-mapped from HDR.
    public var dynamicRange: DynamicRange
    /// The color tags of the rungs in SDR: the source's, or BT.709 after tone mapping.
    public var color: ColorDescription
    /// The color of the rungs in HDR; nil if there are none.
    public var hdr: HDRDescription?
    /// The number of segments that one encoder makes before the next is opened, unless the rung has its own. The bytes depend only on the frames of
    /// these segments, so any worker produces the same bytes. A chunk is a multiple of it, and a resumed job repeats at
    /// most this.
    public var segmentsPerEncoder: Int
    /// Whether decoding can start in the middle of the source. Otherwise there is only one chunk.
    public var isSeekable: Bool
    /// The rungs, wave by wave, and from the largest to the smallest in each. Each is scaled from the previous one of
    /// its wave.
    public var rungs: [Rung]
    /// The decisions for each standard height and for the source's own, with the reasons.
    public var decisions: [LadderDecision]
    /// The format of the source's frames. Nil in plans of older versions, for which every frame is scaled to the
    /// ladder's size.
    public var source: SourceFormat?
    /// How source frames are placed on the grid. Nil in plans of older versions, which use `times`.
    public var placement: FramePlacement?
    /// The number of source frames that the output shows; the others share a position with the next frame. Nil in plans
    /// of older versions.
    public var shownFrameCount: Int?
    /// With the placement `sortedTimes`, the ticks from the decoding time to the presentation of a frame.
    public var sortedTimeDelay: Int64?
    /// The number of frames by which all rungs delay presentation after decoding, whatever their encoders need. Audio has
    /// the same delay, so that both stay together in players that ignore edit lists, which remove it. Nil in plans of
    /// older versions, where each rung has the delay of its encoder, and audio its own.
    public var presentationDelay: Int?

    public init(
        streamIndex: Int, grid: SegmentGrid, sourceFrameCount: Int, orientation: Orientation, deinterlace: Bool,
        dynamicRange: DynamicRange, color: ColorDescription, segmentsPerEncoder: Int, isSeekable: Bool, rungs: [Rung],
        decisions: [LadderDecision], source: SourceFormat? = nil, placement: FramePlacement? = nil,
        shownFrameCount: Int? = nil, sortedTimeDelay: Int64? = nil,
        hdr: HDRDescription? = nil, presentationDelay: Int? = nil
    ) {
        self.hdr = hdr
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
        self.source = source
        self.placement = placement
        self.shownFrameCount = shownFrameCount
        self.sortedTimeDelay = sortedTimeDelay
        self.presentationDelay = presentationDelay
    }
}

/// How source frames are placed on the output grid.
public enum FramePlacement: String, Sendable, Codable, Hashable {
    /// At the grid position nearest to its time. Frames that share a position are dropped.
    case times
    /// The same, but a frame whose position is taken moves to the next one, because the times jitter.
    case order
    /// By the packets' times in ascending order, because the container has no presentation times. Decoded frames take
    /// them in the order in which they are shown.
    case sortedTimes
}

extension VideoPlan {
    /// Whether rungs in SDR are tone-mapped from HDR.
    public var toneMap: Bool { dynamicRange != .sdr }

    /// The color tags of a rung.
    public func color(of rung: Rung) -> ColorDescription { rung.dynamicRange == .sdr ? color : hdr?.color ?? color }

    /// The number of waves.
    public var waveCount: Int { (rungs.map(\.wave).max() ?? 0) + 1 }

    /// The indexes of the rungs of a wave.
    public func rungs(ofWave wave: Int) -> [Int] { rungs.indices.filter { rungs[$0].wave == wave } }

    /// The warning for an output that shows fewer source frames than planned; nil for a complete one. A decoder may keep
    /// the last frames of an intact source.
    /// - Parameter shown: The number of source frames that are shown; nil if it was not counted.
    public func lossWarning(shown: Int?) -> MediaWarning? {
        // Copied pictures are not decoded.
        guard let shown, let planned = shownFrameCount, planned - shown > 3, !rungs.allSatisfy(\.isCopy) else {
            return nil
        }
        return MediaWarning(
            .framesLost,
            "\(planned - shown) of \(planned) frames of the source are not in the output; the frame before each is shown "
                + "longer",
            advice: "Check the source for damage.")
    }

    /// The segments that one encoder of a rung makes together with segment `index`.
    public func encoderRun(ofSegment index: Int, rung: Rung) -> Range<Int> {
        let count = rung.segmentsPerEncoder ?? segmentsPerEncoder
        let start = index / count * count
        return start..<min(start + count, grid.segmentCount)
    }
}
