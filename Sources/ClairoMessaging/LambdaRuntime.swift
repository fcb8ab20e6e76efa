public import ClairoCore
internal import Curl
public import Foundation

/// The loop of an AWS Lambda function: asks for the next event, has it handled, answers. One event at a time; the same
/// binary is the function on the `provided` runtimes when it is called `bootstrap`.
///
/// Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
public struct LambdaRuntime: Sendable {
    /// One invocation of the function.
    public struct Event: Sendable {
        public var requestID: String
        public var payload: Data
        /// When Lambda ends the process.
        public var deadline: Timestamp
        /// X-Ray's header. Its copy in the environment variable `_X_AMZN_TRACE_ID` would be for AWS's SDKs, which we have none
        /// of, and the environment cannot be changed safely while other threads read it.
        public var traceHeader: String?

        /// X-Ray's trace in the form of W3C: `Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700` without its version and dashes.
        /// Source: https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
        public var traceID: String? {
            let root = traceHeader?.split(separator: ";").first { $0.hasPrefix("Root=1-") }
            guard let digits = root?.dropFirst(7).replacing("-", with: "").lowercased(), digits.utf8.count == 32,
                digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
            else { return nil }
            return digits
        }
    }

    /// A Lambda event has up to 6 MiB, and so has an answer.
    /// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    public static let largestEvent = 6 << 20

    private let base: String
    private let client: HTTPClient

    /// - Throws: `configuration` (78) where this is not a Lambda function.
    public init(environment: [String: String]) throws(ClairoError) {
        guard let place = environment["AWS_LAMBDA_RUNTIME_API"], !place.isEmpty else {
            throw .configuration(
                "This is not a Lambda function: AWS_LAMBDA_RUNTIME_API is not set",
                advice: "Without --lambda, an event is read by --s3-event FILE.")
        }
        base = "http://\(place)/2018-06-01/runtime"
        var configuration = HTTPClient.Configuration()
        // It is on this machine, whatever proxy there is.
        configuration.environment = [:]
        client = HTTPClient(configuration)
    }

    /// Handles events until it is stopped. A failed event is reported, and Lambda sends it again when it sees fit.
    /// - Parameters:
    ///   - stop: ends the waiting for an event; one that is being handled is answered first.
    ///   - handle: gets one event after another and returns JSON.
    /// - Throws: where the runtime API does not answer as it should: Lambda starts the function anew then.
    public func run(
        until stop: StopRequest, _ handle: @Sendable (Event) async throws(ClairoError) -> Data
    ) async throws(ClairoError) {
        let cancellation = Cancellation()
        stop.onCancel { cancellation.cancel() }
        while !stop.isCancelled, let event = try await next(cancellation) {
            let answer: Data
            do throws(ClairoError) {
                answer = try await handle(event)
            } catch {
                try await report(error, of: event)
                continue
            }
            let reply = try await send("POST", "/invocation/\(event.requestID)/response", answer)
            if reply.status == 413 {
                try await report(.defect("The answer is too large for Lambda"), of: event)
            } else {
                try Self.check(reply, "Answering a Lambda event")
            }
        }
    }

    /// Tells Lambda that the function cannot start. What fails here is not thrown: the first error is the one that counts.
    public func reportInitFailure(_ error: ClairoError) async {
        _ = try? await post(error, to: "/init/error")
    }

    /// - Returns: nil once it was stopped.
    private func next(_ cancellation: Cancellation) async throws(ClairoError) -> Event? {
        let reply: HTTPReply
        do throws(ClairoError) {
            reply = try await send("GET", "/invocation/next", cancellation: cancellation)
        } catch  where error.kind == .cancelled {
            return nil
        }
        try Self.check(reply, "Asking for a Lambda event")
        guard let requestID = reply.headers["Lambda-Runtime-Aws-Request-Id"], !requestID.isEmpty,
            requestID.utf8.allSatisfy({ $0.isASCIILetterOrDigit || $0 == 45 })
        else { throw .defect("Asking for a Lambda event: it came without an id") }
        let deadline = reply.headers["Lambda-Runtime-Deadline-Ms"].flatMap { Int64($0) }
        return Event(
            requestID: requestID, payload: reply.body,
            deadline: deadline.map { Timestamp(microseconds: $0 &* 1000) } ?? .now.advanced(bySeconds: 900),
            traceHeader: reply.headers["Lambda-Runtime-Trace-Id"])
    }

    private func report(_ error: ClairoError, of event: Event) async throws(ClairoError) {
        try Self.check(
            try await post(error, to: "/invocation/\(event.requestID)/error"), "Reporting a failed Lambda event")
    }

    private func post(_ error: ClairoError, to path: String) async throws(ClairoError) -> HTTPReply {
        struct Report: Encodable {
            var errorMessage: String
            var errorType: String
        }
        let type = "Clairo.\(error.kind.rawValue)"
        guard let body = try? JSON.encode(Report(errorMessage: error.description, errorType: type), pretty: false)
        else {
            throw .defect("An error cannot be written as JSON")
        }
        return try await send("POST", path, body, headers: ["Lambda-Runtime-Function-Error-Type": type])
    }

    private static func check(_ reply: HTTPReply, _ doing: String) throws(ClairoError) {
        guard reply.head.isSuccess else { throw .temporary("\(doing): the runtime API answered \(reply.status)") }
    }

    private func send(
        _ method: String, _ path: String, _ body: Data? = nil, headers: HTTPHeaders = [:],
        cancellation: Cancellation? = nil
    ) async throws(ClairoError) -> HTTPReply {
        var request = HTTPRequest(method, base + path, headers: headers)
        if body != nil { request.headers["Content-Type"] = "application/json" }
        // The process may be frozen for hours while it waits, so there is no limit that means anything.
        request.stallTimeout = 1e9
        let final = request
        do {
            return try await onDedicatedThread(name: "lambda") { [client] in
                try client.send(
                    final, body: body.map { .data($0) } ?? .none, limit: Self.largestEvent, cancellation: cancellation)
            }
        } catch let error as CurlError {
            throw error.category == .cancelled ? .cancelled : .unavailable("The Lambda runtime API: \(error)")
        } catch {
            throw .defect("The Lambda runtime API: \(error)")
        }
    }
}

extension UInt8 {
    fileprivate var isASCIILetterOrDigit: Bool {
        (48...57).contains(self) || (65...90).contains(self) || (97...122).contains(self)
    }
}
