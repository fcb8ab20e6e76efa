internal import Dispatch
public import Foundation
internal import Glibc

/// Access to everything from which credentials and settings are read. Tests inject their own.
public struct AWSSystem: Sendable {
    /// A request to a metadata service. It may contain a token, so redirects must not be followed and proxies must not
    /// be used.
    public struct MetadataRequest: Sendable, Hashable {
        /// The HTTP method.
        public var method: String
        /// The URL in the metadata service.
        public var url: String
        /// The header fields.
        public var headers: [AWSRequest.Header]
        /// How long to wait for a connection, and for the reply.
        public var timeout: Duration
    }

    /// The response of a metadata service.
    public struct MetadataResponse: Sendable {
        /// The HTTP status.
        public var status: Int
        /// The body.
        public var body: Data

        public init(status: Int, body: Data) {
            self.status = status
            self.body = body
        }
    }

    /// Returns the credentials to use in place of all other sources, before the last ones expire; nil for the usual
    /// sources.
    public var credentials: (@Sendable () -> AWSCredentials?)?
    /// Environment variables.
    public var environment: [String: String]
    /// Sends a request to a metadata service. Blocks. The description of an error is shown to users, so it must contain
    /// no request headers.
    public var fetch: @Sendable (MetadataRequest) throws -> MetadataResponse
    /// The content of a file, or nil if it does not exist.
    public var readFile: @Sendable (_ path: String) throws -> Data?
    /// Runs a shell command, for `credential_process`, and returns its standard output.
    public var run: @Sendable (_ command: String) throws -> Data
    /// The current time.
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

    /// The value of a variable, or nil if it is not set or empty.
    func variable(_ name: String) -> String? { environment[name].flatMap { $0.isEmpty ? nil : $0 } }

    /// A path with a leading `~` replaced by the home folder.
    func expanded(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = variable("HOME") else { return path }
        return home + path.dropFirst()
    }

    // MARK: This machine

    /// The content of a file, or nil if there is no such file.
    @Sendable public static func contents(ofFile path: String) throws -> Data? {
        // Use a file handle, because the path may be /dev/null or a pipe, which Data(contentsOf:) rejects.
        let file = URL(fileURLWithPath: path)
        do {
            return try FileHandle(forReadingFrom: file).readToEnd() ?? Data()
        } catch CocoaError.fileReadNoSuchFile {
            return nil
        } catch {
            throw AWSConfigurationError("\(path) cannot be read")
        }
    }

    /// The timeout after which a command is killed, because all callers wait for the credentials.
    static let commandLimit = Duration.seconds(60)

    /// Runs a shell command and returns its standard output, with a timeout of 60 seconds.
    /// - Throws: An error if the command fails or takes too long.
    @Sendable public static func output(ofCommand command: String) throws -> Data {
        try output(ofCommand: command, limit: commandLimit)
    }

    /// Runs a shell command and returns its standard output.
    /// - Parameter limit: The time until the end of the output, after which the command is killed.
    /// - Throws: An error if the command fails or takes too long.
    public static func output(ofCommand command: String, limit: Duration) throws -> Data {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", command]
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        // Discard it, because it may contain secrets.
        process.standardError = FileHandle.nullDevice
        let ended = DispatchSemaphore(value: 0)
        process.terminationHandler = { _ in ended.signal() }
        let deadline = ContinuousClock.now + limit
        try process.run()
        let output = Result { try read(pipe.fileHandleForReading.fileDescriptor, until: deadline) }
        // The output may end later than the command, if a child keeps the pipe open, or earlier, if the command closes
        // it.
        let left = max(0, ContinuousClock.now.duration(to: deadline) / .seconds(1))
        guard case .success(let output?) = output, ended.wait(timeout: .now() + left) == .success else {
            if process.isRunning { kill(process.processIdentifier, SIGKILL) }
            ended.wait()
            _ = try output.get()
            throw AWSConfigurationError("the command did not end within \(limit.components.seconds) s")
        }
        guard process.terminationStatus == 0 else {
            throw AWSConfigurationError("the command ended with status \(process.terminationStatus)")
        }
        return output
    }

    /// The maximum size of a command's output in bytes, more than any credentials have.
    private static let outputLimit = 1 << 20

    /// Reads to the end. Returns nil if the end is not reached by the deadline.
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
            guard output.count <= outputLimit else {
                throw AWSConfigurationError("the command printed more than \(outputLimit) bytes")
            }
        }
    }
}

/// An invalid setting or file.
public struct AWSConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and where, without values that may be secret.
    public let description: String

    init(_ description: String) { self.description = description }
}
