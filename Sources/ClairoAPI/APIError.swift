internal import ClairoCore
internal import Foundation
internal import HTTPTypes
internal import Hummingbird

/// An error response: `{"error":{"code":…,"message":…}}`.
///
/// The message goes to an untrusted client: it never contains a path, bucket, key or other internal name.
struct APIError: Error {
    var status: HTTPResponse.Status
    /// For programs: a stable identifier in snake_case.
    var code: String
    /// For people: one or two sentences without the final full stop.
    var message: String
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ code: String, _ message: String, headers: HTTPFields = [:]) {
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers
    }

    static func badRequest(_ message: String) -> APIError { APIError(.badRequest, "bad_request", message) }

    static func notFound(_ what: String) -> APIError { APIError(.notFound, "not_found", "No such \(what)") }

    static func tooLarge(limit: Int64) -> APIError {
        APIError(.contentTooLarge, "too_large", "A video may have at most \(limit) bytes")
    }

    static let disconnected = APIError(.badRequest, "incomplete_body", "The request ended before its body was complete")

    static let superseded = APIError(.conflict, "superseded", "Another request has taken over this upload")

    static func busy(_ message: String, retryAfter seconds: Int) -> APIError {
        APIError(.serviceUnavailable, "unavailable", message, headers: [.retryAfter: String(seconds)])
    }

    /// Maps an internal error to an error that a client may see.
    init(_ error: any Error) {
        switch error {
        case let error as APIError: self = error
        case let error as FormParser.Failure: self = .badRequest(error.message)
        case let error as ClairoError where error.kind == .badInput:
            self.init(.unprocessableContent, "bad_media", error.description)
        case let error as ClairoError where error.kind != .defect:
            self = .busy("The store or the database is unavailable; try again later", retryAfter: 5)
        default:
            self.init(.internalServerError, "internal", "Internal error; see the server's log")
        }
    }

    private struct Document: Encodable {
        struct Content: Encodable {
            var code: String
            var message: String
        }
        var error: Content
    }

    var response: Response {
        Response.json(status, Document(error: .init(code: code, message: message)), headers: headers)
    }
}

extension Response {
    /// A JSON response. The body ends with a line break, for terminals.
    static func json(_ status: HTTPResponse.Status, _ document: some Encodable, headers: HTTPFields = [:]) -> Response {
        guard var data = try? JSON.encode(document) else { return Response(status: .internalServerError) }
        data.append(10)
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: data)))
    }
}

extension HTTPField.Name {
    static func named(_ name: String) -> HTTPField.Name {
        guard let name = HTTPField.Name(name) else { preconditionFailure("\(name) is not a valid header name") }
        return name
    }

    static let host = named("Host")
    static let fileName = named("X-File-Name")
    static let videoID = named("Clairo-Video-ID")
}
