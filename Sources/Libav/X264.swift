internal import CFFmpeg

/// The x264 that libav encodes H.264 with.
public enum X264 {
    /// The build of the library in this process (`X264_BUILD`), or nil where libav has no x264.
    public static let build: Int? = {
        let build = Int(clairo_x264_build())
        return build == 0 ? nil : build
    }()
}
