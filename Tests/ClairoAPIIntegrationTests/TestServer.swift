internal import ClairoAPI
internal import ClairoCore
internal import ClairoMedia
internal import ClairoPipeline
internal import ClairoStorage
internal import ClairoTestSupport
internal import Foundation
internal import Logging
internal import ServiceLifecycle
internal import Testing

/// The server in this process, on its own port, with a folder as its store.
final class TestServer: Sendable {
    let port: Int
    private let group: ServiceGroup
    private let running: Task<Void, any Error>

    var url: String { "http://127.0.0.1:\(port)" }

    private init(port: Int, group: ServiceGroup, running: Task<Void, any Error>) {
        self.port = port
        self.group = group
        self.running = running
    }

    static func start(
        store: any DurableStore, metadata: any MetadataStore, masterSecret: MasterSecret? = nil,
        _ configure: (inout ServerOptions) -> Void = { _ in }
    ) async throws -> TestServer {
        var options = ServerOptions()
        options.port = 0
        // High, because a test is a single fast caller.
        (options.requestsPerSecond, options.requestBurst) = (10_000, 10_000)
        // Low, so that no client is disconnected on a slow machine.
        (options.minimumRateSeconds, options.idleSeconds, options.shutdownSeconds) = (3600, 3600, 1200)
        (options.readinessSeconds, options.pauseSeconds) = (600, 3600)
        configure(&options)
        let (ports, listening) = AsyncStream.makeStream(of: Int.self)
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let server = try UploadServer(
            options: options,
            registration: UploadRegistration(store: store, metadata: metadata, prober: EngineProber(MediaTaskEngine())),
            metadata: metadata, deletion: VideoDeletion(metadata: metadata), masterSecret: masterSecret, logger: logger
        ) { listening.yield($0) }
        let group = ServiceGroup(configuration: .init(services: [server], logger: logger))
        let running = Task {
            defer { listening.finish() }
            try await group.run()
        }
        for await port in ports { return TestServer(port: port, group: group, running: running) }
        try await running.value
        throw CancellationError()
    }

    /// Stops the server gracefully and waits until it has ended.
    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await running.value
    }

    /// Runs curl and parses the reply.
    func curl(_ arguments: String..., deadline: Duration = .seconds(600)) async throws -> Answer {
        try await curl(arguments, deadline: deadline)
    }

    func curl(_ arguments: [String], deadline: Duration = .seconds(600)) async throws -> Answer {
        let arguments = arguments.map { $0.hasPrefix("/") && !$0.hasPrefix("/tmp") ? url + $0 : $0 }
        let outcome = try await ChildProcess("curl", ["-sS", "-i"] + arguments, deadline: deadline).outcome()
        guard let answer = Answer(outcome.output) else { throw NoAnswer(outcome: outcome) }
        return answer
    }
}

struct NoAnswer: Error {
    var outcome: ChildProcess.Outcome
}

struct CannotConnect: Error {
    var code: Int32
}

struct NoAnswerOnWire: Error {
    var bytes: Int
}

/// An HTTP reply as received.
struct Answer: CustomStringConvertible {
    var status: Int
    /// By lower-case name.
    var headers: [String: String] = [:]
    var body: Data
    var head: String

    var text: String { String(decoding: body, as: UTF8.self) }
    var description: String { "\(head)\n\n\(text)" }

    init?(_ data: Data) {
        var rest = data
        while true {
            guard let end = rest.range(of: Data("\r\n\r\n".utf8)) else { return nil }
            head = String(decoding: rest[..<end.lowerBound], as: UTF8.self)
            rest = Data(rest[end.upperBound...])
            let lines = head.components(separatedBy: "\r\n")
            let words = lines[0].split(separator: " ")
            guard words.count >= 2, let status = Int(words[1]) else { return nil }
            if status < 200 { continue }
            self.status = status
            for line in lines.dropFirst() {
                let parts = line.split(separator: ":", maxSplits: 1)
                headers[parts[0].lowercased()] = parts.count == 2 ? parts[1].trimmingCharacters(in: .whitespaces) : ""
            }
            body = rest
            return
        }
    }

    var json: [String: Any] {
        get throws { try #require(try JSONSerialization.jsonObject(with: body) as? [String: Any]) }
    }

    /// The error code.
    var code: String? { get throws { (try json["error"] as? [String: Any])?["code"] as? String } }
}

/// A connection with bytes chosen by the test.
final class RawConnection: Sendable {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                connect(descriptor, generic, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard result == 0 else { throw CannotConnect(code: errno) }
    }

    func send(_ text: String) async throws { try await send(Data(text.utf8)) }

    /// Waits until everything is sent, on a dedicated thread, because the server may need this one to receive it.
    func send(_ data: Data) async throws {
        let descriptor = descriptor
        await onDedicatedThread(name: "send") { Self.send(data, to: descriptor) }
    }

    private static func send(_ data: Data, to descriptor: Int32) {
        data.withUnsafeBytes { bytes in
            var done = 0
            while done < bytes.count {
                let sent = Glibc.send(
                    descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done, Int32(MSG_NOSIGNAL))
                if sent <= 0 { return }
                done += sent
            }
        }
    }

    /// Everything until the server closes the connection.
    func answer() async throws -> Answer {
        let descriptor = descriptor
        let data = await onDedicatedThread(name: "answer") {
            var data = Data()
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count <= 0 { return data }
                data.append(contentsOf: buffer[..<count])
            }
        }
        guard let answer = Answer(data) else { throw NoAnswerOnWire(bytes: data.count) }
        return answer
    }

    /// Closes the connection without a further message.
    func cut() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    deinit { close(descriptor) }
}

/// A clip followed by `padding` bytes, which players skip: large, and quick to make.
func paddedClip(_ padding: Int, in scratch: Scratch, name: String = "film.mp4", of clip: Clip = Clip(seconds: 1))
    async throws -> URL
{
    var data = try Data(contentsOf: try await clip.make())
    let size = UInt32(padding + 8)
    data += Data([24, 16, 8, 0].map { UInt8(truncatingIfNeeded: size >> $0) }) + Data("free".utf8)
    var random = SeededGenerator(seed: 7)
    var words = [UInt64](repeating: 0, count: padding / 8 + 1)
    for index in words.indices { words[index] = random.next() }
    words.withUnsafeBytes { data.append(contentsOf: $0.prefix(padding)) }
    try data.write(to: scratch.url(name))
    return scratch.url(name)
}
