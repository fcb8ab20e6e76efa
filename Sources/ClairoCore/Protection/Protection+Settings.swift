internal import Foundation

extension Protection {
    /// The most bytes of a URI.
    private static let longestURI = 2000

    /// Whether a text can be a URI in a playlist and in a manifest.
    static func isURI(_ text: String) -> Bool {
        (1...longestURI).contains(text.utf8.count)
            && text.utf8.allSatisfy { (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }
    }

    /// A `pssh` box from base64; nil for anything else.
    static func systemBox(_ text: String) -> Data? {
        guard let box = Data(base64Encoded: text), (32...64 << 10).contains(box.count),
            box.prefix(4).reduce(0, { $0 << 8 | Int($1) }) == box.count, box.dropFirst(4).prefix(4) == Data("pssh".utf8)
        else { return nil }
        return box
    }

    /// The protection that settings ask for; nil for clear output.
    /// - Parameters:
    ///   - keys: The keys of the output.
    ///   - video: The video in the pipeline, for `{video}` in the URI of keys.
    ///   - defaultURI: The URI of keys if the settings have none.
    /// - Throws: `usage` for a URI that names a video if there is none.
    public init?(
        _ settings: TranscodeSettings, keys: KeySet, video: VideoID? = nil, defaultURI: String
    ) throws(ClairoError) {
        guard let scheme = settings.encrypt else { return nil }
        func resolved(_ uri: String) throws(ClairoError) -> String {
            guard uri.contains("{video}") else { return uri }
            guard let video else {
                throw .usage("{video} in a URI of keys has a value in the pipeline only", advice: "Use {kid} alone.")
            }
            return uri.replacingOccurrences(of: "{video}", with: video.rawValue)
        }
        self.init(
            scheme: scheme, tracks: keys.tracks, keyURI: try resolved(settings.keyURI ?? defaultURI),
            systemBoxes: settings.systemBoxes.map { $0.compactMap(Self.systemBox) },
            clearSegments: settings.clearLead > 0
                ? Int((settings.clearLead / settings.segmentSeconds).rounded(.up)) : nil)
        if let texts = settings.drmKeyURIs {
            var uris: [DRMKeyURI] = []
            for uri in texts.compactMap(DRMKeyURI.init) {
                uris.append(DRMKeyURI(keyFormat: uri.keyFormat, uri: try resolved(uri.uri)))
            }
            drmKeyURIs = uris
        }
    }
}

extension Protection.DRMKeyURI {
    /// Parses `KEYFORMAT=URI`; nil for anything else.
    init?(_ text: String) {
        guard let sign = text.firstIndex(of: "=") else { return nil }
        self.init(keyFormat: String(text[..<sign]), uri: String(text[text.index(after: sign)...]))
        guard Protection.isURI(keyFormat), Protection.isURI(uri) else { return nil }
    }
}
