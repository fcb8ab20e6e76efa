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
        /// The rate that H.264 needs for the busiest part of the source, in bits per second (`SourceRate.peak`); 0 if
        /// unknown.
        var bitRate: Int64
        /// The length of the output's segments in seconds, or of the whole output if that is shorter.
        var segmentSeconds: Double
        /// The size of the source's largest key frame in bits; 0 if unknown.
        var keyFrameBits: Double = 0
        /// The CRF of the output.
        var quality: Double = 23

        /// The rate of a rung with this share of the source's pixels, above which it would only repeat the source's
        /// coding errors more exactly.
        ///
        /// Two clips at CRF 24 needed 1.1 and 1.3 times their rate at CRF 23. The factor of 1.5 leaves 1.3 after a full
        /// decoder buffer has been deducted from a segment of six seconds (`encoderRates`). For smaller rungs the limit
        /// decreases with the square root of the area: half of the height halves it. At four ninths of the area the
        /// two clips needed 0.6 times their rate, and the limit is 1.0.
        func rateLimit(area: Double) -> Double {
            let headroom = 1.5 * pow(2, max(0, 23 - quality) / 6)
            return Double(bitRate) * headroom * area.squareRoot()
        }
    }

    /// The size of the decoder buffer, in seconds at the maximum rate.
    private static let bufferSeconds = 1.0

    /// A rung is dropped if its expected rate is at least this share of that of the next larger rung. At almost the
    /// same rate the larger frame is better to watch. The largest rung is always kept: a source with a low rate has no
    /// more detail at a smaller size.
    private static let nearlySameRate = 0.9

    /// What a ladder is made of.
    struct Target: Hashable {
        var codec: VideoCodec
        var dynamicRange: DynamicRange
        var wave: Int

        init(codec: VideoCodec = .h264, dynamicRange: DynamicRange = .sdr, wave: Int = 0) {
            self.codec = codec
            self.dynamicRange = dynamicRange
            self.wave = wave
        }

        var bitDepth: Int { dynamicRange == .sdr ? codec.coding.sdrBitDepth : 10 }

        /// A rung without its rates.
        func rung(height: Int, size: FrameSize) -> Rung {
            Rung(
                id: Rung.id(shortSide: height, codec: codec, dynamicRange: dynamicRange), codec: codec,
                dynamicRange: dynamicRange, bitDepth: bitDepth, wave: wave, size: size, maxRate: 0, bufferSize: 0)
        }
    }

    static func plan(
        _ source: Source, target: Target = Target(), heights: [Int]?
    ) -> (rungs: [Rung], decisions: [LadderDecision]) {
        let coding = target.codec.coding
        let own = FrameSize(width: evenFloor(source.size.width), height: evenFloor(source.size.height))
        func fits(_ size: FrameSize) -> Bool {
            coding.fits(size: size, frameRate: source.frameRate) || size.shortSide < coding.shortestSide
        }
        let top = fits(own) ? own : largestFitting(source.size, fits: fits)
        func frameSize(_ height: Int) -> FrameSize {
            if height == top.shortSide { return top }
            return height == own.shortSide ? own : scaled(source.size, shortSide: height)
        }
        var candidates = (heights ?? standardHeights).sorted(by: >).reduce(into: [Int]()) { list, height in
            if list.last != height { list.append(height) }
        }
        let fitting = candidates.filter { $0 <= source.size.shortSide && fits(frameSize($0)) }
        func isNearTop(_ height: Int) -> Bool { Double(height) >= Double(top.shortSide) * nearDuplicate }
        // The full ladder always includes the source's own size; requested heights only if none of them fits. If
        // H.264 does not allow the own size, the largest possible one replaces it, or a standard size close to that.
        let addsTop: Bool
        if heights != nil {
            addsTop = fitting.isEmpty
        } else {
            addsTop = !candidates.contains(top.shortSide) && (top == own || !fitting.contains(where: isNearTop))
        }
        if addsTop { candidates.append(top.shortSide) }
        // The list says why the own size is missing.
        if heights == nil, !candidates.contains(own.shortSide) { candidates.append(own.shortSide) }
        candidates.sort(by: >)
        var rungs: [Rung] = []
        var decisions: [LadderDecision] = []
        for height in candidates {
            let isTop = height == top.shortSide
            let size = frameSize(height)
            var rung = target.rung(height: height, size: size)
            func drop(_ reason: String) {
                decisions.append(LadderDecision(id: rung.id, size: size, verdict: .dropped, reason: reason))
            }
            if height > source.size.shortSide, !isTop {
                drop("the source is only \(source.size), and nothing is upscaled")
                continue
            }
            guard isTop || fits(size) else {
                drop("larger than \(target.codec.title) allows (\(coding.limit))")
                continue
            }
            guard size.shortSide >= coding.shortestSide else {
                drop("\(target.codec.title) needs \(coding.shortestSide) pixels on each side")
                continue
            }
            if addsTop, heights == nil, !isTop, isNearTop(height) {
                drop("too close to the source's own \(top.shortSide)p to be worth its bytes")
                continue
            }
            let limit = capRate(rung, frameRate: source.frameRate)
            let area = Double(size.pixels) / Double(max(source.size.pixels, 1))
            let ownLimit = Int64(clampedFrom: source.rateLimit(area: area) / coding.efficiency)
            let isCapped = source.bitRate > 0 && ownLimit < limit
            // A key frame every two seconds must be possible, however low the source's rate is.
            let least = Int64(clampedFrom: leastKeyFrame(size))
            let rates = encoderRates(
                cap: isCapped ? max(ownLimit, least) : limit, segmentSeconds: source.segmentSeconds,
                // x264 may need slightly more bits for a frame than the source's encoder did.
                keyFrameBits: isCapped
                    ? max(source.keyFrameBits * pow(area, 0.75) * 1.2 / coding.efficiency, leastKeyFrame(size)) : 0)
            (rung.maxRate, rung.bufferSize) = rates
            func expected(_ rung: Rung) -> Double {
                CostModel.expectedRate(rung, frameRate: source.frameRate, quality: source.quality)
            }
            if heights == nil, let larger = rungs.last, expected(rung) >= expected(larger) * nearlySameRate {
                drop("needs nearly the rate of \(larger.id), which shows more")
                continue
            }
            rungs.append(rung)
            var reason = isTop ? "the source's size" : "below the source's size"
            if isTop, addsTop { reason = "the source's own size" }
            if isTop, top != own {
                reason = "the largest size with the source's shape that \(target.codec.title) allows"
            }
            reason +=
                isCapped
                ? "; rate capped by the source's own at \(kilobits(ownLimit)), instead of \(kilobits(limit))"
                : "; at most \(kilobits(limit))"
            decisions.append(
                LadderDecision(id: rung.id, size: size, verdict: isCapped ? .capped : .kept, reason: reason))
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

    /// A rung in HDR gets this many times the rate of one in SDR, as in Apple's HLS authoring specification.
    private static let hdrRate = 1.2

    /// The highest useful bit rate for a rung, in bits per second: that of H.264, less what its codec saves.
    static func capRate(_ rung: Rung, frameRate: Rational) -> Int64 {
        let range = rung.dynamicRange == .sdr ? 1 : hdrRate
        let rate = Double(capRate(rung.size, frameRate: frameRate)) / rung.codec.coding.efficiency * range
        return Int64((rate / 1000).rounded()) * 1000
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

    /// The largest size with the source's aspect ratio that `fits` accepts.
    private static func largestFitting(_ size: FrameSize, fits: (FrameSize) -> Bool) -> FrameSize {
        let own = evenFloor(size.shortSide)
        for side in stride(from: own, through: 2, by: -2) {
            let candidate = scaled(size, shortSide: side)
            if fits(candidate) { return candidate }
        }
        // No even size has the shape of a frame that is thousands of times as long as it is wide.
        return FrameSize(width: min(evenFloor(size.width), 4096), height: min(evenFloor(size.height), 4096))
    }

    private static func evenFloor(_ value: Int) -> Int { max(2, value & ~1) }

    private static func kilobits(_ rate: Int64) -> String { "\((rate + 500) / 1000) kbit/s" }
}
