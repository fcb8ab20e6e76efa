public import ClairoCore
internal import Foundation

/// An upload whose bytes arrive once, from a socket, and cannot be resumed. They are hashed and sent to the store as
/// they arrive.
///
/// Ends with `finish` or with `abandon`, which deletes everything. If the process dies, the sweep deletes the database
/// row and the bytes. Owned by one task.
public struct StreamUpload: Sendable {
    /// The lifetime of a row in seconds. Live uploads renew theirs, so an expired row is from a process that died.
    public static let keptForSeconds: Double = 2 * 86_400

    private let registration: UploadRegistration
    private let sizes: PartSizes
    private var session: UploadSession
    /// The bytes received so far, until they exceed one part.
    private var first = Data()
    private var stream: PartStream?
    private var hash = Checksum.Running()
    /// The number of bytes of the part being filled that are in the store while the sender pauses.
    private var pausedBytes: Int?
    private var hasPaused = false
    /// Why a pause failed. The upload cannot go on.
    private var failure: ClairoError?

    /// The bytes of a part that a pausing sender keeps in memory. The store is not worth it.
    private static let keptInPause = 64 << 10

    /// - Parameters:
    ///   - fingerprint: The caller's fingerprint.
    ///   - largestLength: The maximum size, which determines the size of the parts. If it is nil, the upload may have
    ///     5 TiB, and its parts grow.
    public init(
        _ registration: UploadRegistration, request: UploadRequest, fingerprint: String, largestLength: Int64?
    ) async throws(ClairoError) {
        self.registration = registration
        sizes =
            largestLength.map { PartSizes(forLength: $0, atLeast: 5 << 20) } ?? PartSizes(growingFrom: 32 << 20)
        session = request.session(fingerprint: fingerprint, size: nil, keptFor: Self.keptForSeconds)
        try await registration.metadata.createUpload(session)
    }

    /// Bytes received so far.
    public var bytes: Int64 { hash.bytes }

    /// Whether `sendPart()` must be called before more bytes are consumed.
    public var isPartFull: Bool { stream?.isPartFull ?? (first.count == sizes.first) }

    /// Consumes as many of the first bytes as fit into the part.
    /// - Returns: The number of bytes consumed.
    public mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = stream?.take(bytes) ?? PartStream.fill(&first, to: sizes.first, from: bytes)
        hash.update(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
        return count
    }

    /// Sends the bytes in memory as a part.
    public mutating func sendPart() async throws(ClairoError) {
        if stream == nil {
            let (store, key, sizes) = (registration.store, Video.sourceKey(session.videoID), sizes)
            let upload = try await onDedicatedThread(name: "begin upload") { () throws(ClairoError) in
                try store.beginUpload(at: key, sizes: sizes, sender: .thisProcess)
            }
            stream = PartStream(store: store, upload: upload, filling: first, passed: RetainedBytes())
            first = Data()
            session.multipart = upload
            guard let updated = try await registration.metadata.updateUpload(session) else {
                throw .temporary("Upload \(session.id) expired while it was running")
            }
            session = updated
        }
        try await stream?.sendPart()
        // Renews the row of an upload that takes days.
        if session.expiresAt < Timestamp.now.advanced(bySeconds: Self.keptForSeconds / 2) {
            session.expiresAt = Timestamp.now.advanced(bySeconds: Self.keptForSeconds)
            guard let updated = try await registration.metadata.updateUpload(session) else {
                throw .temporary("Upload \(session.id) expired while it was running")
            }
            session = updated
        }
    }

    /// Gives memory back while the sender pauses: the bytes of the part being filled go to the store. Call `resume`
    /// before `take`.
    /// - Returns: False if the memory is still needed. If the store failed, the next call throws its error.
    public mutating func pause() async -> Bool {
        if pausedBytes != nil { return true }
        guard failure == nil else { return false }
        do throws(ClairoError) {
            try await stream?.settle()
            if let data = release() {
                (pausedBytes, hasPaused) = (data.count, true)
                let (store, key) = (registration.store, pauseKey)
                try await onDedicatedThread(name: "pause") { () throws(ClairoError) in try store.put(data, at: key) }
            }
            return true
        } catch {
            failure = error
            return false
        }
    }

    /// Continues after a pause, if there was one.
    public mutating func resume() async throws(ClairoError) {
        if let failure { throw failure }
        guard let count = pausedBytes else { return }
        let (store, key) = (registration.store, pauseKey)
        let data = try await onDedicatedThread(name: "resume") { () throws(ClairoError) in try store.get(key) }
        guard data.count == count else { throw .defect("\(key) has \(data.count) bytes instead of \(count)") }
        pausedBytes = nil
        if stream == nil { first = data } else { stream?.putBack(data) }
    }

    private mutating func release() -> Data? {
        if stream != nil { return stream?.release(keeping: Self.keptInPause) ?? nil }
        guard first.count > Self.keptInPause else { return nil }
        defer { first = Data() }
        return first
    }

    private var pauseKey: ObjectKey { ObjectKey("\(ResumableUploads.tailPrefix(session))pause") }

    /// Completes the object and registers the video.
    /// - Parameter request: The final properties of the video.
    /// - Throws: `badInput` if the source is unusable. The upload is then deleted.
    public mutating func finish(request: UploadRequest) async throws(ClairoError) -> Video {
        (session.title, session.originalName) = (request.title, request.originalName)
        (session.profile, session.priority, session.tenant) = (request.profile, request.priority, request.tenant)
        session.size = bytes
        try await resume()
        let source = try await completeObject()
        let video = try await registration.finish(session, sha256: hash.finish(), source: source)
        // The response contains the video's id, so the row is no longer needed. If this fails, the sweep deletes it.
        try? await removeRow()
        return video
    }

    private func removeRow() async throws(ClairoError) {
        if hasPaused { try await ResumableUploads.removeTails(of: session, in: registration.store) }
        try await registration.metadata.deleteUpload(session.id)
    }

    /// - Returns: The object with its retained bytes. The parts are freed.
    private mutating func completeObject() async throws(ClairoError) -> any ByteSource {
        let (store, key) = (registration.store, Video.sourceKey(session.videoID))
        let source: any ByteSource
        if let upload = stream?.upload {
            if stream?.filling.isEmpty == false { try await stream?.sendPart() }
            try await stream?.settle()
            source = (stream?.passed ?? RetainedBytes()).source(size: bytes, of: key, in: store)
            // Uses the receipts, because the store's list may be incomplete or contain other parts.
            let parts = stream?.receipts ?? []
            stream = nil
            let info = try await onDedicatedThread(name: "complete upload") { () throws(ClairoError) in
                try store.complete(upload, parts: parts)
            }
            guard info.size == bytes else {
                throw .inputOutput(
                    "The store has \(info.size) bytes of \(session.originalName) instead of \(bytes)",
                    advice: "Send it again.")
            }
        } else {
            let data = first
            first = Data()
            source = RetainedBytes(data).source(size: bytes, of: key, in: store)
            try await onDedicatedThread(name: "upload") { () throws(ClairoError) in try store.put(data, at: key) }
        }
        return source
    }

    /// Deletes everything that has arrived, unless it became a video. The sweep deletes what cannot be deleted now.
    public mutating func abandon() async throws(ClairoError) {
        await stream?.rest()
        // `finish` may have failed after its transaction was committed.
        if try await registration.metadata.video(session.videoID) != nil { return }
        try await registration.discard(session)
    }
}
