public import ClairoCore

/// Removes the bytes of a video whose deletion was requested, then its rows.
///
/// A worker that does not know yet that its claim is void may write until its lease ends, and a request that it has begun
/// may arrive even later (`Deletion.quietAt`). So the bytes are removed twice if a worker held a task: at once, and after
/// that time. Only the second pass deletes the rows. A process that was suspended in the middle of a request can still
/// write after that. So the folders are looked at once more a day later, when only the tombstone is left.
///
/// Every step can be repeated and may run in several processes at once.
public struct VideoRemoval: Sendable {
    private let metadata: any VideoRecords & DeletionRecords
    private let raw: any BackingStore & MultipartStore
    private let output: any BackingStore & MultipartStore
    private let isDryRun: Bool
    /// The delay of the next attempt after a failure.
    private static let retrySeconds = 300.0

    public init(
        metadata: any VideoRecords & DeletionRecords, raw: any BackingStore & MultipartStore,
        output: any BackingStore & MultipartStore, isDryRun: Bool = false
    ) {
        self.metadata = metadata
        self.raw = raw
        self.output = output
        self.isDryRun = isDryRun
    }

    /// Removes all bytes that are there, and if no worker can write any more, the rows.
    /// - Parameters:
    ///   - mayContinue: Called before each page of objects. Throws to stop.
    ///   - onRemove: Called for each object, before it is removed.
    /// - Returns: What was removed. `videos` is 1 if this call completed the deletion.
    public func advance(
        _ deletion: Deletion, mayContinue: @escaping @Sendable () async throws(ClairoError) -> Void = {},
        onRemove: @escaping @Sendable (ObjectKey) -> Void = { _ in }
    ) async throws(ClairoError) -> UpkeepReport {
        let id = deletion.videoID
        var report = UpkeepReport()
        do throws(ClairoError) {
            // A source that a storage event registered lies elsewhere. Its owner deletes it.
            for store in [output, raw] {
                let remover = ObjectRemover(
                    store: store, isDryRun: isDryRun, mayContinue: mayContinue, onRemove: onRemove)
                let folder = OutputLayout.folder(of: id)
                report += try await remover.abortUploads(under: folder)
                report += try await remover.removeObjects(under: folder)
                report += try await remover.removePartialObjects(under: folder, olderThanSeconds: 0)
            }
        } catch {
            if !isDryRun, error.kind != .cancelled {
                try await metadata.scheduleDeletion(
                    of: id, .after(seconds: Self.retrySeconds), failure: Failure(error))
            }
            throw error.whileDoing("Deleting video \(id)")
        }
        if isDryRun {
            report.videos = deletion.finishedAt == nil ? 1 : 0
        } else if deletion.finishedAt != nil {
            try await metadata.scheduleDeletion(of: id, .never, failure: nil)
        } else if deletion.isQuiet {
            if try await metadata.deleteVideo(id) { report.videos = 1 }
        } else {
            try await metadata.scheduleDeletion(of: id, .whenQuiet, failure: nil)
        }
        return report
    }
}
