internal import ClairoCore
internal import Libav

/// Whether video in Dolby Vision can be decoded without Dolby Vision. Its metadata, which Clairo ignores, is only an
/// addition if the base layer is HDR10, HLG or SDR by itself.
enum DolbyVision {
    /// Why a stream cannot be transcoded, or nil.
    static func refusal(of stream: StreamInfo, name: String) -> ClairoError? {
        guard let profile = stream.dolbyVisionProfile,
            !hasCompatibleBase(profile: profile, compatibility: stream.dolbyVisionCompatibility ?? 0)
        else { return nil }
        return .badMedia(
            "\(name): its video is Dolby Vision profile \(profile), which has no base layer in HDR10, HLG or SDR; "
                + "without Dolby Vision its colours are wrong",
            advice: "Export it as HDR10, HLG or Dolby Vision profile 8.")
    }

    /// Whether the base layer is a usual format: always in profiles 4 and 9 (SDR) and 7 and 8, never in 5 (IPT), and
    /// otherwise if `dv_bl_signal_compatibility_id` names one.
    static func hasCompatibleBase(profile: Int, compatibility: Int) -> Bool {
        switch profile {
        case 4, 7, 8, 9: true
        case 5: false
        default: compatibility != 0
        }
    }
}
