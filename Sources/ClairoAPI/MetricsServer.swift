public import ClairoCore
internal import Foundation
internal import HTTPTypes
internal import Hummingbird
public import Logging
internal import NIOCore
internal import ServiceLifecycle

/// Serves metrics to Prometheus at `/metrics`, a liveness check at `/healthz`, and a readiness check at `/readyz`.
///
/// There is no authentication, so listen on an address that only the monitoring system can reach.
public struct MetricsServer: Sendable {
    private let address: ListenAddress
    private let page: @Sendable () async -> String
    private let problems: (@Sendable () async -> [String])?
    private let logger: Logger
    private let contentType: String
    /// Seconds that a response in progress may still take during a shutdown.
    private static let shutdownSeconds = 2.0

    /// - Parameters:
    ///   - problems: Returns why the process cannot do its work at present, a line each. `/readyz` answers with 503 while
    ///     there are any; if nil, there is no such page.
    ///   - page: Creates the page for each request.
    public init(
        _ address: ListenAddress, contentType: String, logger: Logger,
        problems: (@Sendable () async -> [String])? = nil, page: @escaping @Sendable () async -> String
    ) {
        self.address = address
        self.contentType = contentType
        self.logger = logger
        self.problems = problems
        self.page = page
    }

    /// Serves until the calling task is cancelled.
    /// - Parameter onListening: Called once, with the bound address.
    /// - Throws: `configuration` (78) if the address cannot be bound.
    public func run(onListening: @escaping @Sendable (ListenAddress) async -> Void) async throws(ClairoError) {
        let (page, problems, contentType, address) = (page, problems, contentType, address)
        let application = Application(
            responder: CallbackResponder { (request: Request, _: ConnectionContext) in
                var headers: HTTPFields = [.cacheControl: "no-store"]
                guard request.method == .get || request.method == .head else {
                    headers[.allow] = "GET, HEAD"
                    return Response(status: .methodNotAllowed, headers: headers)
                }
                let text: String
                var status = HTTPResponse.Status.ok
                switch request.uri.path {
                case "/metrics":
                    headers[.contentType] = contentType
                    text = await page()
                case "/healthz":
                    headers[.contentType] = "text/plain; charset=utf-8"
                    text = "ok\n"
                case "/readyz":
                    guard let problems = await problems?() else { return Response(status: .notFound, headers: headers) }
                    headers[.contentType] = "text/plain; charset=utf-8"
                    text = problems.isEmpty ? "ok\n" : problems.map { $0 + "\n" }.joined()
                    if !problems.isEmpty { status = .serviceUnavailable }
                default: return Response(status: .notFound, headers: headers)
                }
                return Response(
                    status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(string: text)))
            },
            server: .http1(configuration: .init(idleTimeout: .seconds(90))),
            configuration: .init(
                address: .hostname(address.host, port: address.port), serverName: "clairo",
                availableConnectionsDelegate: .maximum(64, logger: logger)),
            onServerRunning: { channel in
                var actual = address
                actual.port = channel.localAddress?.port ?? address.port
                await onListening(actual)
            },
            logger: logger)
        var configuration = ServiceGroupConfiguration(services: [application], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(Self.shutdownSeconds)
        let group = ServiceGroup(configuration: configuration)
        do {
            // Turn a cancellation into a graceful shutdown, because the server would log the cancellation.
            let running = Task { try await group.run() }
            try await withTaskCancellationHandler {
                try await running.value
            } onCancel: {
                Task { await group.triggerGracefulShutdown() }
            }
        } catch is CancellationError {
            return
        } catch let error as ClairoError {
            throw error
        } catch {
            throw address.failure(error, for: " for metrics", advice: "Use another address.")
                ?? .defect("Serving metrics on \(address): \(error)")
        }
    }
}
