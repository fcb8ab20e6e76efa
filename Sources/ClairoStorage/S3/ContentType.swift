internal import ClairoCore
internal import Foundation

/// The Content-Type of an object. Sources have none of their own, because their names and contents are untrusted.
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
