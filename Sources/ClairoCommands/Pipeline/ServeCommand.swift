internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import Dispatch
internal import Foundation
internal import Glibc
internal import Logging
internal import ServiceLifecycle
internal import Synchronization
internal import UnixSignals

/// `clairo serve`: the upload API.
struct ServeCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "serve",
        abstract: "Take uploads over HTTP.",
        discussion: """
            Videos come as forms, as raw bodies, resumable by tus 1.0.0, or straight to S3 by presigned URLs; \
            /openapi.json describes it all. SIGTERM and Ctrl-C let running uploads end; a second one ends the server at once.

              clairo serve
              curl -F file=@holiday.mov http://127.0.0.1:8080/v1/videos
              clairo serve --listen 0.0.0.0:8080 --token-file /etc/clairo/tokens

            A token file has one bearer token in a line, with NAME: in front or not; tokens of one name share their \
            uploads. It is read again when it changes. TLS is for a proxy in front.
            """)

    @Option(help: ArgumentHelp("The address to listen on; 127.0.0.1:8080 without it.", valueName: "host:port"))
    var listen: String?

    @Option(help: ArgumentHelp("Let in only who sends one of these tokens.", valueName: "file"), completion: .file())
    var tokenFile: String?

    @Flag(help: "Listen on other addresses than this machine's own without a token file.")
    var allowAnonymous = false

    @Option(help: ArgumentHelp("Bytes of one video; 5 TiB (5497558138880) at most, as S3 has it.", valueName: "bytes"))
    var maxUploadSize = ServerOptions().maxUploadSize

    @Option(
        help: ArgumentHelp(
            "Uploads whose bytes are received at once, each in up to 24 MiB of memory; where --max-upload-size is beyond 78 GiB, in up to three ten-thousandths of that.",
            valueName: "count"))
    var maxUploads = ServerOptions().maxUploads

    @Option(help: ArgumentHelp("Connections at once.", valueName: "count"))
    var maxConnections = ServerOptions().maxConnections

    @Option(
        help: ArgumentHelp(
            "Requests of one token, or of one address where there are no tokens.", valueName: "per second"))
    var rate = ServerOptions().requestsPerSecond

    @Option(
        help: ArgumentHelp(
            "Seconds that running uploads have to end when the server stops, a day at most.", valueName: "seconds"))
    var shutdownSeconds = ServerOptions().shutdownSeconds

    @OptionGroup var sandboxOptions: IntakeSandboxOptions

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Monitoring") var daemonOptions: DaemonOptions

    @OptionGroup(title: "Limits") var limitOptions: LimitOptions

    func run(_ environment: CommandEnvironment) async throws {
        var options = ServerOptions()
        let settings = try await serviceOptions.settings(
            environment, own: [(.listen, listen), (.tokenFile, tokenFile)])
        if let listen { try options.listen(on: listen) } else { try options.listen(bySetting: settings[.listen]) }
        options.tokenFile = settings.value(.tokenFile)
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
        try await services.checkSandbox(sandbox, log: log)
        try await daemonOptions.running(metrics, log: log) {
            try await services.withMetadata { metadata in
                let server = try UploadServer(
                    options: configured,
                    registration: try services.registration(metadata, limits: limits, sandbox: sandbox),
                    output: try services.outputStore(), logger: log.quietLogger,
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
                        gracefulShutdownSignals: [.sigterm, .sigint], logger: log.quietLogger))
                try await manager.watching { try await group.run() }
            }
        }
    }
}

/// The server, and who has to know that it stops.
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

/// Sees to it that a server that was told to stop does so, whatever its store and its database do: when the time of running
/// requests is over, requests to the store are cut, and some seconds later the process ends in any case. A second signal
/// ends it at once. Nothing is lost by it: no crash loses anything.
private final class ServerEnding: Sendable {
    /// For what has been cut to be cleared away.
    private static let limit = 5.0

    private let seconds: Double
    private let stop: StopRequest
    private let log: PipelineLog
    private let sources = Mutex<[any DispatchSourceProtocol]>([])

    init(seconds: Double, stop: StopRequest, log: PipelineLog) {
        self.seconds = seconds
        self.stop = stop
        self.log = log
    }

    func begin() {
        let (seconds, stop, log) = (seconds, stop, log)
        sources.withLock { sources in
            sources = [SIGINT, SIGTERM].map { number in
                let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
                source.setEventHandler { _exit(128 + number) }
                return source
            }
            sources.append(Self.timer(after: seconds) { stop.cancel() })
            sources.append(
                Self.timer(after: seconds + Self.limit) {
                    log.note("a service does not answer: it is left alone")
                    _exit(0)
                })
            for source in sources { source.resume() }
        }
    }

    func isOver() {
        sources.withLock { sources in
            for source in sources { source.cancel() }
            sources = []
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
    /// The same as `listen(on:)` where no option of the command line says it.
    /// - Throws: `configuration` (78).
    mutating func listen(bySetting text: String) throws(ClairoError) {
        do {
            try listen(on: text)
        } catch {
            throw .configuration(error.message, advice: error.advice)
        }
    }
}
