public import ClairoCore

/// The server's address, authentication and limits.
public struct ServerOptions: Sendable {
    /// The host name or IP address to listen on.
    public var host = "127.0.0.1"
    /// 0 means any free port.
    public var port = 8080
    /// A file of accepted bearer tokens, or nil for anonymous access.
    public var tokenFile: String?
    /// Allows anonymous access from other machines.
    public var allowsAnonymous = false
    /// The maximum size of a video in bytes, up to `largestUploadSize`.
    public var maxUploadSize: Int64 = 64 << 30
    /// The maximum size of an S3 object: 5 TiB. Source:
    /// https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
    public static let largestUploadSize: Int64 = 5 << 40
    /// The maximum number of concurrent connections.
    public var maxConnections = 512
    /// The URL that clients use, if a proxy in front changes it.
    public var publicURL: PublicURL?
    /// The origins whose web pages may use the API with scripts.
    public var allowedOrigins = AllowedOrigins()
    /// The maximum number of uploads that are received at once. Further ones wait, and get a 503 after
    /// `slotPatienceSeconds`. Each upload buffers up to three parts in memory: 24 MiB, or 0.03 % of `maxUploadSize` if
    /// that exceeds 78 GiB.
    public var maxUploads = 12
    /// Seconds that an upload waits for others to end or to pause.
    public var slotPatienceSeconds: Double = 10
    /// Seconds of silence after which an upload gives its memory and its slot back until the sender goes on.
    public var pauseSeconds: Double = 5
    /// Seconds after which an idle connection is closed.
    public var idleSeconds: Double = 90
    /// The minimum rate of a sender. A sender that is slower over `minimumRateSeconds` gets a 408.
    public var minimumRate = MinimumRate.standard
    /// Seconds over which the rate of a sender is measured.
    public var minimumRateSeconds: Double = 30
    /// The maximum rate of each caller in requests per second, from 0.001 to 1 000 000.
    public var requestsPerSecond: Double = 50
    /// Requests that a caller may send at once before the rate applies.
    public var requestBurst: Double = 100
    /// Seconds that running requests may still take during a shutdown, up to a day. The supervisor must wait longer, by
    /// more than `cleanupSeconds`, before it kills the process: systemd (TimeoutStopSec=), Docker (stop_grace_period),
    /// ECS (StopTimeout). Tests compare the files of Scripts/deploy with it.
    public var shutdownSeconds: Double = 20
    /// Seconds after `shutdownSeconds` for the cleanup of cancelled requests. Then the process ends in any case.
    public static let cleanupSeconds = 5.0
    /// Seconds that `/readyz` waits for the database and the store.
    public var readinessSeconds: Double = 4

    public init() {}

    /// Sets the address from `host:port`, `[address]:port`, `:port` or `port`; see `ListenAddress`.
    public mutating func listen(on text: String) throws(ClairoError) {
        let address = try ListenAddress(text)
        (host, port) = (address.host, address.port)
    }

    /// Reads the token file, to report errors early.
    /// - Throws: `configuration` (78) if it cannot be read or is invalid.
    public func checkTokens() throws(ClairoError) { if let tokenFile { _ = try TokenList(path: tokenFile) } }

    /// Whether only this machine can connect.
    public var isLoopback: Bool {
        host == "localhost" || host == "::1"
            || host.hasPrefix("127.") && host.split(separator: ".").count == 4
                && host.allSatisfy { $0.isNumber || $0 == "." }
    }

    /// Validates the options.
    /// - Throws: `usage` (64) if a number is out of range, `configuration` (78) if other machines would have anonymous
    ///   access and `allowsAnonymous` is not set.
    public func check() throws(ClairoError) {
        try Self.check("--max-upload-size", maxUploadSize, in: 1...Self.largestUploadSize)
        try Self.check("--max-uploads", maxUploads, in: 1...10_000)
        try Self.check("--max-connections", maxConnections, in: 1...1_000_000)
        try Self.check("--rate", requestsPerSecond, in: 0.001...1_000_000)
        try Self.check("--shutdown-seconds", shutdownSeconds, in: 0...86_400)
        guard tokenFile != nil || isLoopback || allowsAnonymous else {
            throw .configuration(
                "Listening on \(host) without tokens would let anyone upload and delete",
                advice: "Use --token-file FILE, or --allow-anonymous to allow that.")
        }
    }

    private static func check<Number: Comparable>(
        _ name: String, _ number: Number, in range: ClosedRange<Number>
    ) throws(ClairoError) {
        guard range.contains(number) else {
            throw .usage(
                "\(name) \(number) is out of range",
                advice: "Use a number from \(range.lowerBound) to \(range.upperBound).")
        }
    }
}
