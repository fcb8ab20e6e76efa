internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// `/v1/uploads`: uploads whose bytes go directly to the store, and the state of resumable uploads.
struct DirectRoutes {
    private static let largestPage = 1000
    private static let firstPage = 100

    let services: APIServices

    private struct NewUpload: Decodable {
        var name: String
        var size: Int64
        var sha256: String?
        var title: String?
        var profile: String?
        var priority: String?
        var tenant: String?
    }

    private struct PartDocument: Encodable {
        var number: Int
        var size: Int64
        var url: String
    }

    private struct PartPage: Encodable {
        var parts: [PartDocument]
        /// The URL of the next page, or nil on the last page.
        var next: String?
    }

    private struct UploadDocument: Encodable {
        enum Kind: String, Encodable { case direct, resumable }

        var id: UploadID
        var kind: Kind
        var state: UploadSession.State
        var name: String
        var size: Int64?
        /// The number of committed bytes, for resumable uploads.
        var offset: Int64?
        /// The URL to resume at, for resumable uploads.
        var location: String?
        /// Set once the upload is complete.
        var videoID: VideoID?
        var expiresAt: Timestamp
        var partSize: Int?
        var partCount: Int?
        /// Numbers of the received parts, for direct uploads.
        var received: [Int]?
        var parts: [PartDocument]?
        var next: String?
    }

    static func isSHA256(_ text: String) -> Bool {
        text.utf8.count == 64 && text.allSatisfy { $0.isASCII && $0.isHexDigit }
    }

    func create(_ context: RequestContext) async throws -> Response {
        let new = try await context.json(NewUpload.self)
        guard new.size > 0 else { throw APIError.badRequest("size must be the file's length in bytes") }
        if let sha256 = new.sha256, !Self.isSHA256(sha256) {
            throw APIError.badRequest("sha256 must be 64 hexadecimal digits")
        }
        if new.size > services.options.maxUploadSize {
            throw APIError.tooLarge(limit: services.options.maxUploadSize)
        }
        let request = try VideoFields(
            name: new.name, title: new.title, profile: new.profile, priority: new.priority, tenant: new.tenant
        ).request()
        guard try await services.direct.isSupported() else {
            throw APIError(
                .notImplemented, "no_direct_uploads",
                "This server's store does not accept direct uploads; use /v1/videos or /v1/uploads/tus")
        }
        let session = try await services.direct.create(
            request, fingerprint: context.caller.fingerprint(.direct), size: new.size, sha256: new.sha256)
        let page = try await page(of: session, from: 1, limit: Self.firstPage)
        var document = document(session, kind: .direct)
        document.received = []
        (document.parts, document.next) = (page.parts, page.next)
        return .json(.created, document, headers: [.location: "/v1/uploads/\(session.id)"])
    }

    func parts(_ context: RequestContext, id: String) async throws -> Response {
        let (session, purpose) = try await session(context, id: id)
        guard purpose == .direct else { throw APIError.notFound("upload") }
        guard session.state == .open else { throw Self.isOver }
        let count = DirectUploads.partCount(session)
        // Without parts, the creation was interrupted, and no client has been told of this upload.
        guard count > 0 else { throw APIError.notFound("upload") }
        guard let from = Int(context.query("from") ?? "1"), (1...count).contains(from) else {
            throw APIError.badRequest("from must be a part number from 1 to \(count)")
        }
        guard let limit = Int(context.query("limit") ?? String(Self.firstPage)), (1...Self.largestPage).contains(limit)
        else { throw APIError.badRequest("limit must be a number from 1 to \(Self.largestPage)") }
        return .json(.ok, try await page(of: session, from: from, limit: limit))
    }

    private static let isOver = APIError(.conflict, "complete", "The upload is complete")

    private func page(of session: UploadSession, from: Int, limit: Int) async throws -> PartPage {
        let last = min(DirectUploads.partCount(session), from + limit - 1)
        let parts = try await services.direct.parts(from...last, of: session)
        return PartPage(
            parts: parts.map { PartDocument(number: $0.number, size: $0.size, url: $0.url) },
            next: last < DirectUploads.partCount(session)
                ? "/v1/uploads/\(session.id)/parts?from=\(last + 1)&limit=\(limit)" : nil)
    }

    func show(_ context: RequestContext, id: String) async throws -> Response {
        let (session, purpose) = try await session(context, id: id)
        var document = document(session, kind: purpose == .direct ? .direct : .resumable)
        if purpose == .direct { document.received = try await services.direct.received(session) }
        return .json(.ok, document)
    }

    private func document(_ session: UploadSession, kind: UploadDocument.Kind) -> UploadDocument {
        var document = UploadDocument(
            id: session.id, kind: kind, state: session.state, name: session.originalName, size: session.size,
            expiresAt: session.expiresAt)
        if session.state == .complete { document.videoID = session.videoID }
        switch kind {
        case .direct:
            document.partSize = session.multipart?.partSize
            document.partCount = DirectUploads.partCount(session)
        case .resumable:
            document.offset = session.offset
            document.location = "/v1/uploads/tus/\(session.id)"
        }
        return document
    }

    func complete(_ context: RequestContext, id: String) async throws -> Response {
        let (session, purpose) = try await session(context, id: id)
        guard purpose == .direct else { throw APIError.notFound("upload") }
        let direct = services.direct
        let video = try await services.finishing.video(of: session.id) {
            switch try await direct.complete(session) {
            case .registered(let video): return video
            case .incomplete(let missing):
                let numbers = missing.parts.prefix(10).map(String.init).joined(separator: ", ")
                throw APIError(
                    .conflict, "incomplete",
                    "These parts are missing or have the wrong size: \(numbers)\(missing.parts.count > 10 ? " and more" : "")"
                )
            }
        }
        return VideoDocument(video, for: .client).created
    }

    func delete(_ context: RequestContext, id: String) async throws -> Response {
        let (session, _) = try await session(context, id: id)
        let (registration, metadata) = (services.registration, services.metadata)
        try await runToCompletion {
            // Keep the video of a complete upload; `DELETE /v1/videos/ID` deletes it.
            if session.state == .complete {
                try await metadata.deleteUpload(session.id)
            } else {
                try await registration.discard(session)
            }
        }
        return Response(status: .noContent)
    }

    /// A tus or direct upload of the caller.
    private func session(_ context: RequestContext, id text: String) async throws -> (UploadSession, Caller.Purpose) {
        guard let id = UploadID(text), let session = try await services.metadata.upload(id),
            session.state != .discarded,
            let purpose = context.caller.purpose(ofFingerprint: session.fingerprint), purpose != .stream
        else { throw APIError.notFound("upload") }
        return (session, purpose)
    }
}
