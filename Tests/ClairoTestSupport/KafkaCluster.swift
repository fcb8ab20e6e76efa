public import Foundation
internal import Glibc
internal import RDKafka
internal import Synchronization

/// Brokers that speak the real protocol: librdkafka's mock cluster in a separate process (`clairo-mock-kafka`, whose
/// source documents its limits). It ends with `stop` or when this object is released.
public final class KafkaCluster: Sendable {
    /// API keys of the protocol.
    public enum API: Int, Sendable {
        case produce = 0, fetch = 1, listOffsets = 2, metadata = 3, offsetCommit = 8, offsetFetch = 9
        case findCoordinator = 10, joinGroup = 11, heartbeat = 12, leaveGroup = 13, syncGroup = 14, initProducerID = 22
    }

    /// Error codes of the protocol, and librdkafka's for a lost connection.
    public enum Code: Int, Sendable {
        case connectionCut = -195
        case unknown = -1
        case none = 0
        case offsetOutOfRange = 1, unknownTopicOrPartition = 3, leaderNotAvailable = 5, notLeader = 6
        case requestTimedOut = 7, messageTooLarge = 10, coordinatorNotAvailable = 15, notCoordinator = 16
        case notEnoughReplicas = 19, illegalGeneration = 22, unknownMember = 25, rebalanceInProgress = 27
        case topicAuthorizationFailed = 29, groupAuthorizationFailed = 30, clusterAuthorizationFailed = 31
        case topicAlreadyExists = 36, invalidReplicationFactor = 38, notController = 41, policyViolation = 44
        case outOfOrderSequence = 45, fencedInstance = 82, throttlingQuotaExceeded = 89
    }

    public struct Refused: Error, CustomStringConvertible {
        public var command: String
        public var answer: String?
        public var description: String { "\(command): \(answer ?? "the mock cluster has ended")" }
    }

    /// The value for `bootstrap.servers`.
    public let brokers: String
    /// Nil for an external cluster.
    private let process: ChildProcess?
    private let input: FileHandle?
    private let commands = CommandQueue()

    /// Brokers of an external cluster, if the tests use one.
    public static let external = ProcessInfo.processInfo.environment["CLAIRO_TEST_KAFKA"].flatMap {
        $0.isEmpty ? nil : $0
    }

    /// A cluster for tests that do not disturb others: that of `CLAIRO_TEST_KAFKA`, otherwise one for the test process.
    public static func shared() async throws -> KafkaCluster { try await sharedTask.value }

    private static let sharedTask = Task {
        if let external { return KafkaCluster(brokers: external, process: nil, input: nil) }
        return try await start()
    }

    /// A separate cluster that the test may disturb.
    public static func start(brokers: Int = 3) async throws -> KafkaCluster {
        try FileManager.default.createDirectory(atPath: Scratch.root, withIntermediateDirectories: true)
        let pipe = Scratch.root + "/kafka-\(UUID().uuidString)"
        guard mkfifo(pipe, 0o600) == 0 else { throw ConnectionError(what: "make \(pipe)", code: errno) }
        defer { unlink(pipe) }
        // Opened for reading and writing, which does not block. It is closed when this process ends in any way, and the
        // cluster then ends too.
        let descriptor = open(pipe, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { throw ConnectionError(what: "open \(pipe)", code: errno) }
        let input = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        let process = try ChildProcess(
            "sh", ["-c", "exec \"$1\" \"$2\" < \"$0\"", pipe, program, "\(brokers)"], deadline: .seconds(6 * 3600))
        guard let line = await process.line(number: 0) else {
            throw Refused(command: program, answer: try await process.outcome().errors)
        }
        return KafkaCluster(brokers: line, process: process, input: input)
    }

    private static let program = (ClairoProcess.path as NSString).deletingLastPathComponent + "/clairo-mock-kafka"

    private init(brokers: String, process: ChildProcess?, input: FileHandle?) {
        self.brokers = brokers
        self.process = process
        self.input = input
    }

    deinit { stop() }

    /// Kills the cluster, as in a power failure.
    public func stop() { process?.send(SIGKILL) }

    // MARK: Topics

    /// Creates a topic, by default with a unique name.
    public func makeTopic(
        _ name: String = "test-" + UUID().uuidString.lowercased(), partitions: Int = 1
    ) async throws -> String {
        if process == nil {
            let admin = KafkaAdmin(try KafkaConfiguration(brokers: brokers))
            try await admin.createTopic(name, partitions: partitions)
        } else {
            try await send("topic \(name) \(partitions) 1")
        }
        return name
    }

    /// Sets the leader of a partition, or removes it (nil).
    public func setLeader(_ broker: Int?, of topic: String, partition: Int = 0) async throws {
        try await send("leader \(topic) \(partition) \(broker ?? -1)")
    }

    // MARK: Faults

    /// Makes the next requests of this kind fail, one for each code.
    public func fail(_ api: API, _ codes: [Code]) async throws {
        try await send("errors \(api.rawValue) \(codes.map { "\($0.rawValue)" }.joined(separator: ","))")
    }

    /// Delays the replies to the next requests of this kind, on any broker.
    public func delay(_ api: API, milliseconds: [Int]) async throws {
        try await send("broker-errors all \(api.rawValue) \(milliseconds.map { "0:\($0)" }.joined(separator: ","))")
    }

    public func forgetFailures(_ api: API) async throws { try await send("clear-errors \(api.rawValue)") }

    /// Takes one broker down, or all (nil).
    public func takeDown(_ broker: Int? = nil) async throws { try await send("down \(broker ?? 0)") }

    public func bringUp(_ broker: Int? = nil) async throws { try await send("up \(broker ?? 0)") }

    /// Sets the round-trip time of one broker, or of all (nil).
    public func setRoundTrip(_ broker: Int? = nil, milliseconds: Int) async throws {
        try await send("rtt \(broker ?? 0) \(milliseconds)")
    }

    public func setCoordinator(_ broker: Int, ofGroup group: String) async throws {
        try await send("coordinator group \(group) \(broker)")
    }

    /// Sends any command to the tool.
    public func send(_ command: String) async throws {
        guard let process, let input else { throw Refused(command: command, answer: "the cluster is not ours") }
        // Replies arrive in the order of the commands.
        let number = try commands.write(command, to: input)
        let answer = await process.line(number: number)
        guard answer == "ok" else { throw Refused(command: command, answer: answer) }
    }

    /// Numbers commands in the order they are written.
    private final class CommandQueue: Sendable {
        private let count = Mutex(0)

        func write(_ command: String, to input: FileHandle) throws -> Int {
            try count.withLock { count in
                try input.write(contentsOf: Data("\(command)\n".utf8))
                count += 1
                return count
            }
        }
    }
}
