public import ClairoCore
internal import Foundation

/// Uploads whose bytes go directly from the client to the store, using presigned URLs.
public struct DirectUploads: Sendable {
    /// The lifetime of an unfinished upload, in seconds.
    public static let keptForSeconds: Double = 86_400
    /// The lifetime of a presigned URL, in seconds.
    public static let urlSeconds = 3600

    /// A part, which the client sends with PUT.
    public struct Part: Sendable {
        /// The number of the part, from 1.
        public var number: Int
        /// The required size in bytes.
        public var size: Int64
        /// The presigned URL.
        public var url: String
    }

    /// Why an upload cannot be completed yet.
    public struct MissingParts: Sendable {
        /// The numbers of the first hundred parts that are missing or have the wrong size.
        public var parts: [Int]
    }

    /// The outcome of `complete(_:)`.
    public enum Completion: Sendable {
        /// The video is registered.
        case registered(Video)
        /// Parts are missing or have the wrong size.
        case incomplete(MissingParts)
    }

    private let registration: UploadRegistration

    public init(_ registration: UploadRegistration) { self.registration = registration }

    /// Whether the store supports presigned URLs.
    public func isSupported() async throws(ClairoError) -> Bool {
        let store = registration.store
        return try await onDedicatedThread(name: "presign") { () throws(ClairoError) in
            try store.presignedURL(for: .put(ObjectKey("\(OutputLayout.videos)probe")), expiresIn: 1) != nil
        }
    }

    /// Creates an upload session and starts the store's multipart upload.
    public func create(_ request: UploadRequest, fingerprint: String, size: Int64, sha256: String?)
        async throws(ClairoError) -> UploadSession
    {
        try await ResumableUploads(registration).create(
            request, fingerprint: fingerprint, size: size, sha256: sha256, largestLength: size,
            sender: .clients)
    }

    /// The number of parts of an upload.
    public static func partCount(_ session: UploadSession) -> Int {
        guard let upload = session.multipart, let size = session.size else { return 0 }
        return upload.partCount(forLength: size)
    }

    static func size(ofPart number: Int, of session: UploadSession) -> Int64 {
        guard let upload = session.multipart, let size = session.size else { return 0 }
        return min(Int64(upload.partSize), size - Int64(number - 1) * Int64(upload.partSize))
    }

    /// Creates presigned URLs for some parts.
    public func parts(_ numbers: ClosedRange<Int>, of session: UploadSession) async throws(ClairoError) -> [Part] {
        guard let upload = session.multipart else { throw .defect("Upload \(session.id) was never started") }
        let store = registration.store
        return try await onDedicatedThread(name: "presign") { () throws(ClairoError) in
            var parts: [Part] = []
            for number in numbers.clamped(to: 1...max(1, Self.partCount(session))) {
                let size = Self.size(ofPart: number, of: session)
                guard
                    let url = try store.presignedURL(
                        for: .putPart(number: number, size: size, upload), expiresIn: Self.urlSeconds)
                else { throw .defect("The store returned no presigned URL") }
                parts.append(Part(number: number, size: size, url: url))
            }
            return parts
        }
    }

    /// The numbers of the received parts.
    public func received(_ session: UploadSession) async throws(ClairoError) -> [Int] {
        guard let upload = session.multipart, session.state == .open else { return [] }
        let store = registration.store
        return try await onDedicatedThread(name: "list parts") { () throws(ClairoError) in
            do throws(ClairoError) {
                return try store.parts(of: upload).map(\.number)
            } catch  where error.exitCode == .noInput {
                return []
            }
        }
    }

    /// Completes the object and registers the video. Idempotent.
    /// - Throws: `badInput` if the source is unusable or does not match its checksum. The upload is then deleted.
    public func complete(_ session: UploadSession) async throws(ClairoError) -> Completion {
        if let video = try await registration.registered(session) { return .registered(video) }
        guard let upload = session.multipart else { throw .defect("Upload \(session.id) was never started") }
        // Renews the session, so that the sweep does not remove it while the source is probed.
        var renewed = session
        renewed.expiresAt = Timestamp.now.advanced(bySeconds: Self.keptForSeconds)
        guard let session = try await registration.metadata.updateUpload(renewed) else {
            throw .temporary("Another request changed upload \(session.id)", advice: "Try again.")
        }
        let store = registration.store
        let missing = try await onDedicatedThread(name: "complete upload") { () throws(ClairoError) -> MissingParts? in
            // Already complete if an earlier call was interrupted after this step.
            if try store.info(of: upload.key)?.size == session.size { return nil }
            let parts = try store.parts(of: upload)
            let sizes = Dictionary(parts.map { ($0.number, Int64($0.size)) }, uniquingKeysWith: { $1 })
            let count = Self.partCount(session)
            let wrong = (1...max(1, count)).filter { sizes[$0] != Self.size(ofPart: $0, of: session) }
            guard wrong.isEmpty else { return MissingParts(parts: Array(wrong.prefix(100))) }
            _ = try store.complete(upload, parts: parts.filter { $0.number <= count })
            return nil
        }
        if let missing { return .incomplete(missing) }
        return .registered(try await registration.finish(session))
    }
}
