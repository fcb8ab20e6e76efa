internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import NIOCore

extension HTTPField.Name {
    static let tusResumable = named("Tus-Resumable")
    static let tusVersion = named("Tus-Version")
    static let tusExtension = named("Tus-Extension")
    static let tusMaxSize = named("Tus-Max-Size")
    static let tusChecksumAlgorithm = named("Tus-Checksum-Algorithm")
    static let uploadLength = named("Upload-Length")
    static let uploadDeferLength = named("Upload-Defer-Length")
    static let uploadOffset = named("Upload-Offset")
    static let uploadMetadata = named("Upload-Metadata")
    static let uploadExpires = named("Upload-Expires")
    static let uploadChecksum = named("Upload-Checksum")
    static let uploadConcat = named("Upload-Concat")
}

/// `/v1/uploads/tus`: resumable uploads with tus 1.0.0 and the extensions creation, creation-with-upload,
/// creation-defer-length, termination, checksum and expiration.
///
/// Source: https://tus.io/protocols/resumable-upload
struct Tus {
    static let version = "1.0.0"
    private static let contentType = "application/offset+octet-stream"
    /// How long a request waits for another one that still appends to the upload.
    private static let takeOverTime = Duration.seconds(20)

    let services: APIServices
    private var limit: Int64 { services.options.maxUploadSize }

    init(services: APIServices) { self.services = services }

    /// The headers of the answer to OPTIONS.
    var capabilities: HTTPFields {
        [
            .tusVersion: Self.version, .tusMaxSize: String(limit),
            .tusExtension: "creation,creation-with-upload,creation-defer-length,termination,checksum,expiration",
            .tusChecksumAlgorithm: TusChecksum.Algorithm.allCases.map(\.rawValue).joined(separator: ","),
        ]
    }

    // MARK: Requests

    func create(_ context: RequestContext) async throws -> Response {
        try checkVersion(context)
        let headers = context.request.headers
        guard headers[.uploadConcat] == nil else {
            throw APIError(
                .badRequest, "no_concatenation",
                "This server cannot join uploads; send the file as one upload, without parallel parts")
        }
        let size = try Self.number(headers, .uploadLength)
        let isDeferred = headers[.uploadDeferLength] == "1"
        guard (size == nil) == isDeferred, isDeferred || headers[.uploadDeferLength] == nil else {
            throw APIError.badRequest("Send Upload-Length, or Upload-Defer-Length: 1")
        }
        if let size, size > limit { throw APIError.tooLarge(limit: limit) }
        if size == 0 { throw APIError.badRequest("The file is empty") }
        let metadata = try TusMetadata(headers[.uploadMetadata] ?? "")
        if let sha256 = metadata["sha256"], !DirectRoutes.isSHA256(sha256) {
            throw APIError.badRequest("sha256 must be 64 hexadecimal digits")
        }
        let request = try VideoFields(
            name: metadata["filename"] ?? metadata["name"], title: metadata["title"], profile: metadata["profile"],
            priority: metadata["priority"], tenant: metadata["tenant"]
        ).request()
        let hasBytes =
            context.body.isPresent && context.body.contentLength != 0 && headers[.contentType] == Self.contentType
        let checksum = try TusChecksum(context)
        var session = try await services.resumable.create(
            request, fingerprint: context.caller.fingerprint(.resumable), size: size, sha256: metadata["sha256"],
            largestLength: limit)
        var answer: HTTPFields = [.location: "/v1/uploads/tus/\(session.id)"]
        if hasBytes {
            let video: Video?
            (session, video) = try await append(context, to: session, size: nil, checksum: checksum)
            answer[.uploadOffset] = String(session.offset)
            answer[.videoID] = video?.id.rawValue
        }
        answer[.uploadExpires] = Self.date(session.expiresAt)
        return Response(status: .created, headers: answer)
    }

    func head(_ context: RequestContext, id: String) async throws -> Response {
        try checkVersion(context)
        let session = try await idleSession(context, id: id)
        var headers: HTTPFields = [
            .uploadOffset: String(session.offset), .uploadExpires: Self.date(session.expiresAt),
            .uploadMetadata: TusMetadata.text(["filename": session.originalName, "title": session.title]),
        ]
        if let size = session.size {
            headers[.uploadLength] = String(size)
        } else {
            headers[.uploadDeferLength] = "1"
        }
        // If the server stopped before it created the video, all bytes are committed and there is no video yet.
        if session.offset == session.size {
            headers[.videoID] = try await finish(session, sha256: nil).id.rawValue
        }
        return Response(status: .ok, headers: headers)
    }

