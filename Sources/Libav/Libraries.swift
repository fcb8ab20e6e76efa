internal import CFFmpeg
internal import CFFmpegLoader

/// FFmpeg's libraries. They are loaded with the first call of one of their functions, because that takes 80 ms.
public enum Libraries {
    /// The libraries, or one that they depend on, cannot be loaded.
    public struct LoadError: Error {
        /// The dynamic loader's reason, with the name of the library.
        public let reason: String
    }

    /// Loads the libraries, for example before a sandbox denies access to their files. Otherwise, the first call that needs
    /// them ends the process if they cannot be loaded.
    public static func load() throws(LoadError) {
        if let reason = clairo_load_libav() { throw LoadError(reason: String(cString: reason)) }
    }

    /// FFmpeg's version, for example `5.1.9-0+deb12u1`, or nil if the libraries cannot be loaded.
    public static var version: String? {
        guard clairo_load_libav() == nil else { return nil }
        return String(cString: av_version_info())
    }
}
