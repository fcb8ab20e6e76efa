public import ClairoCore
internal import Foundation

/// Uploads that can be interrupted at any byte, also by the end of this process, and go on later.
///
/// Whole parts go to the store's upload in parts. What is left of a part when the sender pauses is kept as an object of its
/// own, the tail. The row's `offset` moves only when the bytes before it are safe, in an update that names the row's
/// version: whoever claimed the upload last may move it, so of two senders at once one is refused.
public struct ResumableUploads: Sendable {
    /// After the last byte that came.
    public static let keptForSeconds: Double = 86_400

    let registration: UploadRegistration

    public init(_ registration: UploadRegistration) { self.registration = registration }

    /// - Parameters:
    ///   - size: nil where the sender does not know yet.
    ///   - largestLength: the bytes that may come at most; decides about the size of the parts.
    public func create(
        _ request: UploadRequest, fingerprint: String, size: Int64?, sha256: String?, largestLength: Int64
    ) async throws(ClairoError) -> UploadSession {
        var session = request.session(
            fingerprint: fingerprint, size: size, sha256: sha256, keptFor: Self.keptForSeconds)
        try await registration.metadata.createUpload(session)
        let (store, key) = (registration.store, Video.sourceKey(session.videoID))
        let partSize = MultipartUpload.partSize(forLength: size ?? largestLength)
        session.multipart = try await blocking("begin upload") { () throws(ClairoError) in
            try store.beginUpload(at: key, partSize: partSize)
        }
        guard let updated = try await registration.metadata.updateUpload(session) else {
            throw .temporary("The upload \(session.id) was swept away while it was created")
        }
        return updated
    }

    /// Takes hold of an upload to add bytes at its offset; whoever had hold of it before can move it no more.
    /// - Parameters:
    ///   - size: of the whole, where the sender knows it only now.
    ///   - commitsEarly: whether bytes count as safe while more arrive; not where a checksum comes first.
    /// - Returns: nil where somebody else was faster.
    public func append(to session: UploadSession, size: Int64? = nil, commitsEarly: Bool)
        async throws(ClairoError) -> ResumableUpload?
    {
        var session = session
        session.size = session.size ?? size
        session.expiresAt = Timestamp.now.advanced(bySeconds: Self.keptForSeconds)
        guard let upload = session.multipart else { throw .defect("Upload \(session.id) was never begun") }
        guard let claimed = try await registration.metadata.updateUpload(session) else { return nil }
        let missing = Int(claimed.offset % Int64(upload.partSize))
        let number = Int(claimed.offset / Int64(upload.partSize)) + 1
        let store = registration.store
        let tail = missing == 0 ? nil : Self.tailPrefix(claimed) + "\(claimed.offset)-"
        let filling = try await blocking("read tail") { () throws(ClairoError) -> Data in
            guard let tail else { return Data() }
            // The last one is of the claim that moved the offset here; another of the same offset lost its race.
            guard let key = try store.list(prefix: tail).last else {
                throw .defect("The last \(missing) bytes of upload \(claimed.id) are gone")
            }
            let data = try store.get(key)
            guard data.count == missing else { throw .defect("\(key) has \(data.count) bytes instead of \(missing)") }
            return data
        }
        return ResumableUpload(
            registration, session: claimed,
            stream: PartStream(store: store, upload: upload, number: number, filling: filling),
            commitsEarly: commitsEarly)
    }

    /// Makes the video of an upload that has all its bytes. Doing it twice is doing it once.
    /// - Parameter sha256: where it was computed on the way; it is read from the store otherwise.
    /// - Throws: `badInput` where the source is no good; nothing is left of it then.
    public func finish(_ session: UploadSession, sha256: String? = nil) async throws(ClairoError) -> Video {
        if let video = try await registration.metadata.video(session.videoID) { return video }
        guard let upload = session.multipart, let size = session.size else {
            throw .defect("Upload \(session.id) has no size")
        }
        let store = registration.store
        try await blocking("complete upload") { () throws(ClairoError) in
            // It is complete where an earlier call ended after this step.
            if try store.info(of: upload.key)?.size == size { return }
            let expected = upload.partCount(forLength: size)
            let parts = Array(try store.parts(of: upload).prefix(expected))
            guard parts.count == expected, parts.reduce(Int64(0), { $0 + Int64($1.size) }) == size else {
                throw .temporary("The store does not have all parts of upload \(session.id)")
            }
            let info = try store.complete(upload, parts: parts)
            guard info.size == size else {
                // A later call must not take it for the whole.
                try store.delete(upload.key)
                throw .inputOutput("The store has \(info.size) of the \(size) bytes of upload \(session.id)")
            }
        }
        let video = try await registration.finish(session, sha256: sha256)
        try await Self.removeTails(of: session, in: store)
        return video
    }

