internal import ClairoCore
internal import Foundation

/// The bit rate that H.264 needs for the busiest part of a source, according to the sizes of the source's frames.
///
/// An average says little: a slide that is shown for 45 s hides the rate of the film after it. So the rate is the
/// highest over any span as long as one of the output's GOPs. A GOP is the shortest part that the encoder's buffer of
/// one second cannot smooth, and contains one key frame in the output. The peak over a segment, which consists of
/// GOPs, is never higher.
struct SourceRate: Hashable {
    /// The highest rate over the length of a GOP, in bits per second.
    var peak: Int64
    /// The size of the largest key frame in bits.
    var keyFrameBits: Double

    /// The bits that H.264 needs for what this codec, by libav's name, stores in one bit. Nil if the sizes of its
    /// frames cannot be compared.
    ///
    /// - HEVC saves 44 % against H.264 by PSNR and 59 % by viewers' judgement (Tan et al., "Video Quality Evaluation
    ///   Methodology and Verification Testing of HEVC Compression Performance", IEEE TCSVT 26(1), 2016). 50 % is used.
    /// - AV1 saves 46 % against x264 High and 34 % against VP9 ("AV1 beats x264 and libvpx-vp9 in practical use case",
    ///   Facebook Engineering, 2018), and 63 % against x264 with newer encoders at 8K ("Performance Comparison of VVC,
    ///   AV1, HEVC and AVC for High Resolutions", doi:10.20944/preprints202402.0869.v1). 55 % is used.
    /// - VP9 saves 18 % by the first two figures of the former. HEVC saves 20 % against VP9 by VMAF ("Netflix Finds
    ///   x265 20% More Efficient than VP9", streamingmedia.com, 2016), which is 37 % against H.264 for the figure used
    ///   here. The larger is used.
    /// - Older codecs with motion compensation need more bits than H.264. Their rates are not reduced, because a limit
    ///   that is too low costs quality, and one that is too high nothing: quality is constant below it.
    /// - Codecs that are lossless or have key frames only are not compared: a GIF of flat areas may be smaller.
    static func bitsAsH264(_ codec: String) -> Double? {
        switch codec {
        case "h264", "mpeg4", "mpeg2video", "mpeg1video", "h263", "flv1", "msmpeg4v1", "msmpeg4v2", "msmpeg4v3", "wmv1",
            "wmv2", "wmv3", "vc1", "vp8", "theora":
            1
        case "vp9": 1.6
        case "hevc": 2
        case "av1": 2.2
        default: nil
        }
    }

    /// Nil if the codec cannot be compared or there are no frames.
    /// - Parameters:
    ///   - codec: libav's name of the codec.
    ///   - pts: The sorted presentation times of all frames, in ticks.
    ///   - sizes: Their sizes in bytes, in the same order.
    ///   - keyFrames: The sorted presentation times of the key frames, in ticks.
    ///   - timeBase: The length of a tick in seconds.
    ///   - duration: The duration of the source in seconds.
    ///   - gopSeconds: The length of a GOP of the output.
    init?(
        codec: String, pts: [Int64], sizes: [Int32], keyFrames: [Int64], timeBase: Rational, duration: Double,
        gopSeconds: Double
    ) {
        guard let factor = Self.bitsAsH264(codec), let first = pts.first, let last = pts.last,
            sizes.count == pts.count, timeBase > .zero, !last.subtractingReportingOverflow(first).overflow
        else { return nil }
        // A source of a few frames says nothing about the rate of a shorter span.
        let seconds = max(min(gopSeconds, duration), 0.5)
        let span = max(1, Int64(clampedFrom: seconds / timeBase.doubleValue))
        var (leaving, largest) = (0, Int64(0))
        var (entered, left) = (KeyFrameCursor(times: keyFrames), KeyFrameCursor(times: keyFrames))
        // Bytes in the current span, and the sizes of the latest and of the largest key frame so far.
        var (other, key, latestKey, largestKey) = (Int64(0), Int64(0), Int64(0), Int64(0))
        for (time, size) in zip(pts, sizes) {
            let bytes = Int64(max(size, 0))
            if entered.contains(time) {
                key += bytes
                latestKey = bytes
                largestKey = max(largestKey, bytes)
            } else {
                other += bytes
            }
            while time - pts[leaving] >= span {
                let gone = Int64(max(sizes[leaving], 0))
                if left.contains(pts[leaving]) { key -= gone } else { other -= gone }
                leaving += 1
            }
            // The output has a key frame in each GOP, even if the source has none there.
            largest = max(largest, other + max(key, latestKey))
        }
        guard largest > 0 else { return nil }
        peak = Int64(clampedFrom: Double(largest) * 8 * factor / seconds)
        keyFrameBits = Double(largestKey) * 8 * factor
    }

    /// Finds times in a sorted list. The times that are asked for must not decrease.
    private struct KeyFrameCursor {
        let times: [Int64]
        var position = 0

        init(times: [Int64]) { self.times = times }

        mutating func contains(_ time: Int64) -> Bool {
            while position < times.count, times[position] < time { position += 1 }
            return position < times.count && times[position] == time
        }
    }
}
