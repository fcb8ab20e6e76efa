public import ClairoCore
internal import Foundation

/// How a bucket delivers the objects of an output to players and caches.
///
/// A player loads a playlist often, and a long one has hundreds of kilobytes of text. All browsers and players accept
/// gzip, so an object in S3 needs no second form. `clairo.json` is not compressed, because programs read it with an SDK
/// of S3, and those do not decompress.
public struct ObjectDelivery: Sendable, Hashable {
    /// The default of `cacheControl`. The name of a segment never gets other bytes.
    public static let defaultCacheControl = "public, max-age=31536000, immutable"
    /// The default of `playlistCacheControl`. A repeated finish task replaces playlists.
    public static let defaultPlaylistCacheControl = "public, max-age=60"

    /// `Cache-Control` of segments, MP4 files and images; nil for none.
    public var cacheControl: String?
    /// `Cache-Control` of playlists, DASH manifests and `clairo.json`; nil for none.
    public var playlistCacheControl: String?
    /// How playlists, DASH manifests and WebVTT files are stored.
    public var playlistCompression: Compression

    /// A form in which text is stored.
    public enum Compression: String, Sendable {
        /// With `Content-Encoding: gzip`.
        case gzip
        /// As it is.
        case none
    }

    /// - Throws: `configuration` (78) if a value cannot be a header.
    public init(
        cacheControl: String? = defaultCacheControl, playlistCacheControl: String? = defaultPlaylistCacheControl,
        playlistCompression: Compression = .gzip
    ) throws(ClairoError) {
        for value in [cacheControl, playlistCacheControl].compactMap(\.self) {
            guard !value.isEmpty, value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else {
                throw .configuration(
                    "\(value.debugDescription) cannot be the value of the header Cache-Control",
                    advice: "Use a value such as \(Self.defaultPlaylistCacheControl), or none.")
            }
        }
        self.cacheControl = cacheControl
        self.playlistCacheControl = playlistCacheControl
        self.playlistCompression = playlistCompression
    }

    /// `Cache-Control` of an object of this type; nil for none.
    func cacheControl(of type: ContentType) -> String? {
        switch type.role {
        case .media: cacheControl
        case .playlist: playlistCacheControl
        case .other: nil
        }
    }
}
