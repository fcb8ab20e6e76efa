public import ClairoCore

/// Removes a video with everything that was made of it.
public struct VideoRemoval: Sendable {
    public enum Outcome: Sendable {
        case removed
        case unknown
        /// A job is at work on it.
        case busy
    }

    private let raw: any ObjectStore
    private let output: (any ObjectStore)?
    private let metadata: any MetadataStore

    /// - Parameter output: where renditions lie; nil leaves them.
    public init(raw: any ObjectStore, output: (any ObjectStore)?, metadata: any MetadataStore) {
        self.raw = raw
        self.output = output
        self.metadata = metadata
    }

    /// Bytes first and rows last, so a call that failed half-way can be made again.
    public func remove(_ id: VideoID) async throws(ClairoError) -> Outcome {
        guard let video = try await metadata.video(id) else { return .unknown }
        guard video.state != .processing else { return .busy }
        try await blocking("delete") { [raw, output] () throws(ClairoError) in
            if let output {
                // The playlists go first in no order of ours: a player that has them meets missing segments at worst.
                for key in try output.list(prefix: "videos/\(id)/") { try output.delete(key) }
            }
            try raw.delete(Video.sourceKey(id))
        }
        return try await metadata.deleteVideo(id) ? .removed : .unknown
    }
}
