internal import Foundation

/// Content keys by their ids, with the tracks that they are for.
public struct KeySet: Sendable, Hashable {
    /// The tracks and the ids of their keys, in the order of the file.
    public private(set) var tracks: [TrackKeyID] = []
    private var keys: [KeyID: ContentKey] = [:]

    public init() {}

    /// Adds a key.
    /// - Parameter track: See `TrackKeyID.track`.
    public mutating func add(_ key: ContentKey, id: KeyID, track: String = "") {
        tracks.append(TrackKeyID(track: track, keyID: id))
        keys[id] = key
    }

    /// The key with an id; nil if there is none.
    public subscript(_ id: KeyID) -> ContentKey? { keys[id] }

    /// The keys in the format of a key file, which `init(lines:name:)` reads. It is secret.
    public var revealed: String {
        tracks.map { track in
            (track.track.isEmpty ? "" : track.track + " ") + "\(track.keyID):\(keys[track.keyID]?.revealed ?? "")\n"
        }.joined()
    }
}

extension KeySet {
    /// Reads a key file.
    /// - Throws: `configuration` if it cannot be read or is not a key file.
    public init(file path: String) throws(ClairoError) {
        try self.init(lines: TextLines.read(path, kind: "key file"), name: path)
    }

    private static let advice =
        "Each line has KID:KEY in hexadecimal, 32 digits each, and before it, if the key is not for all tracks, "
        + "video, audio or the folder of a rendition such as video/1080p."

    /// Parses the lines of a key file. Errors name a line and never repeat it.
    /// - Parameter name: The name of the file.
    public init(lines: [String], name: String) throws(ClairoError) {
        self.init()
        for (index, line) in lines.enumerated() {
            let words = line.split(whereSeparator: \.isWhitespace)
            guard let last = words.last, words.first?.hasPrefix("#") == false else { continue }
            func problem(_ what: String) -> ClairoError {
                .configuration("The key file \(name), line \(index + 1): \(what)", advice: Self.advice)
            }
            let pair = last.split(separator: ":", omittingEmptySubsequences: false)
            guard words.count <= 2, pair.count == 2, let id = KeyID(pair[0]),
                let key = ContentKey(hexadecimal: pair[1])
            else { throw problem("it is not KID:KEY") }
            let track = words.count == 2 ? String(words[0]) : ""
            guard Self.isTrack(track) else { throw problem("its track is neither video, audio nor a folder of them") }
            guard !tracks.contains(where: { $0.track == track }) else { throw problem("its track already has a key") }
            guard keys[id] ?? key == key else { throw problem("its KID already has another key") }
            add(key, id: id, track: track)
        }
        guard !tracks.isEmpty else {
            throw .configuration("The key file \(name) has no key", advice: Self.advice)
        }
    }

    private static func isTrack(_ track: String) -> Bool {
        let parts = track.split(separator: "/", omittingEmptySubsequences: false)
        let kinds = [RenditionKind.video, .audio].map(OutputLayout.folder(of:))
        return track.isEmpty || parts.count <= 2 && kinds.contains(String(parts[0])) && !parts.contains("")
    }

    /// Checks that there is a key for each id of a protection.
    /// - Throws: `configuration` naming an id without a key.
    public func check(_ protection: Protection, of output: String) throws(ClairoError) {
        for track in protection.tracks where keys[track.keyID] == nil {
            throw .configuration(
                "There is no key with the id \(track.keyID), with which \(output) is encrypted",
                advice: "Give the key file that it was made with.")
        }
    }
}
