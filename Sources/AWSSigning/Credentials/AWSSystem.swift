public import Foundation
internal import Glibc

/// The world as credentials and settings are looked up in: a test gives another one.
public struct AWSSystem: Sendable {
    /// A request to a metadata service. Redirects must not be followed, and no proxy used: it may carry a token.
    public struct MetadataRequest: Sendable, Hashable {
        /// HTTP method.
        public var method: String
        /// URL of the metadata service.
        public var url: String
        /// Header fields.
        public var headers: [AWSRequest.Header]
        /// For the whole request.
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
    /// Blocks. What it throws describes itself in words for people, without the request's headers.
    public var fetch: @Sendable (MetadataRequest) throws -> MetadataResponse
    /// A file's bytes, or nil where there is none.
    public var readFile: @Sendable (_ path: String) throws -> Data?
    /// What a shell command writes to standard output. For `credential_process`.
    public var run: @Sendable (_ command: String) throws -> Data
    /// The clock.
    public var now: @Sendable () -> Date
    /// Between two attempts.
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

    /// A path with `~` for the home folder.
    func expanded(_ path: String) -> String {
        guard path.hasPrefix("~/"), let home = variable("HOME") else { return path }
        return home + path.dropFirst()
    }

    // MARK: The real world

    /// The content of a file; nil if there is no such file.
    @Sendable public static func contents(ofFile path: String) throws -> Data? {
        // Through a handle: it may be /dev/null, or a pipe, which Data(contentsOf:) refuses.
        let file = URL(fileURLWithPath: path)
        do {
            return try FileHandle(forReadingFrom: file).readToEnd() ?? Data()
        } catch CocoaError.fileReadNoSuchFile {
            return nil
        } catch {
            throw AWSConfigurationError("\(path) cannot be read")
        }
    }

    /// A command that has not ended by then is killed: whoever waits for credentials holds up everything.
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
        // It may say secrets there.
        process.standardError = FileHandle.nullDevice
        try process.run()
        let output = try read(pipe.fileHandleForReading.fileDescriptor, until: .now + limit)
        // Its own children may hold the pipe open for longer, or it may have closed it early.
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

    /// All that comes before the end; nil where that has not come by the deadline.
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

/// A setting that is no such setting, or a file that is not readable as one.
public struct AWSConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong and where, without a value that could be secret.
    public let description: String

    init(_ description: String) { self.description = description }
}
