public import AWSSigning
public import Foundation

/// A real S3 server on the loopback address, shared by all tests of a process.
public struct S3Server: Sendable {
    public enum Kind: String, Sendable, CaseIterable {
        /// `rclone serve s3`. It verifies signatures. Buckets are folders.
        case rclone
        /// `moto_server`. It resembles AWS more closely but does not verify signatures. It also has ECS, ECR, STS and
        /// more.
        case moto
    }

    public let kind: Kind
    public let port: UInt16

    public static let credentials = AWSCredentials(accessKeyID: "clairo-tests", secretAccessKey: "secret/of+tests=")
    public static let region = "us-east-1"

    public static func isInstalled(_ kind: Kind) -> Bool { TestTools.path(of: kind.program) != nil }

    /// The server. Starts on first use, which may take seconds.
    public static func shared(_ kind: Kind) async throws -> S3Server {
        switch kind {
        case .rclone: try await rclone.value
        case .moto: try await moto.value
        }
    }

    /// The server's URL without a path.
    public var endpoint: String { "http://127.0.0.1:\(port)" }

    /// Variables for `clairo` and `aws` that select this server and hide the user's own AWS settings.
    public var environment: [String: String] { Self.environment(endpoint: endpoint) }

    /// The same for a proxy in front of the server.
    public static func environment(endpoint: String) -> [String: String] {
        [
            "AWS_ACCESS_KEY_ID": credentials.accessKeyID, "AWS_SECRET_ACCESS_KEY": credentials.secretAccessKey,
            "AWS_SESSION_TOKEN": "", "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region, "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": endpoint,
            "AWS_CONFIG_FILE": "/dev/null", "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
            "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "", "NO_PROXY": "127.0.0.1",
        ]
    }

    /// Creates an empty bucket with a unique name.
    public func makeBucket() async throws -> String {
        let name = "test-\(UUID().uuidString.lowercased())"
        let response = try await send(AWSRequest(method: "PUT", host: "", path: "/\(name)"))
        guard response.status == 200 else { throw Refused(server: kind.rawValue, response: response) }
        return name
    }

    public struct Refused: Error {
        public var server: String
        public var response: HTTPResponse
    }

    /// Signs a request and sends it. The scheme and host are the server's.
    public func send(_ request: AWSRequest, body: Data = Data()) async throws -> HTTPResponse {
        var request = request
        request.scheme = "http"
        request.host = "127.0.0.1:\(port)"
        request.payload = .init(body)
        let signer = SigV4Signer(credentials: Self.credentials, region: Self.region, service: "s3")
        let signed = signer.sign(request, at: Date())
        return try await HTTPClient.send(
            signed.method, signed.url, headers: signed.headers.map { ($0.name, $0.value) }, body: body)
    }

    // MARK: Starting

    private static let rclone = Task {
        let folder = Scratch.root + "/rclone-s3"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        return try await start(
            .rclone,
            [
                "serve", "s3", "--auth-key", "\(credentials.accessKeyID),\(credentials.secretAccessKey)", "--addr",
                "127.0.0.1:0", "--config", "/dev/null", folder,
            ])
    }

    private static let moto = Task { try await start(.moto, ["-H", "127.0.0.1", "-p", "0"]) }

    private static func start(_ kind: Kind, _ arguments: [String]) async throws -> S3Server {
        let program = TestTools.path(of: kind.program) ?? kind.program
        // Both choose a free port and log it.
        let started = try await ServiceProcess.start(
            program, arguments, name: kind.rawValue, environment: ["PYTHONUNBUFFERED": "1"]
        ) { log -> UInt16? in
            guard let address = log.range(of: "http://127.0.0.1:") else { return nil }
            let digits = log[address.upperBound...].prefix(while: \.isNumber)
            // The port is complete if another character follows it.
            return digits.endIndex < log.endIndex ? UInt16(digits) : nil
        }
        return S3Server(kind: kind, port: started.value)
    }
}

extension S3Server.Kind {
    var program: String {
        switch self {
        case .rclone: "rclone"
        case .moto: "moto_server"
        }
    }
}
