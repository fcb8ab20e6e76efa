public import ClairoCore
internal import Foundation

/// The capabilities that uploads need from the raw store.
public typealias UploadStore = BackingStore & MultipartStore & PresigningStore

/// The last step of every upload: probes the source, then writes the video's row and its message in one transaction. So
/// a row never refers to missing bytes, and a message never to a missing row.
public struct UploadRegistration: Sendable {
    /// The raw store.
    public let store: any UploadStore
    /// The database of videos and uploads.
    public let metadata: any VideoRecords & UploadRecords & DeletionRecords
    /// Probes sources.
    public let prober: any MediaProber

    /// - Parameter store: The raw store.
    public init(
        store: any UploadStore, metadata: any VideoRecords & UploadRecords & DeletionRecords, prober: any MediaProber
    ) {
        self.store = store
        self.metadata = metadata
        self.prober = prober
    }

    /// Registers the video of a session whose object is complete. Idempotent.
    /// - Parameters:
    ///   - sha256: The checksum of the sent bytes, or nil to compute it from the store.
    ///   - media: The result of probing the source, or nil to probe it now.
    ///   - source: The object with some bytes in memory, or nil to read all of it from the store.
    /// - Throws: `badInput` (65) if the source is unusable or does not match its checksum, `noInput` (66) if the video
    ///   was deleted. The object and the session are then deleted.
    public func finish(
        _ session: UploadSession, sha256: String? = nil, media: MediaInfo? = nil, source: (any ByteSource)? = nil
    ) async throws(ClairoError) -> Video {
        if let video = try await registered(session) { return video }
        let key = Video.sourceKey(session.videoID)
        let checked: (size: Int64, sha256: String, media: MediaInfo)
        do {
            checked = try await onDedicatedThread(name: "probe") { [store, prober] () throws(ClairoError) in
                // If this run sent all bytes, the store's receipts prove the content, and opening the object would be
                // expensive.
                if session.sha256 == nil, let sha256, let media, let size = session.size {
                    return (size, sha256, media)
                }
                let source = if let source { source } else { try store.open(key) }
                if let size = session.size, source.size != size {
                    throw .badMedia("\(session.originalName) arrived with \(source.size) of \(size) bytes")
                }
                let sum = if let sha256 { sha256 } else { try Checksum.sha256(source) }
                if let promised = session.sha256, promised.lowercased() != sum {
                    throw .badMedia(
                        "\(session.originalName) arrived with the SHA-256 \(sum) instead of \(promised)",
                        advice: "Send it again.")
                }
                let info =
                    if let media { media } else {
                        try prober.probe(source, name: session.originalName, profile: session.profile)
                    }
                return (source.size, sum, info)
            }
        } catch  where error.kind == .badInput {
            try await discard(session)
            throw error
        }
        try await onDedicatedThread(name: "tidy up") { [store] () throws(ClairoError) in
            // If the reply to a request that created an upload was lost, the store has a second upload without a
            // record.
            for upload in try store.openUploads(prefix: key.rawValue) where upload.key == key {
                try store.abort(upload)
            }
        }
        let now = Timestamp.now
        let video = Video(
            id: session.videoID, title: session.title, originalName: session.originalName, profile: session.profile,
            priority: session.priority, tenant: session.tenant, source: store.location(of: key), size: checked.size,
            sha256: checked.sha256, media: checked.media, traceID: Self.traceID(), uploadedAt: now)
        let isNew = try await metadata.register(video, message: try Self.message(video, at: now), upload: session.id)
        guard !isNew else { return video }
        guard let winner = try await registered(session) else {
            throw .temporary("The video \(session.videoID) was deleted while it was being registered")
        }
        return winner
    }

    /// The video of a session; nil if it is not registered yet.
    /// - Throws: `noInput` (66) if it was deleted, or is being deleted.
    func registered(_ session: UploadSession) async throws(ClairoError) -> Video? {
        let video = try await metadata.video(session.videoID)
        if let video, video.state != .deleting { return video }
        guard try await metadata.deletion(of: session.videoID) != nil else { return nil }
        try await discard(session)
        throw .noInput("The video \(session.videoID) was deleted", advice: "Upload it again.")
    }

    /// Deletes the bytes and the row of an upload, unless it has become a video.
    ///
    /// The row is marked as discarded before any byte is deleted, and only an open row can be registered. So if
    /// `discard` and `finish` run concurrently, only one of them takes effect. If the process dies, the sweep finishes
    /// the deletion.
    /// - Parameter ifUnchanged: Whether to discard the upload only if its row has not changed since `session` was read.
    public func discard(_ session: UploadSession, ifUnchanged: Bool = false) async throws(ClairoError) {
        var session = session
        while true {
            if session.state == .complete, try await metadata.video(session.videoID) != nil {
                return try await metadata.deleteUpload(session.id)
            }
            var marked = session
            marked.state = .discarded
            // Other sweeps ignore the row until then.
            marked.expiresAt = Timestamp.now.advanced(bySeconds: 3600)
            if let mine = try await metadata.updateUpload(marked) { return try await remove(mine) }
            if ifUnchanged { return }
            guard let current = try await metadata.upload(session.id) else {
                // Without its row, the upload can no longer be registered.
                if try await metadata.video(session.videoID) == nil { try await remove(session) }
                return
            }
            session = current
        }
    }

    private func remove(_ session: UploadSession) async throws(ClairoError) {
        try await ResumableUploads.removeTails(of: session, in: store)
        try await onDedicatedThread(name: "discard") { [store] () throws(ClairoError) in
            let key = Video.sourceKey(session.videoID)
            if let multipart = session.multipart { try store.abort(multipart) }
            // Also aborts an upload that was started but not recorded.
            for upload in try store.openUploads(prefix: key.rawValue) { try store.abort(upload) }
            try store.delete(key)
        }
        try await metadata.deleteUpload(session.id)
    }

    /// Creates the message about a new video.
    static func message(_ video: Video, at now: Timestamp) throws(ClairoError) -> OutboxMessage {
        guard let payload = try? JSON.encode(UploadMessage(video), pretty: false) else {
            throw .defect("The message about video \(video.id) cannot be encoded as JSON")
        }
        return OutboxMessage(
            id: .make(at: now), topic: UploadMessage.topic, key: video.id.rawValue,
            headers: ["trace-id": video.traceID, "schema": String(UploadMessage.currentSchema)], payload: payload,
            createdAt: now)
    }

    /// Creates a trace id (https://www.w3.org/TR/trace-context/#trace-id).
    static func traceID() -> String {
        (0..<16).map { _ in UInt8.random(in: .min ... .max) }.hexadecimal
    }
}
