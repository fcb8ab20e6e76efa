internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import Dispatch
internal import Foundation
internal import Glibc
internal import Logging
internal import ServiceLifecycle
internal import Synchronization

/// `clairo serve`: the upload API.
struct ServeCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Serve the upload API over HTTP.",
        discussion: """
            Clients upload videos as forms, as raw bodies, with the resumable protocol tus 1.0.0, or directly to S3 by \
            presigned URLs; /openapi.json describes the API. On SIGTERM and Ctrl-C the server lets running uploads end; a \
            second signal ends it at once.

              clairo serve
              curl -F file=@holiday.mov http://127.0.0.1:8080/v1/videos
              clairo serve --listen 0.0.0.0:8080 --token-file /etc/clairo/tokens

            A token file has one bearer token per line, as TOKEN or NAME:TOKEN; tokens with the same name share their \
            uploads. The file is read again when it changes. For TLS, put a proxy in front. Web pages of other origins may \
            use the API if --allow-origin names them.
            """)

    @OptionGroup var listenOptions: ListenOptions

    @Flag(help: "Allow addresses other than loopback without a token file.")
    var allowAnonymous = false

    @Option(help: ArgumentHelp("Largest size of a video, up to S3's 5 TiB (5497558138880).", valueName: "bytes"))
    var maxUploadSize = ServerOptions().maxUploadSize

    @Option(
        help: ArgumentHelp(
            "Uploads to receive at once; further ones wait up to 10 seconds. One caller leaves a quarter to others. Each takes up to 24 MiB of memory, or 0.03 % of --max-upload-size if that is more.",
            valueName: "count"))
    var maxUploads = ServerOptions().maxUploads

    @Option(help: ArgumentHelp("Connections to accept at once.", valueName: "count"))
    var maxConnections = ServerOptions().maxConnections

    @Option(
        help: ArgumentHelp(
            "Requests per second from one token, or from one address if there are no tokens.", valueName: "number"))
    var rate = ServerOptions().requestsPerSecond

    @Option(
        help: ArgumentHelp(
            "Seconds that running uploads get to end when the server stops, at most a day.", valueName: "seconds"))
    var shutdownSeconds = ServerOptions().shutdownSeconds

    @OptionGroup var sandboxOptions: IntakeSandboxOptions

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Monitoring") var daemonOptions: DaemonOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(
            environment, own: listenOptions.flags)
        var options = try ServerOptions(settings)
        options.allowsAnonymous = allowAnonymous
        options.maxUploadSize = maxUploadSize
        options.maxUploads = maxUploads
        options.maxConnections = maxConnections
        (options.requestsPerSecond, options.requestBurst) = (rate, rate * 2)
        options.shutdownSeconds = shutdownSeconds
        try options.check()
        let configured = options
        let stop = StopRequest()
        let (metrics, log, limits) = (
            daemonOptions.metrics(settings), daemonOptions.log(environment), limitOptions.limits
        )
        let services = Services(settings, environment, stop: stop, metrics: metrics, log: log)
        let manager = environment.manager
        let sandbox = sandboxOptions.sandbox
        let secret = try services.masterSecret()
        try await services.checkSandbox(sandbox, log: log)
        try await daemonOptions.running(metrics, log: log) {
            try await services.withMetadataOfDaemon(log: log) { metadata in
                let server = try UploadServer(
                    options: configured,
                    registration: try services.registration(metadata, limits: limits, sandbox: sandbox),
                    metadata: metadata, deletion: services.deletion(metadata), masterSecret: secret,
                    logger: log.quietLogger,
                    onListening: { port in
                        let host = configured.host.contains(":") ? "[\(configured.host)]" : configured.host
                        let words = "Listening on http://\(host):\(port)"
                        if log.format == .text { environment.error(words + "\n") } else { log.note(words) }
                        manager.ready(words)
                    }, observe: { metrics?.count($0) })
                let ending = ServerEnding(seconds: shutdownSeconds, stop: stop, log: log)
                defer { ending.isOver() }
                let group = ServiceGroup(
                    configuration: .init(
                        services: [ManagedServer(server: server, manager: manager, ending: ending)],
                        logger: log.quietLogger))
                let handlers = await Signals.stoppingServer { Task { await group.triggerGracefulShutdown() } }
                defer { handlers.cancel() }
                try await manager.watching { try await group.run() }
            }
        }
    }
}

/// The server, with the components to notify when it stops.
private struct ManagedServer: Service {
    let server: UploadServer
    let manager: ServiceManager
    let ending: ServerEnding

    func run() async throws {
        try await withGracefulShutdownHandler {
            try await server.run()
        } onGracefulShutdown: {
            manager.stopping()
            ending.begin()
        }
    }
}

/// Ensures that a stopping server ends even if its store or database hangs. After the time for running requests,
/// requests to the store are cancelled, and some seconds later the process exits. Nothing is lost, because the server
/// is crash-safe.
private final class ServerEnding: Sendable {
    private static let limit = ServerOptions.cleanupSeconds

    private let seconds: Double
    private let stop: StopRequest
    private let log: PipelineLog
    private let timers = Mutex<[any DispatchSourceProtocol]>([])

    init(seconds: Double, stop: StopRequest, log: PipelineLog) {
        self.seconds = seconds
        self.stop = stop
        self.log = log
    }

    func begin() {
        let (seconds, stop, log) = (seconds, stop, log)
        timers.withLock { timers in
            timers = [
                Self.timer(after: seconds) { stop.cancel() },
                Self.timer(after: seconds + Self.limit) {
                    log.note("a service does not answer; exiting")
                    _exit(0)
                },
            ]
            for timer in timers { timer.resume() }
        }
    }

    func isOver() {
        timers.withLock { timers in
            for timer in timers { timer.cancel() }
            timers = []
        }
    }

    private static func timer(after seconds: Double, _ body: @escaping @Sendable () -> Void)
        -> any DispatchSourceProtocol
    {
        let timer = DispatchSource.makeTimerSource(queue: .global())
        timer.schedule(deadline: .now() + seconds)
        timer.setEventHandler(handler: body)
        return timer
    }
}

extension ServerOptions {
    /// The options that have settings.
    /// - Throws: `usage` (64) for a wrong flag, `configuration` (78) for a wrong value from elsewhere.
    init(_ settings: Settings) throws(ClairoError) {
        self.init()
        try settings.apply(.listen) { (text) throws(ClairoError) in try listen(on: text) }
        try settings.apply(.publicURL) { (text) throws(ClairoError) in publicURL = try PublicURL(text) }
        try settings.apply(.allowOrigin) { (text) throws(ClairoError) in allowedOrigins = try AllowedOrigins(text) }
        tokenFile = settings.value(.tokenFile)
    }
}

extension Settings {
    /// Applies a value, if there is one.
    fileprivate func apply(_ key: Key, _ set: (String) throws(ClairoError) -> Void) throws(ClairoError) {
        guard let text = value(key) else { return }
        do {
            try set(text)
        } catch {
            let message = "\(origin(key)): \(error.message)"
            if case .flag = origin(key) { throw .usage(message, advice: error.advice) }
            throw .configuration(message, advice: error.advice)
        }
    }
}
