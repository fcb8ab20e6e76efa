internal import ClairoCore
internal import Foundation

/// What playlists and manifests tell players about keys.
///
/// Sources: RFC 8216bis, 4.4.4.4 and 4.4.6.5; ISO/IEC 23009-1, 5.8.4.1; DASH-IF IOP, Content Protection, for ClearKey.
enum ProtectionSignalling {
    /// The DRM systems whose boxes HLS carries in the URI of a key, by the id in the box.
    private static let widevine = "edef8ba9-79d6-4ace-a3c8-27dcd51d21ed"

    // MARK: HLS

    /// Adds the tags of keys to a playlist that Clairo wrote: EXT-X-SESSION-KEY to the multivariant playlist, EXT-X-KEY to
    /// those of encrypted renditions. Other text stays as it is.
    static func addKeys(_ protection: Protection, to playlist: String, at key: ObjectKey) -> String {
        guard key.rawValue.hasSuffix(".m3u8") else { return playlist }
        var lines = playlist.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if key == OutputLayout.masterPlaylist {
            var ids: [KeyID] = []
            for track in protection.tracks where !ids.contains(track.keyID) { ids.append(track.keyID) }
            let added = ids.flatMap { tags("#EXT-X-SESSION-KEY", protection, $0) }
            let start = lines.firstIndex { $0.hasPrefix("#EXT-X-MEDIA:") || $0.hasPrefix("#EXT-X-STREAM-INF:") }
            lines.insert(contentsOf: added, at: start ?? max(lines.count - 1, 0))
            return lines.joined(separator: "\n")
        }
        let folder = OutputLayout.folder(of: key)
        guard Protection.protectedFolder(of: ObjectKey(folder + "/init.mp4")) != nil,
            let id = protection.keyID(of: folder),
            // The init segment is not encrypted, so the tags follow it.
            let start = firstEncrypted(lines, clear: protection.clearSegments ?? 0)
        else { return playlist }
        lines.insert(contentsOf: tags("#EXT-X-KEY", protection, id), at: start)
        return lines.joined(separator: "\n")
    }

    /// The index of the EXTINF of the first encrypted segment; nil if there is none.
    private static func firstEncrypted(_ lines: [String], clear: Int) -> Int? {
        var start: Int?
        for (index, line) in lines.enumerated() {
            if line.hasPrefix("#EXTINF:") { start = index }
            guard let entry = start, !line.hasPrefix("#"), !line.isEmpty else { continue }
            if OutputLayout.segmentNumber(of: ObjectKey(line)) ?? .max > clear { return entry }
            start = nil
        }
        return nil
    }

    private static func tags(_ name: String, _ protection: Protection, _ id: KeyID) -> [String] {
        let method =
            switch protection.scheme {
            case .aes128: "AES-128"
            case .cbcs: "SAMPLE-AES"
            case .cenc: "SAMPLE-AES-CTR"
            }
        func tag(_ uri: String, _ format: String) -> String {
            var attributes = ["METHOD=\(method)", "URI=\"\(uri)\""]
            if protection.scheme.encryptsSamples { attributes.append("KEYID=0x\(id)") }
            attributes += ["KEYFORMAT=\"\(format)\"", "KEYFORMATVERSIONS=\"1\""]
            return "\(name):" + attributes.joined(separator: ",")
        }
        var tags = [tag(protection.uri(of: id), "identity")]
        guard protection.scheme.encryptsSamples else { return tags }
        for box in protection.systemBoxes ?? [] where system(of: box) == widevine {
            tags.append(tag("data:text/plain;base64,\(box.base64EncodedString())", "urn:uuid:\(widevine)"))
        }
        for key in protection.drmKeyURIs ?? [] {
            tags.append(tag(key.uri.replacingOccurrences(of: "{kid}", with: id.description), key.keyFormat))
        }
        return tags
    }

    /// The id of the system in a `pssh` box, as a UUID.
    private static func system(of box: Data) -> String? {
        KeyID(box.dropFirst(12).prefix(16).hexadecimal)?.uuid
    }

    // MARK: DASH

    /// The namespaces of the elements that `contentProtection` names.
    static let namespaces = [("xmlns:cenc", "urn:mpeg:cenc:2013"), ("xmlns:dashif", "https://dashif.org/CPS")]

    /// An XML element: its name, its attributes, and its child with a text.
    typealias Description = (
        name: String, attributes: [(String, String)],
        child: (name: String, attributes: [(String, String)], text: String)?
    )

    /// The `ContentProtection` elements for a key: the scheme, ClearKey if there is a place for its licences, and the boxes
    /// of DRM systems.
    static func contentProtection(_ protection: Protection, _ id: KeyID) -> [Description] {
        let name = "ContentProtection"
        var elements: [Description] = [
            (
                name,
                [
                    ("schemeIdUri", "urn:mpeg:dash:mp4protection:2011"), ("value", protection.scheme.rawValue),
                    ("cenc:default_KID", id.uuid),
                ], nil
            )
        ]
        if let licences = protection.licenceURI {
            elements.append(
                (
                    name,
                    [("schemeIdUri", "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"), ("value", "ClearKey1.0")],
                    ("dashif:laurl", [("Lic_type", "EME-1.0")], licences)
                ))
        }
        for box in protection.systemBoxes ?? [] {
            guard let system = system(of: box) else { continue }
            elements.append(
                (name, [("schemeIdUri", "urn:uuid:\(system)")], ("cenc:pssh", [], box.base64EncodedString())))
        }
        return elements
    }
}