    func patch(_ context: RequestContext, id: String) async throws -> Response {
        try checkVersion(context)
        let headers = context.request.headers
        guard headers[.contentType] == Self.contentType else {
            throw APIError(
                .unsupportedMediaType, "unsupported_media_type", "Send Content-Type: \(Self.contentType)")
        }
        guard let offset = try Self.number(headers, .uploadOffset) else {
            throw APIError.badRequest("Send Upload-Offset")
        }
        let checksum = try TusChecksum(context)
        let session = try await idleSession(context, id: id)
        guard offset == session.offset else {
            throw APIError(
                .conflict, "wrong_offset", "The upload continues at offset \(session.offset)",
                headers: [.uploadOffset: String(session.offset)])
        }
        let size = try Self.number(headers, .uploadLength)
        if let size {
            guard session.size == nil || session.size == size, size >= offset, size > 0 else {
                throw APIError.badRequest("Upload-Length conflicts with the upload")
            }
            if size > limit { throw APIError.tooLarge(limit: limit) }
        }
        if let length = context.body.contentLength {
            if let whole = session.size ?? size, length > whole - offset { throw Self.tooMuch }
            if length > limit - offset { throw APIError.tooLarge(limit: limit) }
        }
        let (updated, video) = try await append(context, to: session, size: size, checksum: checksum)
        var answer: HTTPFields = [
            .uploadOffset: String(updated.offset), .uploadExpires: Self.date(updated.expiresAt),
        ]
        answer[.videoID] = video?.id.rawValue
        return Response(status: .noContent, headers: answer)
    }

