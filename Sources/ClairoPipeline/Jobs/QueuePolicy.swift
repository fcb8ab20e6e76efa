public import ClairoCore

/// The order of jobs and tasks in the queue that all workers share.
///
/// A position in the queue is a time, and the earliest comes first (start-time fair queueing, Goyal et al., SIGCOMM
/// 1996). Because positions are wall-clock times, no task starves:
///
/// - A tenant's jobs are `jobSpacing / weight` seconds apart, so a thousand jobs of one tenant interleave with a few of
///   another.
/// - A job's chunks are `chunkSpacing / weight` seconds apart, so a short job overtakes a long one.
/// - A lower priority adds a fixed delay to the position. Later tasks of a higher priority overtake it only within this
///   delay.
/// - So does each wave after the first, whose delay is long: what makes a video playable goes before the later waves of
///   all jobs that are less than a day older.
public struct QueuePolicy: Sendable, Hashable {
    /// Weights of tenants (default: 1).
    public var weights: [String: Double]

    /// Seconds between two jobs of a tenant with weight 1, and between two chunks of its jobs.
    static let jobSpacing = 1.0
    static let chunkSpacing = 15.0
    /// Seconds from one wave of a job to the next: longer than the delay of any priority.
    static let waveDelay = 86_400.0

    public init(weights: [String: Double] = [:]) { self.weights = weights }

    /// Parses `gold=4,trial=0.5`.
    public init(_ text: String) throws(ClairoError) {
        weights = [:]
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, !pair[0].isEmpty, let weight = Double(pair[1]), weight >= 0.001, weight <= 1000
            else {
                throw .configuration(
                    "The tenant weight \"\(part)\" is not valid",
                    advice: "Use TENANT=WEIGHT, for example gold=4,trial=0.5.")
            }
            weights[String(pair[0])] = weight
        }
    }

    /// The delay of a priority relative to the highest, in seconds.
    static func delay(of priority: Priority) -> Double {
        switch priority {
        case .high: 0
        case .normal: 60
        case .low: 600
        }
    }

    /// The position of a new job.
    /// - Parameter last: The latest position of the tenant's unfinished jobs of this or a higher priority.
    func position(tenant: String, last: Timestamp?, now: Timestamp) -> Timestamp {
        guard let last else { return now }
        return max(now, last.advanced(bySeconds: Self.jobSpacing / weight(tenant)))
    }

    /// The position of a task that is not a chunk. The finish task has the job's position, so that started jobs complete
    /// first.
    func position(in job: Job) -> Timestamp { job.queueAt.advanced(bySeconds: Self.delay(of: job.priority)) }

    /// The position of a chunk. Indexes ascend from wave to wave.
    func position(of chunk: Chunk, in job: Job) -> Timestamp {
        position(in: job).advanced(
            bySeconds: Double(chunk.wave) * Self.waveDelay
                + Double(chunk.index) * Self.chunkSpacing / weight(job.tenant))
    }

    private func weight(_ tenant: String) -> Double { weights[tenant] ?? 1 }
}
