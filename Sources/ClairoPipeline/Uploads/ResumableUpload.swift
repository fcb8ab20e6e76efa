public import ClairoCore
internal import Foundation

/// Uploads that can be interrupted at any byte, even by the end of this process, and resumed later.
///
/// Whole parts go to the store's multipart upload. When the sender stops within a part, the bytes of that part are kept
/// as a separate object, the tail. The row's `offset` only moves once the bytes before it are committed, with an update
/// that checks the row's version. Only the latest claim may move it, so of two concurrent senders one is rejected.
public struct ResumableUploads: Sendable {
    /// The lifetime of an unfinished upload in seconds, from the last received bytes.
    public static let keptForSeconds: Double = 86_400

    let registration: UploadRegistration

    public init(_ registration: UploadRegistration) { self.registration = registration }

    /// - Parameters:
    ///   - size: The total size, or nil if unknown.
    ///   - largestLength: The maximum size, which determines the part size.
    ///   - sender: What sends the parts to the store.
    public func create(
        _ request: UploadRequest, fingerprint: String, size: Int64?, sha256: String?, largestLength: Int64,
        sender: PartSender = .thisProcess
    ) async throws(ClairoError) -> UploadSession {
        var session = request.session(
            fingerprint: fingerprint, size: size, sha256: sha256, keptFor: Self.keptForSeconds)
        try await registration.metadata.createUpload(session)
        let (store, key) = (registration.store, Video.sourceKey(session.videoID))
        let sizes = PartSizes(forLength: size ?? largestLength)
        session.multipart = try await onDedicatedThread(name: "begin upload") { () throws(ClairoError) in
            try store.beginUpload(at: key, sizes: sizes, sender: sender)
        }
        guard let updated = try await registration.metadata.updateUpload(session) else {
            throw .temporary("Upload \(session.id) expired while it was being created")
        }
        return updated
    }

    /// Claims an upload to append bytes at its offset. An earlier claim can no longer move the offset.
    /// - Parameters:
    ///   - size: The total size, if it has just become known.
    ///   - commitsEarly: Whether to commit bytes while more arrive. False if the request has a checksum to verify
    ///     first.
    /// - Returns: Nil if another request claimed the upload first.
    public func append(to session: UploadSession, size: Int64? = nil, commitsEarly: Bool)
        async throws(ClairoError) -> ResumableUpload?
    {
        var session = session
        session.size = session.size ?? size
        session.expiresAt = Timestamp.now.advanced(bySeconds: Self.keptForSeconds)
        guard let upload = session.multipart else { throw .defect("Upload \(session.id) was never started") }
        guard let claimed = try await registration.metadata.updateUpload(session) else { return nil }
        let missing = Int(claimed.offset % Int64(upload.partSize))
        let number = Int(claimed.offset / Int64(upload.partSize)) + 1
        let store = registration.store
        let filling = missing == 0 ? Data() : try await Self.tail(of: claimed, length: missing, in: store)
        return ResumableUpload(
            registration, session: claimed,
            stream: PartStream(store: store, upload: upload, number: number, filling: filling),
            commitsEarly: commitsEarly)
    }

    /// The last bytes before the upload's offset, which do not fill a part.
    static func tail(
        of session: UploadSession, length: Int, in store: any ObjectStore
    ) async throws(ClairoError) -> Data {
        let prefix = "\(tailPrefix(session))\(session.offset)-"
        return try await onDedicatedThread(name: "read tail") { () throws(ClairoError) -> Data in
            // The last tail is that of the claim that moved the offset here. Other tails at this offset are from
            // superseded claims.
            guard let key = try store.list(prefix: prefix).last else {
                throw .defect("The last \(length) bytes of upload \(session.id) are missing")
            }
            let data = try store.get(key)
            guard data.count == length else { throw .defect("\(key) has \(data.count) bytes instead of \(length)") }
            return data
        }
    }

