public import ClairoCore
internal import Foundation

/// An upload whose bytes come once, from a socket: they go to the store as they come and are hashed on the way.
///
/// Ends with `finish` or `abandon`; after `abandon` nothing is left of it. Should the process die, its row in the database
/// stays, and the sweep removes what it names. One task owns it.
public struct StreamUpload: Sendable {
    /// After this a row without an end is one of a process that died.
    public static let keptForSeconds: Double = 2 * 86_400

    private let registration: UploadRegistration
    private let partSize: Int
    private var session: UploadSession
    /// Bytes before it is known that they are more than one part.
    private var first = Data()
    private var stream: PartStream?
    private var hash = Checksum.Running()

    /// - Parameters:
    ///   - fingerprint: of the uploader.
    ///   - largestLength: the bytes that may come at most; decides about the size of the parts.
    public init(
        _ registration: UploadRegistration, request: UploadRequest, fingerprint: String, largestLength: Int64
    ) async throws(ClairoError) {
        self.registration = registration
        partSize = MultipartUpload.partSize(forLength: largestLength, atLeast: 5 << 20)
        session = request.session(fingerprint: fingerprint, size: nil, keptFor: Self.keptForSeconds)
        try await registration.metadata.createUpload(session)
    }

    public var bytes: Int64 { hash.bytes }

    /// Whether `sendPart()` has to be called before more bytes are taken.
    public var isPartFull: Bool { stream?.isPartFull ?? (first.count == partSize) }

    /// Takes the first of these bytes, as many as there is room for.
    /// - Returns: how many.
    public mutating func take(_ bytes: UnsafeRawBufferPointer) -> Int {
        let count = stream?.take(bytes) ?? PartStream.fill(&first, to: partSize, from: bytes)
        hash.update(UnsafeRawBufferPointer(rebasing: bytes.prefix(count)))
        return count
    }

    public mutating func sendPart() async throws(ClairoError) {
        if stream == nil {
            let (store, key, partSize) = (registration.store, Video.sourceKey(session.videoID), partSize)
            let upload = try await blocking("begin upload") { () throws(ClairoError) in
                try store.beginUpload(at: key, partSize: partSize)
            }
            stream = PartStream(store: store, upload: upload, filling: first)
            first = Data()
            session.multipart = upload
            guard let updated = try await registration.metadata.updateUpload(session) else {
                throw .temporary("The upload \(session.id) was swept away while it ran")
            }
            session = updated
        }
        try await stream?.sendPart()
        // One that runs for days is not one of a process that died.
        if session.expiresAt < Timestamp.now.advanced(bySeconds: Self.keptForSeconds / 2) {
            session.expiresAt = Timestamp.now.advanced(bySeconds: Self.keptForSeconds)
            guard let updated = try await registration.metadata.updateUpload(session) else {
                throw .temporary("The upload \(session.id) was swept away while it ran")
            }
            session = updated
        }
    }

    /// Completes the object and registers the video.
    /// - Parameter request: what is known of the video by now.
    /// - Throws: `badInput` where the source is no good; nothing is left of it then.
    public mutating func finish(request: UploadRequest) async throws(ClairoError) -> Video {
        (session.title, session.originalName) = (request.title, request.originalName)
        (session.profile, session.priority, session.tenant) = (request.profile, request.priority, request.tenant)
        session.size = bytes
        let source = try await completeObject()
        let video = try await registration.finish(session, sha256: hash.finish(), source: source)
        // The answer tells the video's id, nobody asks for the upload again. Should this fail, the sweep does it.
        try? await registration.metadata.deleteUpload(session.id)
        return video
    }

    /// - Returns: the object, of which some is at hand; the parts are not in memory any more.
    private mutating func completeObject() async throws(ClairoError) -> any ByteSource {
        let (store, key) = (registration.store, Video.sourceKey(session.videoID))
        let source: any ByteSource
        if let upload = stream?.upload {
            if stream?.filling.isEmpty == false { try await stream?.sendPart() }
            try await stream?.settle()
            source = (stream?.passed ?? PassedBytes()).source(size: bytes, of: key, in: store)
            // The receipts are the truth: what the store lists may be somebody else's, or not all.
            let parts = stream?.receipts ?? []
            stream = nil
            let info = try await blocking("complete upload") { () throws(ClairoError) in
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
            source = PassedBytes(data).source(size: bytes, of: key, in: store)
            try await blocking("upload") { () throws(ClairoError) in try store.put(data, at: key) }
        }
        return source
    }

    /// Removes everything that has arrived, unless it became a video. What cannot be removed now, the sweep will.
    public mutating func abandon() async throws(ClairoError) {
        await stream?.rest()
        // `finish` may have lost its connection after the transaction took hold.
        if try await registration.metadata.video(session.videoID) != nil { return }
        try await registration.discard(session)
    }
}
