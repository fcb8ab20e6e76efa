public import ClairoCore

/// Deletes a video, its source and its output.
public struct VideoRemoval: Sendable {
    /// The outcome of a removal.
    public enum Outcome: Sendable {
        /// The video was deleted.
        case removed
        /// The video does not exist.
        case unknown
        /// A job is processing it.
        case busy
    }

    private let raw: any ObjectStore
    private let output: (any ObjectStore)?
    private let metadata: any VideoRecords

    /// - Parameter output: The store of renditions, or nil to keep them.
    public init(raw: any ObjectStore, output: (any ObjectStore)?, metadata: any VideoRecords) {
        self.raw = raw
        self.output = output
        self.metadata = metadata
    }

    /// Deletes bytes first and rows last, so a failed call can be repeated.
    public func remove(_ id: VideoID) async throws(ClairoError) -> Outcome {
        guard let video = try await metadata.video(id) else { return .unknown }
        guard video.state != .processing else { return .busy }
        try await onDedicatedThread(name: "delete") { [raw, output] () throws(ClairoError) in
            if let output {
                // The order does not matter. A player with an open playlist may find segments missing.
                for key in try output.list(prefix: OutputLayout.folder(of: id)) { try output.delete(key) }
            }
            try raw.delete(Video.sourceKey(id))
        }
        return try await metadata.deleteVideo(id) ? .removed : .unknown
    }
}
