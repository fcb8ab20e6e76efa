internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// The properties of a new video, from a form, a query or a JSON document.
struct VideoFields {
    var name: String?
    var title: String?
    var profile: String?
    var priority: String?
    var tenant: String?

    /// - Throws: 400 for an invalid value.
    func request() throws(APIError) -> UploadRequest {
        guard let priority = Priority(rawValue: priority ?? "normal") else {
            throw .badRequest("priority must be low, normal or high")
        }
        do throws(ClairoError) {
            return try UploadRequest(
                originalName: name.flatMap(FileName.cleaned) ?? "", title: title.map(FileName.stripped),
                profile: profile ?? "default", priority: priority,
                tenant: tenant ?? Video.defaultTenant)
        } catch {
            throw .badRequest(error.description)
        }
    }
}

/// `POST /v1/videos`: uploads a video in one request, as a form or as the plain body, streamed into the store.
struct VideoRequestHandler {
    /// Bytes that a form may have besides the file: boundaries, headers, other fields.
    private static let formOverhead: Int64 = 1 << 20
    /// The maximum size of a field other than the file, in bytes.
    private static let largestField = 16 << 10
    private static let mostFields = 64

    let services: APIServices
    private var limit: Int64 { services.options.maxUploadSize }

    init(services: APIServices) { self.services = services }

    func receive(_ context: RequestContext) async throws -> Response { try await receive(context, name: nil) }

    /// - Parameter name: The file name from the path.
    func receive(_ context: RequestContext, name: String?) async throws -> Response {
        guard context.body.isPresent else {
            throw APIError(.lengthRequired, "length_required", "Send the video with a Content-Length or chunked")
        }
        let contentType = context.request.headers[.contentType] ?? ""
        let isForm = contentType.lowercased().hasPrefix("multipart/")
        if isForm, !contentType.lowercased().hasPrefix("multipart/form-data") {
            throw APIError(
                .unsupportedMediaType, "unsupported_media_type", "Send multipart/form-data, or the file as the body")
        }
        let overhead = isForm ? Self.formOverhead : 0
        if let length = context.body.contentLength, length - overhead > limit {
            throw APIError.tooLarge(limit: limit)
        }
        let slot = try await UploadSlot(in: services.slots, for: context.caller, sender: context.body.sender)
        defer { slot.giveBack() }
        let receiver = UploadReceiver(services: services, context: context, slot: slot)
        do {
            let video =
                isForm
                ? try await form(context, contentType: contentType, receiver)
                : try await raw(context, name: name, receiver)
            return VideoDocument(video, for: .client).created
        } catch {
            await receiver.abandon()
            throw error
        }
    }

    private func raw(_ context: RequestContext, name: String?, _ receiver: UploadReceiver) async throws -> Video {
        let headers = context.request.headers
        let given = headers[.fileName].map { PercentCoding.decode($0) ?? $0 }
        let disposed = headers[.contentDisposition].flatMap(HeaderValue.init)?.fileName
        let request = try VideoFields(
            name: name ?? given ?? disposed ?? context.query("name"), title: context.query("title"),
            profile: context.query("profile"), priority: context.query("priority"), tenant: context.query("tenant")
        ).request()
        try await receiver.begin(request)
        while let piece = try await context.body.next() { try await receiver.write(piece) }
        return try await receiver.finish(request)
    }

    private func form(_ context: RequestContext, contentType: String, _ receiver: UploadReceiver) async throws -> Video
    {
        var parser = try FormParser(contentType: contentType)
        var fields = VideoFields()
        var current: String?
        var text = ByteBuffer()
        var count = 0
        while let piece = try await context.body.next() {
            parser.append(piece)
            while let event = try parser.next() {
                switch event {
                case .partBegan(let part):
                    count += 1
                    guard count <= Self.mostFields else { throw APIError.badRequest("The form has too many fields") }
                    current = part.name
                    text.clear()
                    guard part.name == "file" else { break }
                    guard !receiver.hasBegun else { throw APIError.badRequest("The form has two fields named file") }
                    fields.name = part.fileName
                    try await receiver.begin(fields.request())
                case .bytes(let bytes) where current == "file":
                    try await receiver.write(bytes)
                case .bytes(var bytes):
                    guard text.readableBytes + bytes.readableBytes <= Self.largestField else {
                        throw APIError.badRequest("A form field is longer than \(Self.largestField) bytes")
                    }
                    text.writeBuffer(&bytes)
                case .partEnded:
                    let value = String(buffer: text)
                    switch current {
                    case "title": fields.title = value
                    case "profile": fields.profile = value
                    case "priority": fields.priority = value
                    case "tenant": fields.tenant = value
                    default: break
                    }
                    current = nil
                }
            }
        }
        try parser.finish()
        guard receiver.hasBegun else {
            throw APIError.badRequest("The form has no field named file; with curl, use -F file=@film.mov")
        }
        return try await receiver.finish(fields.request())
    }
}

/// Receives an upload within one request. Not Sendable: the request's task owns it.
private final class UploadReceiver {
    private let services: APIServices
    private let context: RequestContext
    private let slot: UploadSlot
    private let handover = Handover<StreamUpload?>(nil)

    init(services: APIServices, context: RequestContext, slot: UploadSlot) {
        self.services = services
        self.context = context
        self.slot = slot
        context.body.sender.onPause { [handover] in
            guard var upload = handover.takeIfFree() else { return }
            if await upload?.pause() ?? true { slot.giveBack() }
            handover.giveBack(upload)
        }
    }

    private(set) var hasBegun = false

    func begin(_ request: UploadRequest) async throws {
        hasBegun = true
        let limit = services.options.maxUploadSize
        _ = await handover.take()
        var upload: StreamUpload?
        defer { handover.giveBack(upload) }
        try await slot.takeAgain()
        upload = try await StreamUpload(
            services.registration, request: request, fingerprint: context.caller.fingerprint(.stream),
            largestLength: min(limit, context.body.contentLength ?? limit))
    }

    func write(_ bytes: ByteBuffer) async throws {
        var bytes = bytes
        var upload = await handover.take()
        defer { handover.giveBack(upload) }
        try await slot.takeAgain()
        try await upload?.resume()
        while bytes.readableBytes > 0 {
            let count = bytes.withUnsafeReadableBytes { upload?.take($0) ?? 0 }
            bytes.moveReaderIndex(forwardBy: count)
            if upload?.isPartFull == true { try await upload?.sendPart() }
        }
        if upload?.bytes ?? 0 > services.options.maxUploadSize {
            throw APIError.tooLarge(limit: services.options.maxUploadSize)
        }
    }

    func finish(_ request: UploadRequest) async throws -> Video {
        try await slot.takeAgain()
        let handover = handover
        return try await runToCompletion {
            var upload = await handover.take()
            defer { handover.giveBack(upload) }
            guard let video = try await upload?.finish(request: request) else {
                throw ClairoError.defect("finish was called before begin")
            }
            return video
        }
    }

    /// Aborts the upload and deletes its bytes. Logs an error, because the caller is already handling one.
    func abandon() async {
        let handover = handover
        do {
            try await runToCompletion {
                var upload = await handover.take()
                try await upload?.abandon()
            }
        } catch {
            services.logger.warning(
                "Cannot abort an upload; the sweep will remove it", metadata: ["error": "\(error)"])
        }
    }
}