    /// Creates the video from a complete upload. Idempotent.
    /// - Parameter sha256: The checksum, if it was computed while receiving. Otherwise it is computed from the store.
    /// - Throws: `badInput` if the source is unusable. The upload is then deleted.
    public func finish(_ session: UploadSession, sha256: String? = nil) async throws(ClairoError) -> Video {
        if let video = try await registration.registered(session) { return video }
        guard let upload = session.multipart, let size = session.size else {
            throw .defect("Upload \(session.id) has no size")
        }
        let store = registration.store
        try await onDedicatedThread(name: "complete upload") { () throws(ClairoError) in
            // Already complete if an earlier call was interrupted after this step.
            if try store.info(of: upload.key)?.size == size { return }
            let expected = upload.partCount(forLength: size)
            let parts = Array(try store.parts(of: upload).prefix(expected))
            guard parts.count == expected, parts.reduce(Int64(0), { $0 + Int64($1.size) }) == size else {
                throw .temporary("The store does not have all parts of upload \(session.id)")
            }
            let info = try store.complete(upload, parts: parts)
            guard info.size == size else {
                // Otherwise a later call would take it for the complete object.
                try store.delete(upload.key)
                throw .inputOutput("The store has \(info.size) of \(size) bytes of upload \(session.id)")
            }
        }
        let video = try await registration.finish(session, sha256: sha256)
        try await Self.removeTails(of: session, in: store)
        return video
    }

    static func tailPrefix(_ session: UploadSession) -> String { "uploads/\(session.id)/tail-" }

    static func removeTails(of session: UploadSession, in store: any ObjectStore) async throws(ClairoError) {
        let prefix = tailPrefix(session)
        try await onDedicatedThread(name: "remove tails") { () throws(ClairoError) in
            for key in try store.list(prefix: prefix) { try store.delete(key) }
        }
    }
}

/// Appends bytes to a resumable upload within one request. Ends with `commit` or `forget`. Owned by one task.
public struct ResumableUpload: Sendable {
    /// The least time between two commits while bytes arrive: a compromise between the bytes lost in a crash and the
    /// cost of commits.
    private static let commitInterval = Duration.seconds(1)

    /// The outcome of a commit.
    public enum Commit: Sendable {
        /// The bytes are committed. This is the updated upload.
        case done(UploadSession)
        /// Another request has claimed the upload, so the offset did not move.
        case superseded
    }

    private let registration: UploadRegistration
    private var session: UploadSession
    private var stream: PartStream
    /// Whether bytes can be committed before the request has ended.
    public let commitsEarly: Bool
    /// The offset of the last tail in the store, or nil if there is none.
    private var tailOffset: Int64?
    private var lastCommit = ContinuousClock.now
    private var isPaused = false
    /// Why a commit during a pause failed. The upload cannot go on in this request.
    private var failure: ClairoError?
    private var isSuperseded = false
    private var received: Int64
    /// The running checksum, if this request started at offset 0.
    private var hash: Checksum.Running?

    init(_ registration: UploadRegistration, session: UploadSession, stream: PartStream, commitsEarly: Bool) {
        self.registration = registration
        self.session = session
        self.stream = stream
        self.commitsEarly = commitsEarly
        tailOffset = stream.filling.isEmpty ? nil : session.offset
        received = session.offset
        hash = session.offset == 0 ? Checksum.Running() : nil
    }

    /// The total number of received bytes, committed or not.
    public var offset: Int64 { received }
    /// The total size of the upload in bytes, or nil if the sender has not announced it yet.
    public var size: Int64? { session.size }
    /// The checksum of the whole upload, if this request received all of it.
    public var sha256: String? { hash?.finish() }
    /// Whether the bytes in memory fill a part.
    public var isPartFull: Bool { stream.isPartFull }

    /// Consumes as many of the first bytes as fit into the part.
    /// - Returns: The number of bytes consumed.
    public mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = stream.take(bytes)
        received += Int64(count)
        hash?.update(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
        return count
    }