    static func tailPrefix(_ session: UploadSession) -> String { "uploads/\(session.id)/tail-" }

    static func removeTails(of session: UploadSession, in store: any ObjectStore) async throws(ClairoError) {
        let prefix = tailPrefix(session)
        try await blocking("remove tails") { () throws(ClairoError) in
            for key in try store.list(prefix: prefix) { try store.delete(key) }
        }
    }
}

/// One stretch of bytes that is added to a resumable upload. Ends with `commit` or `forget`. One task owns it.
public struct ResumableUpload: Sendable {
    /// A commit for every eighth part while bytes stream: what a crash costs against what the commits cost.
    private static let partsPerCommit = 8

    public enum Commit: Sendable {
        case done(UploadSession)
        /// Somebody else has taken the upload over.
        case superseded
    }

    private let registration: UploadRegistration
    private var session: UploadSession
    private var stream: PartStream
    private let commitsEarly: Bool
    /// Where this stretch began.
    private let begin: Int64
    private var uncommittedParts = 0
    private var isSuperseded = false
    private var received: Int64
    /// Where all bytes come in one stretch.
    private var hash: Checksum.Running?

    init(_ registration: UploadRegistration, session: UploadSession, stream: PartStream, commitsEarly: Bool) {
        self.registration = registration
        self.session = session
        self.stream = stream
        self.commitsEarly = commitsEarly
        begin = session.offset
        received = session.offset
        hash = session.offset == 0 ? Checksum.Running() : nil
    }

    /// Bytes of the whole that have come, safe or not.
    public var offset: Int64 { received }
    public var size: Int64? { session.size }
    /// Of the whole, where all of it has come in this stretch.
    public var sha256: String? { hash?.finish() }
    public var isPartFull: Bool { stream.isPartFull }

    /// Takes the first of these bytes, as many as there is room for.
    /// - Returns: how many.
    public mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = stream.take(bytes)
        received += Int64(count)
        hash?.update(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
        return count
    }

    /// - Returns: false where somebody else has taken the upload over.
    public mutating func sendPart() async throws(ClairoError) -> Bool {
        try await stream.sendPart()
        uncommittedParts += 1
        if commitsEarly, uncommittedParts == Self.partsPerCommit {
            uncommittedParts = 0
            try await stream.settle()
            try await move(to: received)
        }
        return !isSuperseded
    }

    /// Makes what has come safe and moves the offset there.
    public mutating func commit() async throws(ClairoError) -> Commit {
        guard !isSuperseded else { return .superseded }
        if stream.isPartFull || received == session.size && !stream.filling.isEmpty { try await stream.sendPart() }
        try await stream.settle()
        if received != session.offset {
            if !stream.filling.isEmpty { try await keepTail() }
            try await move(to: received)
            guard !isSuperseded else { return .superseded }
        }
        if received != begin, begin % Int64(stream.upload.partSize) != 0 {
            let (store, prefix) = (stream.store, ResumableUploads.tailPrefix(session) + "\(begin)-")
            try await blocking("remove tail") { () throws(ClairoError) in
                for key in try store.list(prefix: prefix) { try store.delete(key) }
            }
        }
        return .done(session)
    }

    /// Whether nobody else has taken the upload over.
    public func isCurrent() async throws(ClairoError) -> Bool {
        try await registration.metadata.upload(session.id)?.version == session.version
    }

    /// Leaves the offset where it was, as after a wrong checksum.
    public mutating func forget() async { await stream.rest() }

    private func keepTail() async throws(ClairoError) {
        // The version makes the name this claim's own; leading zeros make the last in order the latest.
        let version = String(session.version)
        let padding = String(repeating: "0", count: max(0, 12 - version.count))
        let key = ObjectKey("\(ResumableUploads.tailPrefix(session))\(received)-\(padding)\(version)")
        let (store, data) = (stream.store, stream.filling)
        try await blocking("keep tail") { () throws(ClairoError) in try store.put(data, at: key) }
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
