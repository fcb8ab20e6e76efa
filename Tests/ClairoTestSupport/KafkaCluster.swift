public import Foundation
internal import Glibc
internal import RDKafka
internal import Synchronization

/// Brokers that speak the real protocol: librdkafka's mock cluster in a process of its own (`clairo-mock-kafka`, whose
/// source says what it can do and what not). Stop it, or let go of it, and it ends.
public final class KafkaCluster: Sendable {
    /// Requests by their number in the protocol.
    public enum API: Int, Sendable {
        case produce = 0, fetch = 1, listOffsets = 2, metadata = 3, offsetCommit = 8, offsetFetch = 9
        case findCoordinator = 10, joinGroup = 11, heartbeat = 12, leaveGroup = 13, syncGroup = 14, initProducerID = 22
    }

    /// Errors by their number in the protocol, and librdkafka's for a connection that is cut.
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

    /// For `bootstrap.servers`.
    public let brokers: String
    /// Nil for a cluster that is not ours.
    private let process: ChildProcess?
    private let input: FileHandle?
    private let commands = CommandQueue()

    /// Whether tests run against brokers of others.
    public static let external = ProcessInfo.processInfo.environment["CLAIRO_TEST_KAFKA"].flatMap {
        $0.isEmpty ? nil : $0
    }

    /// A cluster for tests that disturb nothing: that of `CLAIRO_TEST_KAFKA`, or else one for all tests of the process.
    public static func shared() async throws -> KafkaCluster { try await sharedTask.value }

    private static let sharedTask = Task {
        if let external { return KafkaCluster(brokers: external, process: nil, input: nil) }
        return try await start()
    }

    /// A cluster of a test's own, which it may disturb.
    public static func start(brokers: Int = 3) async throws -> KafkaCluster {
        try FileManager.default.createDirectory(atPath: Scratch.root, withIntermediateDirectories: true)
        let pipe = Scratch.root + "/kafka-\(UUID().uuidString)"
        guard mkfifo(pipe, 0o600) == 0 else { throw ConnectionError(what: "make \(pipe)", code: errno) }
        defer { unlink(pipe) }
        // Opened for both ways, which does not wait for the other side. When this process ends, however it does, that end
        // closes and the cluster ends too.
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

    /// Ends the cluster at once, as a power failure does.
    public func stop() { process?.send(SIGKILL) }

    // MARK: Topics

    /// Makes a topic, with a name of its own unless one is given.
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

    /// Leaves a topic without a leader (nil), or gives it one.
    public func setLeader(_ broker: Int?, of topic: String, partition: Int = 0) async throws {
        try await send("leader \(topic) \(partition) \(broker ?? -1)")
    }

    // MARK: Faults

    /// Makes the next requests of a kind fail, one for each code.
    public func fail(_ api: API, _ codes: [Code]) async throws {
        try await send("errors \(api.rawValue) \(codes.map { "\($0.rawValue)" }.joined(separator: ","))")
    }

    /// Makes the next requests of a kind to any broker wait for their answer.
    public func delay(_ api: API, milliseconds: [Int]) async throws {
        try await send("broker-errors all \(api.rawValue) \(milliseconds.map { "0:\($0)" }.joined(separator: ","))")
    }

    public func forgetFailures(_ api: API) async throws { try await send("clear-errors \(api.rawValue)") }

    /// Takes a broker away, or all of them (nil).
    public func takeDown(_ broker: Int? = nil) async throws { try await send("down \(broker ?? 0)") }

    public func bringUp(_ broker: Int? = nil) async throws { try await send("up \(broker ?? 0)") }

    /// How long a broker, or all of them (nil), take for an answer.
    public func setRoundTrip(_ broker: Int? = nil, milliseconds: Int) async throws {
        try await send("rtt \(broker ?? 0) \(milliseconds)")
    }

    public func setCoordinator(_ broker: Int, ofGroup group: String) async throws {
        try await send("coordinator group \(group) \(broker)")
    }

    /// Any command of the tool.
    public func send(_ command: String) async throws {
        guard let process, let input else { throw Refused(command: command, answer: "the cluster is not ours") }
        // Answers come in the order of commands.
        let number = try commands.write(command, to: input)
        let answer = await process.line(number: number)
        guard answer == "ok" else { throw Refused(command: command, answer: answer) }
    }

    /// Numbers commands as they are written, one at a time.
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
