public import Foundation

/// Debian's `kcat`, an independent Kafka client.
public enum Kcat {
    public static var isInstalled: Bool { TestTools.path(of: "kcat") != nil }

    /// A message in the output of `kcat -J`.
    public struct Message: Decodable, Sendable, Equatable {
        public var topic: String
        public var partition: Int
        public var offset: Int64
        public var key: String?
        public var payload: String?
        /// Alternating names and values.
        public var headers: [String]?
    }

    public struct Failed: Error, CustomStringConvertible {
        public var description: String
    }

    /// Sends one message.
    public static func produce(
        _ payload: Data, key: String, headers: [(String, String)] = [], to topic: String, brokers: String
    ) async throws {
        let scratch = try Scratch()
        try payload.write(to: scratch.url("payload"))
        let headers = headers.flatMap { ["-H", "\($0)=\($1)"] }
        try await run(["-P", "-b", brokers, "-t", topic, "-k", key] + headers + [scratch.path("payload")])
    }

    /// Sends one message without a payload.
    public static func produceNull(key: String, to topic: String, brokers: String) async throws {
        let file = try Scratch()
        try await run(
            ["-P", "-b", brokers, "-t", topic, "-K", "|", "-Z", "-l", try file.write("\(key)|\n", to: "line")])
    }

    /// Sends one message per line, all with the same key or none.
    public static func produce(lines: [String], key: String? = nil, to topic: String, brokers: String) async throws {
        let scratch = try Scratch()
        let file = try scratch.write(lines.map { $0 + "\n" }.joined(), to: "lines")
        try await run(["-P", "-b", brokers, "-t", topic] + (key.map { ["-k", $0] } ?? []) + ["-l", file])
    }

    /// All messages of a topic, ordered by partition and offset.
    public static func messages(of topic: String, brokers: String) async throws -> [Message] {
        let output = try await run([
            "-C", "-b", brokers, "-t", topic, "-o", "beginning", "-e", "-q", "-J", "-X", "fetch.wait.max.ms=20",
        ])
        return try output.split(separator: "\n")
            .map { try JSONDecoder().decode(Message.self, from: Data($0.utf8)) }
            .sorted { ($0.partition, $0.offset) < ($1.partition, $1.offset) }
    }

    @discardableResult
    private static func run(_ arguments: [String]) async throws -> String {
        let outcome = try await ChildProcess("kcat", ["-m", "300"] + arguments).outcome()
        guard outcome.status == 0 else { throw Failed(description: outcome.description) }
        return outcome.text
    }
}
