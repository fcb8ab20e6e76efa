public import Foundation
internal import Glibc

/// The environment in which credentials and settings are found. Tests inject their own.
public struct AWSSystem: Sendable {
    /// A request to a metadata service. It may carry a token, so redirects must not be followed and proxies not used.
    public struct MetadataRequest: Sendable, Hashable {
        /// HTTP method.
        public var method: String
        /// URL of the metadata service.
        public var url: String
        /// Header fields.
        public var headers: [AWSRequest.Header]
        /// The timeout of the whole request.
        public var timeout: Duration
    }

    /// The answer of a metadata service.
    public struct MetadataResponse: Sendable {
        /// HTTP status.
        public var status: Int
        /// Body, as received.
        public var body: Data

        public init(status: Int, body: Data) {
            self.status = status
            self.body = body
        }
    }

    /// Environment variables.
    public var environment: [String: String]
    /// Blocks. Its errors describe themselves in plain words, without request headers.
    public var fetch: @Sendable (MetadataRequest) throws -> MetadataResponse
    /// The content of a file, or nil if it does not exist.
    public var readFile: @Sendable (_ path: String) throws -> Data?
    /// The standard output of a shell command, for `credential_process`.
    public var run: @Sendable (_ command: String) throws -> Data
    /// The clock.
    public var now: @Sendable () -> Date
    /// Sleeps between attempts.
    public var pause: @Sendable (Duration) -> Void

    public init(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        fetch: @escaping @Sendable (MetadataRequest) throws -> MetadataResponse,
        readFile: @escaping @Sendable (_ path: String) throws -> Data? = Self.contents,
        run: @escaping @Sendable (_ command: String) throws -> Data = Self.output,
        now: @escaping @Sendable () -> Date = { Date() },
        pause: @escaping @Sendable (Duration) -> Void = { Thread.sleep(forTimeInterval: $0 / .seconds(1)) }
    ) {
        self.environment = environment
        self.fetch = fetch
        self.readFile = readFile
        self.run = run
        self.now = now
        self.pause = pause
    }

    /// A variable that is set and not empty.
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// A path in which `~` stands for the home folder.
    func expanded(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = variable("HOME") else { return path }
        return home + path.dropFirst()
    }

    // MARK: This machine

    /// The content of a file; nil if there is no such file.
    @Sendable public static func contents(ofFile path: String) throws -> Data? {
        // Through a file handle, because the path may be /dev/null or a pipe, which Data(contentsOf:) rejects.
        let file = URL(fileURLWithPath: path)
        do {
            return try FileHandle(forReadingFrom: file).readToEnd() ?? Data()
        } catch CocoaError.fileReadNoSuchFile {
            return nil
        } catch {
            throw AWSConfigurationError("\(path) cannot be read")
        }
    }

    /// The timeout after which a command is killed, because everything waits for credentials.
    static let commandLimit = Duration.seconds(60)

    /// Standard output of a shell command. It throws if the command fails or takes too long.
    @Sendable public static func output(ofCommand command: String) throws -> Data {
        try output(ofCommand: command, limit: commandLimit)
    }

    /// Standard output of a shell command. It throws if the command fails or takes too long.
    public static func output(ofCommand command: String, limit: Duration) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        // It may contain secrets.
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = try read(pipe.fileHandleForReading.fileDescriptor, until: .now + limit)
        // Children of the command may keep the pipe open, or it may have closed it early.
        guard let output else {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            throw AWSConfigurationError("the command did not end within \(limit.components.seconds) s")
        }
        process.waitUntilExit()
        guard process.terminationStatus == 0 else {
            throw AWSConfigurationError("the command ended with status \(process.terminationStatus)")
        }
        return output
    }

    /// Reads to the end, or returns nil if that is not reached by the deadline.
    private static func read(_ descriptor: Int32, until deadline: ContinuousClock.Instant) throws -> Data? {
        var output = Data()
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            let rest = Int32(clamping: Int(ContinuousClock.now.duration(to: deadline) / .milliseconds(1)))
            var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            let ready = rest > 0 ? poll(&waiting, 1, rest) : 0
            if ready < 0, errno == EINTR { continue }
            guard ready > 0 else { return nil }
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { return output }
            output += buffer[..<count]
        }
    }
}

/// An invalid setting or file.
public struct AWSConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and where, without possibly secret values.
    public let description: String

    init(_ description: String) { self.description = description }
}
