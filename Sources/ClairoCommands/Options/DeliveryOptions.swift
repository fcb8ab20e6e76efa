internal import ArgumentParser
internal import ClairoCore
internal import ClairoStorage

/// How S3 delivers an output.
struct DeliveryOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Cache-Control of segments, MP4 files and images in S3, or none (default: \(ObjectDelivery.defaultCacheControl)).",
            valueName: "value"))
    var cacheControl: String?

    @Option(
        help: ArgumentHelp(
            "Cache-Control of playlists and manifests in S3, or none (default: \(ObjectDelivery.defaultPlaylistCacheControl)).",
            valueName: "value"))
    var playlistCacheControl: String?

    @Option(
        help: ArgumentHelp("Compression of playlists in S3: gzip or none (default: gzip).", valueName: "kind"))
    var playlistCompression: String?

    /// The values of these options by setting.
    var flags: [(Settings.Key, String?)] {
        [
            (.cacheControl, cacheControl), (.playlistCacheControl, playlistCacheControl),
            (.playlistCompression, playlistCompression),
        ]
    }

    /// For a command without settings: the flags, or else the environment.
    func delivery(_ environment: CommandEnvironment) throws(ClairoError) -> ObjectDelivery {
        let given = Dictionary(uniqueKeysWithValues: flags)
        return try ObjectDelivery { key in (given[key] ?? nil) ?? environment.variables[key.environmentName] }
    }
}
