public import ClairoCore
internal import Curl
internal import Foundation
internal import Synchronization

/// Posts `JobEvent`s to a URL.
///
/// Each request has the headers `Clairo-Signature` (see `WebhookSignature`), `Clairo-Event` (such as `job.ready`) and
/// `Clairo-Delivery` (the message's id, which is the same for retries).
///
/// A 2xx status is success. 408, 425, 429 and 5xx are temporary errors, and the message is sent again later. Any other
/// status is a permanent error, including 3xx, because redirects are not followed. Errors contain only the URL's
/// scheme, host and port, because the rest may be a secret.
public final class HTTPWebhook: WebhookSender {
    private static let largestReply = 64 << 10

    private let url: String
    private let secret: String
    private let timeout: Double
    private let client: HTTPClient
    private let now: @Sendable () -> Timestamp

    /// - Parameters:
    ///   - timeout: The timeout of a whole request, in seconds.
    ///   - environment: The environment variables that name proxies and certificates.
    /// - Throws: `configuration` (78) if the URL is not `http` or `https`, or if the secret is empty.
    public init(
        url: String, secret: String, timeout: Double = 10, environment: [String: String],
        now: @escaping @Sendable () -> Timestamp = { .now }
    ) throws(ClairoError) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
            ["http", "https"].contains(scheme), parts.host?.isEmpty == false
        else {
            throw .configuration(
                "The webhook URL is not valid", advice: "Use https://host/path, percent-encoded.")
        }
        guard !secret.isEmpty else {
            throw .configuration(
                "The webhook has no signing secret", advice: "Set one, and share it with the receiver.")
        }
        var configuration = HTTPClient.Configuration()
        configuration.environment = environment
        client = HTTPClient(configuration)
        self.url = url
        self.secret = secret
        self.timeout = timeout
        self.now = now
    }

    public func send(_ message: OutboxMessage) async throws(ClairoError) {
        let request = try request(message)
        let cancellation = Cancellation()
        let outcome = await withTaskCancellationHandler {
            await onDedicatedThread(name: "webhook") { [self] in
                Result { () throws(ClairoError) in try post(request, message.payload, cancellation) }
            }
        } onCancel: {
            cancellation.cancel()
        }
        try outcome.get()
    }

    private func request(_ message: OutboxMessage) throws(ClairoError) -> HTTPRequest {
        struct Event: Decodable {
            var event: JobEvent.Kind
        }
        guard let event = try? JSONDecoder().decode(Event.self, from: message.payload).event else {
            throw .defect("The webhook message \(message.id) is not a job event")
        }
        var request = HTTPRequest("POST", url)
        request.headers = [
            "Content-Type": "application/json",
            "Clairo-Event": event.rawValue,
            "Clairo-Delivery": message.id.rawValue,
            WebhookSignature.header: WebhookSignature.sign(
                message.payload, secret: secret, time: now().microseconds / 1_000_000),
        ]
        (request.connectTimeout, request.stallTimeout) = (timeout, timeout)
        return request
    }

    /// Sends the request. Blocks.
    private func post(_ request: HTTPRequest, _ body: Data, _ cancellation: Cancellation) throws(ClairoError) {
        struct EnoughRead: Error {}
        let isLate = Mutex(false)
        let alarm = DispatchSource.makeTimerSource(queue: .global())
        alarm.schedule(deadline: .now() + timeout)
        alarm.setEventHandler {
            isLate.withLock { $0 = true }
            cancellation.cancel()
        }
        alarm.resume()
        defer { alarm.cancel() }
        var read = 0
        let reply: HTTPReply
        do {
            reply = try client.stream(request, body: .data(body), limit: Self.largestReply, cancellation: cancellation)
            {
                _, bytes in
                read += bytes.count
                if read > Self.largestReply { throw EnoughRead() }
            }
        } catch is EnoughRead {
            // Only the body of a 2xx reply is streamed, so this is a success.
            return
        } catch let error as CurlError {
            throw Self.error(error, isLate: isLate.withLock(\.self), timeout)
        } catch {
            throw .defect("Sending a webhook: \(error)")
        }
        guard !reply.head.isSuccess else { return }
        let origin = MaskedURL.origin(url)
        if [408, 425, 429].contains(reply.status) || reply.status >= 500 {
            throw .temporary("Sending a webhook: \(origin) answered \(reply.status)")
        }
        let isRedirect = (300..<400).contains(reply.status)
        throw ClairoError(
            kind: .badInput, exitCode: .configuration, "Sending a webhook: \(origin) answered \(reply.status)",
            advice: isRedirect
                ? "Redirects are not followed: use the target URL."
                : "Check the webhook URL and the receiver's log.")
    }

    private static func error(_ error: CurlError, isLate: Bool, _ timeout: Double) -> ClairoError {
        switch error.category {
        case .cancelled:
            isLate
                ? .temporary("Sending a webhook: \(error.origin) took longer than \(timeout.formatted()) s")
                : .cancelled
        case .unreachable: .unavailable("Sending a webhook: \(error)")
        case .timeout, .connectionLost, .badReply, .tooLarge, .tls: .temporary("Sending a webhook: \(error)")
        case .badRequest: .configuration("Sending a webhook: \(error)", advice: "Check the webhook URL.")
        case .local: .defect("Sending a webhook: \(error)")
        }
    }
}
