internal import Foundation
internal import OpenSSL

/// The secret from which the pipeline derives the keys of all videos, so that it need not store them.
///
/// A key is HKDF-SHA256 (RFC 5869) of the secret with the ids of the video and of the key as info. Who knows a key
/// learns nothing about others.
public struct MasterSecret: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The tracks that have a key of their own. Different keys let a DRM service demand more of a device for video.
    private static let tracks = [RenditionKind.video, .audio].map(OutputLayout.folder(of:))
    /// A secret has at least this many characters, which in hexadecimal are 128 bits.
    private static let fewestCharacters = 32

    private let bytes: [UInt8]

    /// - Parameter text: The secret, such as that of `openssl rand -hex 32`.
    /// - Throws: `configuration` if it is too short to be a secret.
    public init(_ text: String) throws(ClairoError) {
        guard text.utf8.count >= Self.fewestCharacters else {
            throw .configuration(
                "The master secret has fewer than \(Self.fewestCharacters) characters",
                advice: "Make one with: openssl rand -hex 32")
        }
        bytes = Array(text.utf8)
    }

    /// The keys of a video: one for video, one for audio.
    public func keys(of video: VideoID) -> KeySet {
        var set = KeySet()
        for track in Self.tracks {
            let id = KeyID(of: track, in: video)
            if let key = key(id, of: video) { set.add(key, id: id, track: track) }
        }
        return set
    }

    private func key(_ id: KeyID, of video: VideoID) -> ContentKey? {
        ContentKey(
            KeyDerivation.sha256(
                secret: bytes, salt: "clairo content key".utf8, info: "\(video)/\(id)".utf8, count: AES128.blockSize))
    }

    public var description: String { "***" }
    public var debugDescription: String { "***" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
