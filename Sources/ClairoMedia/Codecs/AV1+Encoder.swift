internal import ClairoCore
internal import Foundation
internal import Libav

extension AV1 {
    static let encoder = "libsvtav1"

    /// Opens SVT-AV1. With one logical processor and without scene changes, the bytes depend on the frames alone.
    static func openEncoder(
        _ rung: Rung, of video: VideoPlan, settings: TranscodeSettings, first frame: Frame
    ) throws -> Encoder {
        var parameters = ["lp=1", "scd=0"]
        if rung.dynamicRange == .hdr10, let hdr = video.hdr {
            if let display = hdr.masteringDisplay { parameters.append("mastering-display=\(display.svtAV1)") }
            if let light = hdr.contentLight {
                parameters.append("content-light=\(light.maxContent),\(light.maxFrameAverage)")
            }
        }
        var settings = VideoEncoderSettings(
            encoder, rung, of: video,
            options: [
                ("preset", "\(preset(settings.preset))"), ("crf", "\(rateFactor(quality: settings.quality))"),
                ("svtav1-params", parameters.joined(separator: ":")),
            ])
        // SVT-AV1 refuses a decoder buffer of more than ten seconds at the maximum rate.
        settings.maxRate = max(settings.maxRate, (settings.bufferSize + 9) / 10)
        let limited = settings
        return try EncoderThreads.opening { try Encoder(video: limited, first: frame) }
    }

    /// On three clips of 480 lines, frames in SDR need 5 to 11 % fewer bits in 10 bits than in 8 for the same VMAF, and
    /// 1.2 times the CPU time. The next slower preset saves 2 to 3 % for 1.4 times. Every decoder of the Main profile
    /// decodes both.
    static let sdrBitDepth = 10

    /// SVT-AV1's preset whose cost, compared with 8, is nearest to that of x264's, compared with `medium`: on a clip of
    /// 480 lines, presets 12 to 4 take 0.25, 0.32, 0.5, 0.65, 1, 1.4, 2, 4.3 and 7.6 times the time of preset 8.
    static func preset(_ preset: String) -> Int {
        switch preset {
        case "ultrafast": 12
        case "superfast": 11
        case "veryfast": 10
        case "faster", "fast": 9
        case "slow": 7
        case "slower": 6
        case "veryslow": 5
        default: 8
        }
    }

    /// Measured with SVT-AV1 1.4 in 10 bits on one core (BBB, 480 lines, 24 fps).
    static func encodeCost(_ preset: String) -> Double {
        switch Self.preset(preset) {
        case 12: 0.018
        case 11: 0.024
        case 10: 0.036
        case 9: 0.048
        case 7: 0.10
        case 6: 0.15
        case 5: 0.32
        default: 0.074
        }
    }

    /// The clips of `rateFactor` needed 1.6 to 3.2 times as many bits in H.264 at CRF 23, and 2.0 to 4.2 at CRF 26 and
    /// 28.
    static let efficiency = 2.0

    /// Measured at 1080p: 92 frames with preset 12, 115 with preset 8, 148 with preset 4.
    static func heldFrames(_ preset: String, gopFrames: Int) -> Double { 196 - 9 * Double(Self.preset(preset)) }

    /// Those of the stream itself: SVT-AV1 writes its extradata before it decides which tools the stream uses.
    static func parameterSets(of encoder: Encoder, first packet: Data) -> Data { packet }

    /// SVT-AV1's CRF for the quality of x264 at a CRF.
    ///
    /// Measured at `medium` on four clips of 432 and 480 lines: the VMAF of x264 at CRF 20, 23, 26, 28 and 30 needs
    /// 24, 31, 42, 48 and 53 on average in 10 bits (one less in 8 bits), and this line gives 21, 31, 41, 48 and 55.
    static func rateFactor(quality: Double) -> Int { Int(min(63, max(1, 31 + (quality - 23) * 3.4)).rounded()) }
}

extension MasteringDisplay {
    /// With decimal fractions, as SVT-AV1 takes it.
    fileprivate var svtAV1: String {
        func point(_ point: Chromaticity) -> String {
            String(format: "(%.5f,%.5f)", Double(point.x) / 50_000, Double(point.y) / 50_000)
        }
        return "G\(point(green))B\(point(blue))R\(point(red))WP\(point(whitePoint))"
            + String(format: "L(%.4f,%.4f)", Double(maxLuminance) / 10_000, Double(minLuminance) / 10_000)
    }
}
