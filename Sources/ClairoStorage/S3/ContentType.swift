internal import ClairoCore
internal import Foundation

/// What a player or browser is told about an object. Sources have no extension, and nobody vouches for what they are.
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
