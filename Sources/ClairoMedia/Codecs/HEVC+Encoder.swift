internal import ClairoCore
internal import Foundation
internal import Libav

extension HEVC {
    static let encoder = "libx265"

    /// Opens x265. Without a pool and with one frame at a time, the bytes depend on the frames alone. Parameter sets
    /// and HDR metadata come with every key frame, and `sample` leaves out what only the sample entry holds.
    static func openEncoder(
        _ rung: Rung, of video: VideoPlan, settings: TranscodeSettings, first frame: Frame
    ) throws -> Encoder {
        let gop = video.grid.gopFrames
        var parameters = [
            "log-level=none", "pools=none", "frame-threads=1", "repeat-headers=1", "info=0", "high-tier=0",
            "scenecut=0", "open-gop=0", "keyint=\(gop)", "min-keyint=\(gop)",
            "rc-lookahead=\(lookahead(settings.preset, gopFrames: gop))",
        ]
        if rung.dynamicRange == .hdr10, let hdr = video.hdr {
            if let display = hdr.masteringDisplay { parameters.append("master-display=\(display.x265)") }
            if let light = hdr.contentLight {
                parameters.append("max-cll=\(light.maxContent),\(light.maxFrameAverage)")
            }
        }
        return try Encoder(
            video: VideoEncoderSettings(
                encoder, rung, of: video,
                options: [
                    ("preset", preset(settings.preset)), ("crf", String(rateFactor(quality: settings.quality))),
                    ("profile", rung.bitDepth > 8 ? "main10" : "main"),
                    ("x265-params", parameters.joined(separator: ":")),
                ]),
            first: frame)
    }

    /// x265's CRF for the quality of x264 at a CRF.
    ///
    /// Measured at `medium` on four clips of 432 and 480 lines: the VMAF of x264 at CRF 20, 23, 26, 30 and 34 needs
    /// 19.1, 22.0, 25.7, 30.0 and 34.6 on average, and this line gives 18.8, 22.0, 25.3, 29.6 and 33.9.
    static func rateFactor(quality: Double) -> Double {
        min(51, max(0, (quality * 1.08 - 2.8) * 10).rounded() / 10)
    }

    /// The x265 preset whose cost, compared with `medium`, is nearest to that of x264's.
    ///
    /// On a clip of 480 lines, x264 takes 1.4, 2.4 and 4.7 times the time of `medium` for `slow`, `slower` and
    /// `veryslow`; x265 takes 2.4, 11 and 18 times, and `slower` saves less than 3 % at the same VMAF.
    static func preset(_ preset: String) -> String {
        switch preset {
        case "slower": "slow"
        case "veryslow": "slower"
        default: preset
        }
    }

    /// Measured with x265 on one core (BBB, 480 lines, 24 fps).
    static func encodeCost(_ preset: String) -> Double {
        switch Self.preset(preset) {
        case "ultrafast": 0.022
        case "superfast": 0.032
        case "veryfast": 0.040
        case "faster": 0.044
        case "fast": 0.052
        case "slow": 0.14
        case "slower": 0.61
        default: 0.060
        }
    }

    /// As in Apple's HLS authoring specification. The clips of `rateFactor` needed 1.18, 1.43 and 1.54 times as many
    /// bits in H.264 at CRF 23, 26 and 28.
    static let efficiency = 1.33

    /// Measured at 1080p: 71 frames with a lookahead of 5, 119 with 20.
    static func heldFrames(_ preset: String, gopFrames: Int) -> Double {
        55 + 3.2 * Double(lookahead(preset, gopFrames: gopFrames))
    }

    /// The lookahead of an x265 preset in frames (`x265 --fullhelp`), limited as that of x264.
    static func lookahead(_ preset: String, gopFrames: Int) -> Int {
        let usual =
            switch Self.preset(preset) {
            case "ultrafast": 5
            case "superfast": 10
            case "veryfast", "faster", "fast": 15
            case "slow": 25
            case "slower", "veryslow": 40
            default: 20
            }
        return min(usual, max(10, gopFrames / 2))
    }
}

extension MasteringDisplay {
    /// In the units of the box, as x265 takes it.
    fileprivate var x265: String {
        func point(_ point: Chromaticity) -> String { "(\(point.x),\(point.y))" }
        return "G\(point(green))B\(point(blue))R\(point(red))WP\(point(whitePoint))L(\(maxLuminance),\(minLuminance))"
    }
}
