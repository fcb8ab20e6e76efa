internal import ClairoCore
internal import Foundation

/// Chooses the rungs of a source's ladder. A pure function of the source and the settings.
enum LadderPlanner {
    /// The short sides of a full ladder.
    static let standardHeights = [2160, 1440, 1080, 720, 480, 360, 240]

    /// A standard rung whose short side is at least this share of the top rung's is a near duplicate and is dropped.
    private static let nearDuplicate = 0.92

    struct Source {
        /// The size after rotation, in square pixels.
        var size: FrameSize
        /// The frame rate of the output.
        var frameRate: Rational
        /// The bit rate of the source's video stream in bits per second; 0 if unknown.
        var bitRate: Int64
        /// The length of the output's segments in seconds, or of the whole output if that is shorter.
        var segmentSeconds: Double
        /// The average size of the source's key frames in bits; 0 if unknown.
        var keyFrameBits: Double = 0
    }

    /// The size of the decoder buffer, in seconds at the maximum rate.
    private static let bufferSeconds = 1.0

    static func plan(_ source: Source, heights: [Int]?) -> (rungs: [Rung], decisions: [LadderDecision]) {
        let own = FrameSize(width: evenFloor(source.size.width), height: evenFloor(source.size.height))
        var candidates = (heights ?? standardHeights).sorted(by: >).reduce(into: [Int]()) { list, height in
            if list.last != height { list.append(height) }
        }
        let fitting = candidates.filter { $0 <= source.size.shortSide }
        // The full ladder always includes the source's own size; requested heights only if none of them fits.
        let addsOwnSize = heights == nil ? !candidates.contains(own.shortSide) : fitting.isEmpty
        if addsOwnSize {
            candidates.append(own.shortSide)
            candidates.sort(by: >)
        }
        var rungs: [Rung] = []
        var decisions: [LadderDecision] = []
        for height in candidates {
            let isOwnSize = height == own.shortSide
            let size = isOwnSize ? own : scaled(source.size, shortSide: height)
            let name = "\(height)p"
            func drop(_ reason: String) {
                decisions.append(LadderDecision(name: name, size: size, verdict: .dropped, reason: reason))
            }
            if height > source.size.shortSide, !isOwnSize {
                drop("the source is only \(source.size), and nothing is upscaled")
                continue
            }
            if addsOwnSize, heights == nil, !isOwnSize, Double(height) >= Double(own.shortSide) * nearDuplicate {
                drop("too close to the source's own \(own.shortSide)p to be worth its bytes")
                continue
            }
            let limit = capRate(size, frameRate: source.frameRate)
            let isCapped = source.bitRate > 0 && source.bitRate < limit
            let area = Double(size.pixels) / Double(max(source.size.pixels, 1))
            // A key frame every two seconds must be possible, however low the source's rate is.
            let least = Int64(clampedFrom: leastKeyFrame(size))
            let rates = encoderRates(
                cap: isCapped ? max(source.bitRate, least) : limit, segmentSeconds: source.segmentSeconds,
                // x264 may need slightly more bits for a frame than the source's encoder did.
                keyFrameBits: isCapped ? max(source.keyFrameBits * pow(area, 0.75) * 1.2, leastKeyFrame(size)) : 0)
            rungs.append(Rung(name: name, size: size, maxRate: rates.maxRate, bufferSize: rates.bufferSize))
            var reason =
                isOwnSize && addsOwnSize
                ? "the source's own size" : isOwnSize ? "the source's size" : "below the source's size"
            reason +=
                isCapped
                ? "; rate capped at the source's own, \(kilobits(source.bitRate)), instead of \(kilobits(limit))"
                : "; at most \(kilobits(limit))"
            decisions.append(
                LadderDecision(name: name, size: size, verdict: isCapped ? .capped : .kept, reason: reason))
        }
        return (rungs, decisions)
    }

    /// Chooses the encoder's maximum rate and buffer size so that no segment exceeds the cap on average.
    ///
    /// A segment may start with a buffer that is 90 % full (x264's default) and use that too. The buffer holds one
    /// second at the maximum rate, or more if a key frame would not fit: nearly all bits of a still image are in its
    /// key frames.
    static func encoderRates(
        cap: Int64, segmentSeconds: Double, keyFrameBits: Double = 0
    ) -> (maxRate: Int64, bufferSize: Int64) {
        let seconds = max(segmentSeconds, 0.5)
        var rate = Double(cap) * seconds / (seconds + 0.9 * bufferSeconds)
        var buffer = rate * bufferSeconds
        if keyFrameBits > 0.9 * buffer {
            buffer = keyFrameBits / 0.9
            rate = Double(cap) - keyFrameBits / seconds
        }
        // x264's rate control does not work below a few kbit/s.
        return (
            max(16_000, Int64(clampedFrom: rate.rounded(.down))), max(16_000, Int64(clampedFrom: buffer.rounded(.up)))
        )
    }

    /// The bits that x264 needs for a nearly empty key frame: two bytes per macroblock.
    private static func leastKeyFrame(_ size: FrameSize) -> Double {
        Double((size.width + 15) / 16 * ((size.height + 15) / 16)) * 16
    }

    /// The highest useful H.264 bit rate for a frame size, in bits per second.
    ///
    /// The points follow Apple's HLS authoring specification and the defaults of MediaConvert and Shaka Streamer. Sizes
    /// between them are interpolated on a logarithmic scale. Above 30 frames per second the cap is 50 % higher, as in
    /// YouTube's table.
    static func capRate(_ size: FrameSize, frameRate: Rational) -> Int64 {
        let points: [(pixels: Double, rate: Double)] = [
            (426 * 240, 350_000), (640 * 360, 800_000), (854 * 480, 1_600_000), (1280 * 720, 4_000_000),
            (1920 * 1080, 6_000_000), (2560 * 1440, 9_000_000), (3840 * 2160, 17_000_000),
        ]
        let pixels = Double(size.pixels)
        var upper = points.firstIndex { $0.pixels >= pixels } ?? points.count - 1
        upper = max(upper, 1)
        let (a, b) = (points[upper - 1], points[upper])
        let slope = log(b.rate / a.rate) / log(b.pixels / a.pixels)
        let rate = a.rate * pow(pixels / a.pixels, slope)
        let factor = frameRate > Rational(30) ? 1.5 : 1
        return Int64((rate * factor / 1000).rounded()) * 1000
    }

    /// The size with this short side and the source's aspect ratio. Both sides are even, as 4:2:0 requires.
    static func scaled(_ size: FrameSize, shortSide: Int) -> FrameSize {
        let ratio = Double(shortSide) / Double(size.shortSide)
        func even(_ value: Int) -> Int { max(2, Int((Double(value) * ratio / 2).rounded()) * 2) }
        return size.width < size.height
            ? FrameSize(width: evenFloor(shortSide), height: even(size.height))
            : FrameSize(width: even(size.width), height: evenFloor(shortSide))
    }

    private static func evenFloor(_ value: Int) -> Int { max(2, value & ~1) }

    private static func kilobits(_ rate: Int64) -> String { "\((rate + 500) / 1000) kbit/s" }
}
