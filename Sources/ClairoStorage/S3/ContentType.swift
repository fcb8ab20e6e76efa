internal import ClairoCore
internal import Foundation

/// The Content-Type of an object, from the extension of its key. Sources do not get their own types, because their
/// names and contents are untrusted.
enum ContentType {
    static func of(_ key: ObjectKey) -> String {
        switch (key.rawValue as NSString).pathExtension.lowercased() {
        case "m3u8": "application/vnd.apple.mpegurl"
        case "mpd": "application/dash+xml"
        case "m4s": "video/iso.segment"
        case "mp4": "video/mp4"
        case "jpg", "jpeg": "image/jpeg"
        case "png": "image/png"
        case "vtt": "text/vtt; charset=utf-8"
        case "json": "application/json"
        default: "application/octet-stream"
        }
    }
}