    func delete(_ context: RequestContext, id: String) async throws -> Response {
        try checkVersion(context)
        let session = try await idleSession(context, id: id)
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

    // MARK: Bytes

    private static let tooMuch = APIError(
        .contentTooLarge, "too_large", "The upload would exceed its Upload-Length")

    private func append(_ context: RequestContext, to session: UploadSession, size: Int64?, checksum: TusChecksum?)
        async throws -> (UploadSession, Video?)
    {
        if session.state == .complete { return (session, try await services.metadata.video(session.videoID)) }
        let slot = try await UploadSlot(in: services.slots, for: context.caller, sender: context.body.sender)
        defer { slot.giveBack() }
        let (updated, sha256) = try await claimAndReceive(
            context, session: session, size: size, checksum: checksum, slot: slot)
        guard updated.offset == updated.size else { return (updated, nil) }
        return (updated, try await finish(updated, sha256: sha256))
    }

    /// - Returns: The updated upload, and its checksum if this request received all of it.
    private func claimAndReceive(
        _ context: RequestContext, session: UploadSession, size: Int64?, checksum: TusChecksum?, slot: UploadSlot
    ) async throws -> (UploadSession, String?) {
        guard services.appends.begin(session.id, sender: context.body.sender) else { throw Self.locked }
        defer { services.appends.end(session.id) }
        guard
            let handover = try await services.resumable.append(
                to: session, size: size, commitsEarly: checksum == nil
            ).map(Handover.init)
        else { throw Self.locked }
        context.body.sender.onPause {
            guard var upload = handover.takeIfFree() else { return }
            if await upload.pause() { slot.giveBack() }
            handover.giveBack(upload)
        }
        let result: Result<TusChecksum?, any Error>
        do {
            result = .success(try await receive(context, handover, checksum: checksum, slot: slot))
        } catch {
            result = .failure(Self.repeatable(error))
        }
        return try await conclude(await handover.take(), result)
    }

    private static let locked = APIError(
        .init(code: 423, reasonPhrase: "Locked"), "locked", "Another request is writing to this upload",
        headers: [.retryAfter: "1"])

    /// The error to report to a sender that is too slow: 503 in place of 408. tus-js-client and tus-java-client go on after
    /// 503 where the upload stopped, but give up after 408. A slow line can then still send a large file.
    private static func repeatable(_ error: any Error) -> any Error {
        guard var error = error as? APIError, error.status == .requestTimeout else { return error }
        error.status = .serviceUnavailable
        error.headers[.retryAfter] = "1"
        return error
    }

    /// Receives the request's bytes.
    /// - Returns: The checksum to verify, if any.
    private func receive(
        _ context: RequestContext, _ handover: Handover<ResumableUpload>, checksum: TusChecksum?, slot: UploadSlot
    ) async throws -> TusChecksum? {
        var checksum = checksum
        while let bytes = try await context.body.next() {
            checksum?.update(bytes)
            var upload = await handover.take()
            defer { handover.giveBack(upload) }
            try await slot.takeAgain()
            guard try await upload.resume() else { throw APIError.superseded }
            try await write(bytes, to: &upload)
        }
        return checksum
    }

    private func write(_ bytes: ByteBuffer, to upload: inout ResumableUpload) async throws {
        var bytes = bytes
        guard upload.offset + Int64(bytes.readableBytes) <= upload.size ?? limit else { throw Self.tooMuch }
        while bytes.readableBytes > 0 {
            let count = bytes.withUnsafeReadableBytes { upload.take($0) }
            bytes.moveReaderIndex(forwardBy: count)
            if upload.isPartFull, try await !upload.sendPart() { throw APIError.superseded }
        }
    }

    /// Commits what a request has received, or discards it after a failure of the store or under a wrong checksum.
    /// - Parameter result: The checksum to verify, or the error that ended the request.
    /// - Throws: That error, 409 if another request has taken over the upload, 460 if the checksum does not match.
    private func conclude(
        _ upload: ResumableUpload, _ result: Result<TusChecksum?, any Error>
    ) async throws -> (UploadSession, String?) {
        switch result {
        case .success(let checksum):
            guard checksum?.matches() != false else {
                throw await discarding(
                    upload,
                    for: APIError(
                        HTTPResponse.Status(code: 460, reasonPhrase: "Checksum Mismatch"), "checksum_mismatch",
                        "The bytes do not match Upload-Checksum"))
            }
            do {
                guard let updated = try await commit(upload) else { throw APIError.superseded }
                return (updated, upload.sha256)
            } catch {
                throw await discarding(upload, for: error)
            }
        case .failure(let error as APIError) where upload.commitsEarly:
            // The sender stopped or was stopped.
            guard let updated = try? await commit(upload) else { throw await discarding(upload, for: error) }
            var error = error
            error.headers[.uploadOffset] = String(updated.offset)
            throw error
        case .failure(let error):
            throw await discarding(upload, for: error)
        }
    }

    /// Discards the bytes that are not committed.
    /// - Returns: The error to report for `error`.
    private func discarding(_ upload: ResumableUpload, for error: any Error) async -> any Error {
        var upload = upload
        await upload.forget()
        guard error is ClairoError else { return error }
        do {
            // The store rejects parts once another request has completed the upload.
            return try await upload.isCurrent() ? error : APIError.superseded
        } catch {
            return error
        }
    }

    private func commit(_ upload: ResumableUpload) async throws -> UploadSession? {
        try await runToCompletion {
            var upload = upload
            return switch try await upload.commit() {
            case .done(let session): session
            case .superseded: nil
            }
        }
    }

    private func finish(_ session: UploadSession, sha256: String?) async throws -> Video {
        let resumable = services.resumable
        return try await services.finishing.video(of: session.id) {
            try await resumable.finish(session, sha256: sha256)
        }
    }

    // MARK: Headers

    private func checkVersion(_ context: RequestContext) throws(APIError) {
        guard context.request.headers[.tusResumable] == Self.version else {
            throw APIError(
                .preconditionFailed, "tus_version", "Send Tus-Resumable: \(Self.version)",
                headers: [.tusVersion: Self.version])
        }
    }

    /// The upload, once no request of this process appends to it. Such a request commits what it has received and ends,
    /// because a client that asks has given it up: its connection may have died without notice.
    /// - Throws: 404 if the caller has no such upload, 423 if the other request does not end in time.
    private func idleSession(_ context: RequestContext, id: String) async throws -> UploadSession {
        let isRunning = UploadID(id).map(services.appends.isRunning) ?? false
        let session = try await session(context, id: id)
        guard isRunning else { return session }
        guard await services.appends.takeOver(session.id, patience: Self.takeOverTime) else { throw Self.locked }
        return try await self.session(context, id: id)
    }

    private func session(_ context: RequestContext, id text: String) async throws -> UploadSession {
        guard let id = UploadID(text), let session = try await services.metadata.upload(id),
            session.state != .discarded,
            context.caller.purpose(ofFingerprint: session.fingerprint) == .resumable
        else { throw APIError.notFound("upload") }
        return session
    }

    /// The byte count in a header, at most 2^53, or nil if the header is absent.
    private static func number(_ headers: HTTPFields, _ name: HTTPField.Name) throws(APIError) -> Int64? {
        guard let text = headers[name] else { return nil }
        guard text.utf8.allSatisfy({ (48...57).contains($0) }), let number = Int64(text), number <= 1 << 53 else {
            throw .badRequest("\(name.canonicalName) must be a number of bytes")
        }
        return number
    }

    /// An HTTP date (RFC 9110 section 5.6.7).
    static func date(_ time: Timestamp) -> String {
        var seconds = Int(time.microseconds / 1_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 40)
        // The names of days and months are English, because Clairo never calls setlocale.
        let count = strftime(&text, text.count, "%a, %d %b %Y %H:%M:%S GMT", &parts)
        return String(decoding: text.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
