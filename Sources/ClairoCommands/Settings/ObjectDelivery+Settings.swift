internal import ClairoCore
internal import ClairoStorage

extension ObjectDelivery {
    /// The settings of which it consists.
    static let keys: [Settings.Key] = [.cacheControl, .playlistCacheControl, .playlistCompression]

    /// - Parameter value: Returns the value of a setting. An empty value counts as not set.
    /// - Throws: `configuration` (78) if a value is invalid.
    init(_ value: (Settings.Key) -> String?) throws(ClairoError) {
        func text(_ key: Settings.Key, _ standard: String) -> String {
            value(key).flatMap { $0.isEmpty ? nil : $0 } ?? standard
        }
        func header(_ key: Settings.Key, _ standard: String) -> String? {
            let text = text(key, standard)
            return text == "none" ? nil : text
        }
        let compression = text(.playlistCompression, Compression.gzip.rawValue)
        guard let compression = Compression(rawValue: compression) else {
            throw .configuration(
                "\(Settings.Key.playlistCompression.rawValue) is neither gzip nor none: \(compression)")
        }
        try self.init(
            cacheControl: header(.cacheControl, Self.defaultCacheControl),
            playlistCacheControl: header(.playlistCacheControl, Self.defaultPlaylistCacheControl),
            playlistCompression: compression)
    }
}
