public import Foundation
internal import OpenSSL

/// How an output is encrypted, as its plan says it: the scheme, the ids of the keys, and what players are told about
/// them. It holds no key.
public struct Protection: Sendable, Codable, Hashable {
    /// The scheme.
    public var scheme: EncryptionScheme
    /// The key of each track.
    public var tracks: [TrackKeyID]
    /// Where players get a key. `{kid}` stands for its id in hexadecimal.
    public var keyURI: String
    /// The keys of DRM systems in HLS, in addition to `keyURI`.
    public var drmKeyURIs: [DRMKeyURI]?
    /// `pssh` boxes of DRM systems (ISO/IEC 23001-7, 8.1), whole.
    public var systemBoxes: [Data]?
    /// The number of segments at the start of each rendition that are not encrypted.
    public var clearSegments: Int?

    public init(
        scheme: EncryptionScheme, tracks: [TrackKeyID], keyURI: String, drmKeyURIs: [DRMKeyURI]? = nil,
        systemBoxes: [Data]? = nil, clearSegments: Int? = nil
    ) {
        self.scheme = scheme
        self.tracks = tracks
        self.keyURI = keyURI
        self.drmKeyURIs = drmKeyURIs
        self.systemBoxes = systemBoxes
        self.clearSegments = clearSegments
    }

    /// The key of a DRM system in HLS.
    public struct DRMKeyURI: Sendable, Codable, Hashable {
        /// The value of KEYFORMAT, such as `com.apple.streamingkeydelivery`.
        public var keyFormat: String
        /// The URI, in which `{kid}` stands for the id of the key.
        public var uri: String

        public init(keyFormat: String, uri: String) {
            self.keyFormat = keyFormat
            self.uri = uri
        }
    }
}

/// The id of the key of one track, of all tracks of a kind, or of all tracks.
public struct TrackKeyID: Sendable, Codable, Hashable {
    /// The folder of a rendition (`video/1080p`), the folder of a kind (`video`), or empty for all others.
    public var track: String
    /// The id of the key.
    public var keyID: KeyID

    public init(track: String, keyID: KeyID) {
        self.track = track
        self.keyID = keyID
    }
}

extension Protection {
    /// The key of the rendition in a folder: the one for the rendition, or else for its kind, or else for all. Nil if there
    /// is none.
    public func keyID(of folder: String) -> KeyID? {
        let kind = String(folder.prefix { $0 != "/" })
        for track in [folder, kind, ""] {
            if let found = tracks.first(where: { $0.track == track }) { return found.keyID }
        }
        return nil
    }

    /// The initialization vector of all samples of a rendition with `cbcs`: 16 bytes, which are public.
    public func constantIV(of folder: String) -> [UInt8] {
        let id = keyID(of: folder)?.description ?? ""
        return Array(Digest.sha256("clairo iv of \(folder) with \(id)".utf8).prefix(AES128.blockSize))
    }

    /// Where players get a key.
    public func uri(of key: KeyID) -> String { keyURI.replacingOccurrences(of: "{kid}", with: key.description) }

    /// Where players get licences of ClearKey: `keyURI` without the id of the key at its end. Nil if the id is elsewhere.
    public var licenceURI: String? {
        guard keyURI.hasSuffix("/{kid}") else { return nil }
        return String(keyURI.dropLast("/{kid}".count))
    }

    /// The rendition that an object belongs to, if the object holds media that is encrypted; nil for playlists, text,
    /// images and all other objects.
    ///
    /// What is not known to be harmless counts as media, so that a new kind of object is refused rather than published in
    /// clear.
    public static func protectedFolder(of key: ObjectKey) -> String? {
        let parts = key.rawValue.split(separator: "/")
        let folders = [RenditionKind.video, .audio].map(OutputLayout.folder(of:)) + [OutputLayout.progressiveFolder]
        guard parts.count > 1, folders.contains(String(parts[0])), !key.rawValue.hasSuffix(".m3u8") else { return nil }
        return parts.prefix(2).joined(separator: "/")
    }
}
