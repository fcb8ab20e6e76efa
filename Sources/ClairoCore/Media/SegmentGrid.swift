/// The positions of frames, GOPs and segments on the output timeline.
///
/// Frame `k` is shown at `k / frameRate`, whichever worker encodes it. GOPs are closed and have `round(2·frameRate)`
/// frames. Segments consist of whole GOPs, so all rungs and workers cut at the same instants. All arithmetic is exact:
/// at 24000/1001 a GOP has 48 frames and lasts 2.002 s, and a nominal 6-second segment has three GOPs and lasts 6.006
/// s.
public struct SegmentGrid: Hashable, Sendable, Codable {
    /// Frames per second of the output.
    public let frameRate: Rational
    /// The total number of frames.
    public let frameCount: Int
    /// Frames from one IDR to the next.
    public let gopFrames: Int
    /// The number of frames in each segment except the last: a multiple of `gopFrames`.
    public let segmentFrames: Int

    /// - Parameter segmentSeconds: The nominal segment length. The actual length is the nearest number of whole GOPs,
    ///   at least one.
    public init(frameRate: Rational, frameCount: Int, segmentSeconds: Double = 6) {
        self.frameRate = frameRate
        self.frameCount = max(frameCount, 0)
        gopFrames = max(1, Int((frameRate * Rational(2)).rounded))
        let gopSeconds = Double(gopFrames) / frameRate.doubleValue
        segmentFrames = gopFrames * max(1, Int((segmentSeconds / gopSeconds).rounded()))
    }

    /// Number of segments.
    public var segmentCount: Int { (frameCount + segmentFrames - 1) / segmentFrames }

    /// The frames of segment `index`, counted from 0.
    public func frames(ofSegment index: Int) -> Range<Int> {
        let start = min(index * segmentFrames, frameCount)
        return start..<min(start + segmentFrames, frameCount)
    }

    /// The segment that contains `frame`.
    public func segment(ofFrame frame: Int) -> Int { frame / segmentFrames }

    /// The output frame nearest to a source time. It may be outside the grid.
    /// - Parameter origin: The source time that is 0 on the output timeline.
    public func frame(at time: Rational, origin: Rational) -> Int {
        Int(max(min(((time - origin) * frameRate).rounded, 1 << 40), -(1 << 40)))
    }

    /// The presentation time of `frame` in seconds.
    public func time(ofFrame frame: Int) -> Rational { Rational(Int64(frame)) / frameRate }

    /// Duration of all frames.
    public var duration: Rational { time(ofFrame: frameCount) }

    /// The media timescale in ticks per second. A frame lasts a whole number of ticks (`ticksPerFrame`).
    public var timescale: Int64 { frameRate.num * timescaleFactor }

    /// Ticks of `timescale` in a frame.
    public var ticksPerFrame: Int64 { frameRate.den * timescaleFactor }

    /// Scales up low rates such as 25/1, so that the timescale has a useful resolution for audio and subtitles.
    private var timescaleFactor: Int64 { max(1, (12_000 + frameRate.num - 1) / frameRate.num) }

    /// The maximum number of frames of a plan.
    private static let largestCount = 100_000_000

    /// Only accepts a valid grid, because all arithmetic relies on it and files can be damaged.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        frameRate = try container.decode(Rational.self, forKey: .frameRate)
        frameCount = try container.decode(Int.self, forKey: .frameCount)
        gopFrames = try container.decode(Int.self, forKey: .gopFrames)
        segmentFrames = try container.decode(Int.self, forKey: .segmentFrames)
        let isSound =
            frameRate > .zero && frameRate.num <= Int32.max && frameRate.den <= Int32.max
            && (0...Self.largestCount).contains(frameCount) && (1...Self.largestCount).contains(gopFrames)
            && (gopFrames...Self.largestCount).contains(segmentFrames) && segmentFrames % gopFrames == 0
        guard isSound else {
            throw DecodingError.dataCorrupted(
                DecodingError.Context(codingPath: container.codingPath, debugDescription: "This is no segment grid"))
        }
    }
}
