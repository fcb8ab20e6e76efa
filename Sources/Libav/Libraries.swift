internal import CFFmpegLoader

/// FFmpeg's libraries. They are loaded with the first call of one of their functions, because that takes up to 100 ms.
public enum Libraries {
    /// The libraries, or one that they depend on, cannot be loaded.
    public struct LoadError: Error {
        /// The dynamic loader's reason, or a version that is too old, with the name of the library.
        public let reason: String
    }

    /// Loads the libraries, for example before a sandbox denies access to their files. Otherwise, the first call that needs
    /// them ends the process if they cannot be loaded.
    public static func load() throws(LoadError) {
        var reason = [CChar](repeating: 0, count: 500)
        guard clairo_load_libav(&reason, reason.count) == 0 else { return }
        throw LoadError(reason: String(nullTerminated: reason))
    }

    /// FFmpeg's version, for example `5.1.9-0+deb12u1`, or nil if libavutil cannot be loaded. Loads only that library.
    public static var version: String? { clairo_libav_version().map { String(cString: $0) } }
}
