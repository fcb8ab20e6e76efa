internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
internal import Logging
internal import NIOCore

/// Gives request handlers access to the connection's channel.
struct ConnectionContext: InitializableFromSource {
    let channel: any Channel

    init(source: ApplicationRequestContextSource) { channel = source.channel }
}

/// A request being handled. Not Sendable: the request's task owns it.
final class RequestContext {
    let request: Request
    let body: RequestBodyReader
    var caller = Caller.anonymous

    init(request: Request, body: RequestBodyReader) {
        self.request = request
        self.body = body
    }

    /// A query parameter, or nil if absent.
    func query(_ name: String) -> String? { QueryString(request.uri.query ?? "")[name] }

    /// Decodes the body as JSON, up to 64 KiB.
    /// - Throws: 415 for another Content-Type, 400 for invalid JSON, and the errors of `RequestBodyReader.collect`.
    func json<T: Decodable>(_ type: T.Type) async throws -> T {
        guard let contentType = request.headers[.contentType].flatMap(HeaderValue.init)?.value,
            contentType == "application/json"
        else { throw APIError(.unsupportedMediaType, "unsupported_media_type", "Send Content-Type: application/json") }
        let buffer = try await body.collect(upTo: 64 << 10)
        do {
            return try JSONDecoder().decode(type, from: Data(buffer.readableBytesView))
        } catch let error as DecodingError {
            throw APIError.badRequest(Self.words(for: error))
        }
    }

    private static func words(for error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, _): return "The field \"\(key.stringValue)\" is missing"
        case .typeMismatch(_, let context), .valueNotFound(_, let context):
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return path.isEmpty ? "The body must be a JSON object" : "The field \"\(path)\" has the wrong type"
        case .dataCorrupted(let context) where !context.codingPath.isEmpty:
            let path = context.codingPath.map(\.stringValue).joined(separator: ".")
            return "The field \"\(path)\" has an invalid value"
        default: return "The body is not valid JSON"
        }
    }
}

/// Handles requests: authenticates the caller, runs the route's handler, maps errors to responses, and adds the headers
/// that all responses have.
struct APIResponder: HTTPResponder {
    typealias Handler = (RequestContext) async throws -> Response

    let services: APIServices
    let accessControl: AccessControl
    let now: @Sendable () -> Duration
    let observe: @Sendable (RequestEvent) -> Void

    /// Seconds that a client has to read the response before its connection is closed, if its body was not read.
    private static let lingerSeconds: Int64 = 2

    func respond(to request: Request, context connection: ConnectionContext) async throws -> Response {
        let route = Routes(services: services).find(request.uri.path)
        // Health checks are answered even if all request threads are busy.
        if route?.isHealthCheck == true { return await respond(to: request, route: route, connection: connection) }
        return await withTaskExecutorPreference(RequestThreads.shared) {
            await respond(to: request, route: route, connection: connection)
        }
    }

    private func respond(to request: Request, route: Routes.Route?, connection: ConnectionContext) async -> Response {
        let options = services.options
        let start = now()
        let sender = BodySender(
            channel: connection.channel,
            meter: IngressMeter(minimum: options.minimumRate, window: .seconds(options.minimumRateSeconds)),
            pauseTime: .seconds(options.pauseSeconds), now: now)
        defer { sender.finish() }
        let context = RequestContext(
            request: request, body: RequestBodyReader(request, channel: connection.channel, sender: sender))
        var response: Response
        do {
            response = try await answer(context, route: route, connection: connection)
        } catch {
            response = refuse(error, context)
        }
        if route?.isTus == true { response.headers[.tusResumable] = Tus.version }
        response.headers[.named("X-Content-Type-Options")] = "nosniff"
        if response.headers[.cacheControl] == nil { response.headers[.cacheControl] = "no-store" }
        if let path = response.headers[.location] {
            response.headers[.location] = ResourceReference(publicURL: options.publicURL).text(path, for: request.head)
        }
        for field in CrossOriginHeaders(allowed: options.allowedOrigins).headers(for: request.head) {
            response.headers[field.name] = field.value
        }
        if context.body.isLeftUnread {
            response.headers[.connection] = "close"
            let channel = connection.channel
            channel.eventLoop.scheduleTask(in: .seconds(Self.lingerSeconds)) { channel.close(promise: nil) }
        }
        if request.method == .head {
            let length = response.headers[.contentLength]
            response.body = ResponseBody()
            response.headers[.contentLength] = length
        }
        observe(
            RequestEvent(
                method: request.method.rawValue, status: response.status.code, seconds: (now() - start).seconds))
        return response
    }

    private func answer(_ context: RequestContext, route: Routes.Route?, connection: ConnectionContext) async throws
        -> Response
    {
        let authority = try context.request.head.checkedAuthority()
        let method = route?.method(of: context.request) ?? context.request.method
        // Browsers send no token with a preflight request.
        if let route, method == .options { return route.options() }
        if route?.isPublic != true {
            context.caller = try accessControl.admit(
                context.request.head, authority: authority, from: connection.channel)
        }
        guard let route else { throw APIError.notFound("page") }
        guard let handler = route.handlers[method] ?? (method == .head ? route.handlers[.get] : nil) else {
            throw APIError(
                .methodNotAllowed, "method_not_allowed", "\(method.rawValue) is not allowed here",
                headers: [.allow: route.allowed])
        }
        return try await handler(context)
    }

    private func refuse(_ error: any Error, _ context: RequestContext) -> Response {
        let answer = APIError(error)
        if answer.status.kind == .serverError, !(error is APIError) {
            // The query is omitted, because it may contain names and titles.
            services.logger.error(
                "Request failed",
                metadata: [
                    "method": "\(context.request.method)", "path": "\(context.request.uri.path)", "error": "\(error)",
                ])
        }
        return answer.response
    }
}
