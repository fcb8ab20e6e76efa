internal import ClairoCore
internal import Foundation

/// The type of an object, from its key. Sources do not get their own types, because their names and contents are
/// untrusted.
struct ContentType {
    /// What an object is for a cache.
    enum Role {
        /// Refers to other objects, and may be replaced.
        case playlist
        /// Segments, MP4 files, images and subtitles.
        case media
        /// Not part of an output.
        case other
    }

    /// The value of the header Content-Type.
    let value: String
    let role: Role
    /// Whether players load it as text, so that it may be compressed.
    let isText: Bool

    init(of key: ObjectKey) {
        (value, role, isText) =
            switch (key.rawValue as NSString).pathExtension.lowercased() {
            case "m3u8": ("application/vnd.apple.mpegurl", .playlist, true)
            case "mpd": ("application/dash+xml", .playlist, true)
            case "m4s": ("video/iso.segment", .media, false)
            case "mp4": ("video/mp4", .media, false)
            case "m4a": ("audio/mp4", .media, false)
            case "jpg", "jpeg": ("image/jpeg", .media, false)
            case "png": ("image/png", .media, false)
            case "webp": ("image/webp", .media, false)
            case "vtt": ("text/vtt; charset=utf-8", .media, true)
            case "json": ("application/json", Self.isManifest(key) ? .playlist : .other, false)
            default: ("application/octet-stream", .other, false)
            }
    }

    private static func isManifest(_ key: ObjectKey) -> Bool {
        OutputLayout.fileName(of: key) == OutputLayout.manifest.rawValue
    }
}
