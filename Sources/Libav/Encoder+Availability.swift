internal import CFFmpeg

extension Encoder {
    /// Whether this libav has an encoder of this name.
    public static func isAvailable(_ name: String) -> Bool { avcodec_find_encoder_by_name(name) != nil }
}
