public import ClairoCore
public import ClairoPipeline
internal import Foundation
internal import Hummingbird
public import Logging
internal import NIOCore
public import ServiceLifecycle

/// Serves the upload API on one address until a graceful shutdown.
///
/// During a shutdown, the server accepts no more connections, waits up to `shutdownSeconds` for running requests, and
/// then aborts the rest. The bytes of an aborted form upload are deleted; a resumable upload keeps the received bytes.
public struct UploadServer: Service {
    private let options: ServerOptions
    private let services: APIServices
    private let accessControl: AccessControl
    private let logger: Logger
    private let now: @Sendable () -> Duration
    private let observe: @Sendable (RequestEvent) -> Void
    private let onListening: @Sendable (_ port: Int) async -> Void

    /// - Parameters:
    ///   - metadata: The database that `registration` writes to.
    ///   - deletion: Starts deletions of videos. Upkeep in another process removes the bytes.
    ///   - masterSecret: Derives the keys of videos that `/v1/videos/{id}/keys` serves; nil to serve none.
    ///   - onListening: Called once, when the server accepts connections, with the bound port.
    ///   - observe: Called for each answered request.
    /// - Throws: `configuration` (78) if the options conflict or the token file is invalid.
    public init(
        options: ServerOptions, registration: UploadRegistration,
        metadata: any VideoRecords & UploadRecords & JobRecords & DatabaseHealth, deletion: VideoDeletion,
        masterSecret: MasterSecret? = nil, logger: Logger,
        onListening: @escaping @Sendable (_ port: Int) async -> Void = { _ in },
        observe: @escaping @Sendable (RequestEvent) -> Void = { _ in }
    ) throws(ClairoError) {
        try options.check()
        let start = ContinuousClock.now
        let now: @Sendable () -> Duration = { ContinuousClock.now - start }
        self.options = options
        self.logger = logger
        self.now = now
        self.observe = observe
        self.onListening = onListening
        var tokens: TokenList?
        if let path = options.tokenFile {
            let list = try TokenList(path: path)
            for warning in list.warnings { logger.warning("Unsafe token file", metadata: ["warning": "\(warning)"]) }
            tokens = list
        }
        accessControl = AccessControl(
            tokens: tokens,
            limiter: RateLimiter(perSecond: options.requestsPerSecond, burst: options.requestBurst, now: now),
            isLoopback: options.isLoopback, publicURL: options.publicURL, allowedOrigins: options.allowedOrigins)
        services = APIServices(
            options: options, metadata: metadata, registration: registration,
            resumable: ResumableUploads(registration), direct: DirectUploads(registration),
            deletion: deletion, masterSecret: masterSecret,
            readiness: Readiness([
                (
                    "database",
                    ReadinessCheck("database", logger: logger, now: now, timeout: .seconds(options.readinessSeconds)) {
                        try await metadata.check()
                    }
                ),
                (
                    "store",
                    ReadinessCheck("store", logger: logger, now: now, timeout: .seconds(options.readinessSeconds)) {
                        try await onDedicatedThread(name: "check") { try registration.store.check() }
                    }
                ),
            ]),
            slots: UploadSlots(options.maxUploads, patience: .seconds(options.slotPatienceSeconds)), logger: logger)
    }

    /// Serves until the task is cancelled or a graceful shutdown has finished running requests.
    /// - Throws: `configuration` (78) if the address cannot be bound.
    public func run() async throws {
        let application = Application(
            responder: APIResponder(services: services, accessControl: accessControl, now: now, observe: observe),
            server: .http1(
                configuration: .init(
                    additionalChannelHandlers: [HTTPVersionMarkInstaller()],
                    idleTimeout: .nanoseconds(Int64(options.idleSeconds * 1e9)),
                    httpDecoderConfiguration: .init(
                        // Allows for a query with a long, percent-encoded title.
                        maxHeaderFieldSize: 64 << 10, maxHeaderListSize: 96 << 10, maxHeaderFieldCount: 100))),
            configuration: .init(
                address: .hostname(options.host, port: options.port), serverName: "clairo",
                availableConnectionsDelegate: .maximum(options.maxConnections, logger: logger)),
            services: [UploadUpkeep(services: services, accessControl: accessControl)],
            onServerRunning: { [onListening] channel in await onListening(channel.localAddress?.port ?? 0) },
            logger: logger)
        var configuration = ServiceGroupConfiguration(services: [application], logger: logger)
        configuration.maximumGracefulShutdownDuration = .seconds(options.shutdownSeconds)
        do {
            try await ServiceGroup(configuration: configuration).run()
        } catch is CancellationError {
            // The graceful shutdown timed out, and running requests were aborted.
        } catch {
            throw ListenAddress(host: options.host, port: options.port)
                .failure(error, advice: "Use another address with --listen.") ?? error
        }
    }
}

/// Background work: reloads the token file when it changes (checked every two seconds), and removes expired uploads
/// every ten minutes.
private struct UploadUpkeep: Service {
    private static let tokenSeconds = 2.0
    private static let sweepSeconds = 600.0

    let services: APIServices
    let accessControl: AccessControl

    func run() async throws {
        await cancelWhenGracefulShutdown {
            await withTaskGroup { group in
                group.addTask { await watchTokens() }
                group.addTask { await sweep() }
            }
        }
    }

    private func watchTokens() async {
        guard let path = services.options.tokenFile else { return }
        var last = try? await onDedicatedThread(name: "tokens") { try TokenList(path: path) }
        while (try? await Task.sleep(for: .seconds(Self.tokenSeconds))) != nil {
            do {
                let list = try await onDedicatedThread(name: "tokens") { try TokenList(path: path) }
                if list == last { continue }
                last = list
                accessControl.replace(list)
                services.logger.info("Token file reloaded")
                for warning in list.warnings {
                    services.logger.warning("Unsafe token file", metadata: ["warning": "\(warning)"])
                }
            } catch {
                // Once only, until the file is valid again. The previous tokens stay in force.
                if last != nil {
                    services.logger.error("Cannot reload the token file", metadata: ["error": "\(error)"])
                }
                last = nil
            }
        }
    }

    private func sweep() async {
        let sweep = UploadSweep(services.registration)
        repeat {
            do {
                let count = try await sweep.run()
                if count > 0 { services.logger.info("Expired uploads removed", metadata: ["count": "\(count)"]) }
            } catch {
                services.logger.warning("Cannot remove expired uploads", metadata: ["error": "\(error)"])
            }
        } while (try? await Task.sleep(for: .seconds(Self.sweepSeconds))) != nil
    }
}
