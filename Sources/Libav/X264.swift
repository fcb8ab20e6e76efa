internal import CFFmpegLoader

/// The x264 library that libav uses to encode H.264.
public enum X264 {
    /// The build of the library in this process (`X264_BUILD`), or nil if libav has no x264.
    public static let build: Int? = {
        let build = Int(clairo_x264_build())
        return build == 0 ? nil : build
    }()
}
