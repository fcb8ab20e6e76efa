internal import Curl
internal import Foundation

/// What the ECS agent says of the task that this process is in.
/// Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
struct TaskMetadata: Sendable {
    /// Name of the variable that the agent sets.
    static let variable = "ECS_CONTAINER_METADATA_URI_V4"

    struct Usage: Sendable, Equatable {
        /// Of all containers of the task, since they began.
        var cpuSeconds: Double
        /// Bytes now, or the most so far where the kernel tells it.
        var memory: Int64
    }

    private let url: String
    private let client: HTTPClient

    /// Nil outside of ECS.
    init?(environment: [String: String]) {
        guard let url = environment[Self.variable], url.hasPrefix("http://") else { return nil }
        self.url = url
        var configuration = HTTPClient.Configuration()
        // It is beside us: no proxy.
        configuration.environment = [:]
        client = HTTPClient(configuration)
    }

    private func get<T: Decodable>(_ path: String, as type: T.Type) -> T? {
        var request = HTTPRequest("GET", url + path)
        request.connectTimeout = 5
        request.stallTimeout = 5
        guard let reply = try? client.send(request, limit: 4 << 20), reply.head.isSuccess else { return nil }
        return try? JSONDecoder().decode(type, from: reply.body)
    }

    /// Bytes of memory that the task has; nil where it is not told.
    func memoryLimit() -> Int64? {
        struct Document: Decodable {
            struct Limits: Decodable { var Memory: Double? }
            var Limits: Limits?
        }
        // In MiB.
        return get("/task", as: Document.self)?.Limits?.Memory.map { Int64($0 * 1_048_576) }
    }

    /// nil where nothing has been measured yet.
    func usage() -> Usage? {
        struct Stats: Decodable {
            struct CPU: Decodable {
                struct Usage: Decodable { var total_usage: Double? }
                var cpu_usage: Usage?
            }
            struct Memory: Decodable {
                var usage: Double?
                var max_usage: Double?
            }
            var cpu_stats: CPU?
            var memory_stats: Memory?
        }
        // Docker's numbers by container; null before the first.
        guard let stats = get("/task/stats", as: [String: Stats?].self) else { return nil }
        let all = stats.values.compactMap { $0 }
        guard !all.isEmpty else { return nil }
        let nanoseconds = all.reduce(0) { $0 + ($1.cpu_stats?.cpu_usage?.total_usage ?? 0) }
        let bytes = all.reduce(0) { $0 + ($1.memory_stats?.max_usage ?? $1.memory_stats?.usage ?? 0) }
        return Usage(cpuSeconds: nanoseconds / 1e9, memory: Int64(bytes))
    }
}
