public import ClairoCore

/// How the server listens and what it allows.
public struct ServerOptions: Sendable {
    /// A name or an address to listen on.
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = 8080
    /// The bearer tokens that are let in; nil lets in everybody.
    public var tokenFile: String?
    /// Everybody may be let in on other addresses than this machine's own.
    public var allowsAnonymous = false
    /// Bytes of one video, at most `largestUploadSize`.
    public var maxUploadSize: Int64 = 64 << 30
    /// Of one object in S3: 5 TiB. Source: https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html
    public static let largestUploadSize: Int64 = 5 << 40
    public var maxConnections = 512
    /// Uploads whose bytes are received at once; more are asked to come back. Each takes up to three parts of memory: 24 MiB,
    /// or where `maxUploadSize` is beyond 78 GiB three ten-thousandths of it.
    public var maxUploads = 12
    /// Seconds after which a connection without traffic is closed.
    public var idleSeconds: Double = 90
    /// A sender that we wait for and that sends less, over `minimumRateSeconds`, is dropped.
    public var minimumBytesPerSecond = 1024
    public var minimumRateSeconds: Double = 30
    /// Requests of one caller, from 0.001 to a million.
    public var requestsPerSecond: Double = 50
    public var requestBurst: Double = 100
    /// Seconds that running requests have to end at a shutdown, at most a day.
    public var shutdownSeconds: Double = 20
    /// How long `/readyz` waits for the database and the store.
    public var readinessSeconds: Double = 4

    public init() {}

    /// Reads `host:port`, `[address]:port`, `:port` or `port`.
    public mutating func listen(on text: String) throws(ClairoError) {
        let address = try ListenAddress(text)
        (host, port) = (address.host, address.port)
    }

    /// - Throws: where the file of tokens cannot be used.
    public func checkTokens() throws(ClairoError) { if let tokenFile { _ = try TokenList(path: tokenFile) } }

    /// Whether only programs of this machine can connect.
    public var isLoopback: Bool {
        host == "localhost" || host == "::1"
            || host.hasPrefix("127.") && host.split(separator: ".").count == 4
                && host.allSatisfy { $0.isNumber || $0 == "." }
    }

    /// - Throws: `usage` (64) for a number out of range, `configuration` (78) where the server would let in everybody from
    ///   everywhere and nobody has asked for it.
    public func check() throws(ClairoError) {
        try Self.check("--max-upload-size", maxUploadSize, in: 1...Self.largestUploadSize)
        try Self.check("--max-uploads", maxUploads, in: 1...10_000)
        try Self.check("--max-connections", maxConnections, in: 1...1_000_000)
        try Self.check("--rate", requestsPerSecond, in: 0.001...1_000_000)
        try Self.check("--shutdown-seconds", shutdownSeconds, in: 0...86_400)
        guard tokenFile != nil || isLoopback || allowsAnonymous else {
            throw .configuration(
                "Listening on \(host) without tokens would let anybody upload and delete",
                advice: "Give --token-file FILE, or --allow-anonymous if that is what you want.")
        }
    }

    private static func check<Number: Comparable>(
        _ name: String, _ number: Number, in range: ClosedRange<Number>
    ) throws(ClairoError) {
        guard range.contains(number) else {
            throw .usage(
                "\(name) \(number) is out of range",
                advice: "Give a number from \(range.lowerBound) to \(range.upperBound).")
        }
    }
}
