internal import Curl
internal import Foundation

/// The metadata endpoint of the ECS task that this process runs in. Source:
/// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-metadata-endpoint-v4.html
struct TaskMetadata: Sendable {
    /// The environment variable that the ECS agent sets.
    static let variable = "ECS_CONTAINER_METADATA_URI_V4"

    struct Usage: Sendable, Equatable {
        /// The CPU time of all containers since their start, in seconds.
        var cpuSeconds: Double
        /// Peak memory in bytes, or current memory if the kernel does not report the peak.
        var memory: Int64
    }

    private let url: String
    private let client: HTTPClient

    /// Returns nil outside of ECS.
    init?(environment: [String: String]) {
        guard let url = environment[Self.variable], url.hasPrefix("http://") else { return nil }
        self.url = url
        var configuration = HTTPClient.Configuration()
        // The endpoint is link-local, so no proxy is used.
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

    /// The task's memory in bytes, or nil if not reported.
    func memoryLimit() -> Int64? {
        struct Document: Decodable {
            struct Limits: Decodable { var Memory: Double? }
            var Limits: Limits?
        }
        // In MiB.
        return get("/task", as: Document.self)?.Limits?.Memory.map { Int64($0 * 1_048_576) }
    }

    /// Returns nil if there are no measurements yet.
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
        // Docker's statistics for each container; null before the first measurement.
        guard let stats = get("/task/stats", as: [String: Stats?].self) else { return nil }
        let all = stats.values.compactMap { $0 }
        guard !all.isEmpty else { return nil }
        let nanoseconds = all.reduce(0) { $0 + ($1.cpu_stats?.cpu_usage?.total_usage ?? 0) }
        let bytes = all.reduce(0) { $0 + ($1.memory_stats?.max_usage ?? $1.memory_stats?.usage ?? 0) }
        return Usage(cpuSeconds: nanoseconds / 1e9, memory: Int64(bytes))
    }
}
