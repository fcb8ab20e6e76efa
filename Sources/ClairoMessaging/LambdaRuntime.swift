public import ClairoCore
internal import Curl
public import Foundation

/// The event loop of an AWS Lambda function: receives one event at a time, runs the handler, and posts the response.
/// The `provided` runtimes start the binary under the name `bootstrap`.
///
/// Source: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
public struct LambdaRuntime: Sendable {
    /// One invocation of the function.
    public struct Event: Sendable {
        /// The id of the invocation. The response must refer to it.
        public var requestID: String
        /// The event as JSON.
        public var payload: Data
        /// When Lambda kills the process. If Lambda does not say, 15 minutes after the event arrived.
        public var deadline: Timestamp
        /// X-Ray's trace header. It is not copied to the environment variable `_X_AMZN_TRACE_ID`: only AWS SDKs read
        /// that, and `setenv` would race with other threads.
        public var traceHeader: String?

        /// The trace id in W3C form: `Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700` without `Root=1-` and dashes. Source:
        /// https://docs.aws.amazon.com/xray/latest/devguide/xray-api-sendingdata.html#xray-api-traceids
        public var traceID: String? {
            let root = traceHeader?.split(separator: ";").first { $0.hasPrefix("Root=1-") }
            guard let digits = root?.dropFirst(7).replacing("-", with: "").lowercased(), digits.utf8.count == 32,
                digits.utf8.allSatisfy({ (48...57).contains($0) || (97...102).contains($0) })
            else { return nil }
            return digits
        }
    }

    /// The maximum size of an event and of a response: 6 MiB. Source:
    /// https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
    public static let largestEvent = 6 << 20

    private let base: String
    private let client: HTTPClient

    /// - Throws: `configuration` (78) outside of Lambda.
    public init(environment: [String: String]) throws(ClairoError) {
        guard let place = environment["AWS_LAMBDA_RUNTIME_API"], !place.isEmpty else {
            throw .configuration(
                "This is not a Lambda function: AWS_LAMBDA_RUNTIME_API is not set",
                advice: "Outside of Lambda, use --s3-event FILE instead of --lambda.")
        }
        base = "http://\(place)/2018-06-01/runtime"
        var configuration = HTTPClient.Configuration()
        // The runtime API is on this machine, so proxies do not apply.
        configuration.environment = [:]
        client = HTTPClient(configuration)
    }

    /// Handles events until stopped. A failed event is reported to Lambda, which retries it by its own policy.
    /// - Parameters:
    ///   - stop: Stops waiting for events. An event in progress is still answered.
    ///   - handle: Handles one event and returns the response as JSON.
    /// - Throws: An error if the runtime API does not answer or answers with an error. Lambda then restarts the
    ///   function.
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
                try await report(.defect("The response is too large for Lambda"), of: event)
            } else {
                try Self.check(reply, "Posting the response to a Lambda event")
            }
        }
    }

    /// Reports to Lambda that the function cannot start. If the report fails, that is ignored, because `error` is what
    /// matters.
    public func reportInitFailure(_ error: ClairoError) async {
        _ = try? await post(error, to: "/init/error")
    }

    /// - Returns: The next event, or nil after a stop.
    private func next(_ cancellation: Cancellation) async throws(ClairoError) -> Event? {
        let reply: HTTPReply
        do throws(ClairoError) {
            reply = try await send("GET", "/invocation/next", cancellation: cancellation)
        } catch  where error.kind == .cancelled {
            return nil
        }
        try Self.check(reply, "Getting the next Lambda event")
        guard let requestID = reply.headers["Lambda-Runtime-Aws-Request-Id"], !requestID.isEmpty,
            requestID.utf8.allSatisfy({ $0.isASCIILetterOrDigit || $0 == 45 })
        else { throw .defect("Getting the next Lambda event: it has no request id") }
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
            throw .defect("The error cannot be encoded as JSON")
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
        // Lambda may freeze the process for hours while it waits for an event, so a timeout would be meaningless.
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
