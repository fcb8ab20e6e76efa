internal import CFFmpeg

extension Libraries {
    /// Whether libav's FLV demuxer reads a codec that enhanced RTMP names by a FourCC, such as `hvc1`.
    public static func readsEnhancedFLV(_ fourCC: String) -> Bool {
        switch clairo_enhanced_flv() {
        case 0: false
        case 1: ["hvc1", "av01", "vp09"].contains(fourCC)
        default: true
        }
    }
}