    /// Sends the part, and from time to time moves the offset behind the parts that the store has.
    /// - Returns: False if another request has claimed the upload.
    public mutating func sendPart() async throws(ClairoError) -> Bool {
        guard !isSuperseded else { return false }
        try await stream.sendPart()
        let (committed, now) = (stream.committedBytes, ContinuousClock.now)
        if commitsEarly, committed > session.offset, now - lastCommit >= Self.commitInterval {
            lastCommit = now
            try await move(to: committed)
        }
        return !isSuperseded
    }

    /// Commits the received bytes and moves the offset.
    public mutating func commit() async throws(ClairoError) -> Commit {
        if let failure { throw failure }
        guard !isSuperseded else { return .superseded }
        if isPaused { return .done(session) }
        if stream.isPartFull || received == session.size && !stream.filling.isEmpty { try await stream.sendPart() }
        try await stream.settle()
        if received != session.offset {
            if !stream.filling.isEmpty { try await keepTail() }
            try await move(to: received)
            guard !isSuperseded else { return .superseded }
        }
        let tail = stream.filling.isEmpty ? nil : received
        if let old = tailOffset, old != tail {
            let (store, prefix) = (stream.store, "\(ResumableUploads.tailPrefix(session))\(old)-")
            try await onDedicatedThread(name: "remove tail") { () throws(ClairoError) in
                for key in try store.list(prefix: prefix) { try store.delete(key) }
            }
        }
        tailOffset = tail
        return .done(session)
    }

    /// Commits the received bytes and gives their memory back, while the sender pauses. Call `resume` before `take`.
    /// - Returns: False if the memory is still needed: the bytes cannot be committed before the request's end, or the
    ///   commit failed, and the next call throws its error.
    public mutating func pause() async -> Bool {
        guard commitsEarly, failure == nil else { return false }
        do throws(ClairoError) {
            // A superseded request needs no memory either.
            _ = try await commit()
            _ = stream.release(keeping: 0)
            isPaused = true
            return true
        } catch {
            failure = error
            return false
        }
    }

    /// Continues after a pause, if there was one.
    /// - Returns: False if another request has claimed the upload.
    public mutating func resume() async throws(ClairoError) -> Bool {
        if let failure { throw failure }
        guard isPaused else { return !isSuperseded }
        guard try await isCurrent() else {
            isSuperseded = true
            return false
        }
        let length = Int(received % Int64(stream.upload.partSize))
        if length > 0 {
            stream.putBack(try await ResumableUploads.tail(of: session, length: length, in: stream.store))
        }
        isPaused = false
        return true
    }

    /// Whether no other request has claimed the upload.
    public func isCurrent() async throws(ClairoError) -> Bool {
        try await registration.metadata.upload(session.id)?.version == session.version
    }

    /// Discards the uncommitted bytes, for example after a checksum mismatch. The offset does not move.
    public mutating func forget() async { await stream.rest() }

    private func keepTail() async throws(ClairoError) {
        // The version makes the name unique to this claim. With leading zeros, the latest version sorts last.
        let version = String(session.version)
        let padding = String(repeating: "0", count: max(0, 12 - version.count))
        let key = ObjectKey("\(ResumableUploads.tailPrefix(session))\(received)-\(padding)\(version)")
        let (store, data) = (stream.store, stream.filling)
        try await onDedicatedThread(name: "keep tail") { () throws(ClairoError) in try store.put(data, at: key) }
    }

    private mutating func move(to offset: Int64) async throws(ClairoError) {
        var changed = session
        changed.offset = offset
        changed.expiresAt = Timestamp.now.advanced(bySeconds: ResumableUploads.keptForSeconds)
        if let updated = try await registration.metadata.updateUpload(changed) {
            session = updated
        } else {
            isSuperseded = true
        }
    }
}
