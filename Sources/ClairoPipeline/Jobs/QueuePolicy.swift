public import ClairoCore

/// Where jobs and their tasks stand in the one queue that all workers take from.
///
/// A place is a moment, and the earliest goes first (start-time fair queueing, Goyal et al., SIGCOMM 1996). Because places
/// are moments on the clock, whoever waits comes to the front in the end, whatever arrives after him:
///
/// - A tenant's jobs begin `jobSpacing / weight` apart, so a thousand jobs of one stand between few of another's.
/// - A job's chunks follow each other `chunkSpacing / weight` apart, so a short job goes in between a long one's.
/// - A lower priority is a later place; it is overtaken for that long and no longer.
public struct QueuePolicy: Sendable, Hashable {
    /// Shares of tenants; 1 for those that are not named.
    public var weights: [String: Double]

    /// Seconds.
    static let jobSpacing = 1.0
    static let chunkSpacing = 15.0

    public init(weights: [String: Double] = [:]) { self.weights = weights }

    /// Reads `gold=4,trial=0.5`.
    public init(_ text: String) throws(ClairoError) {
        weights = [:]
        for part in text.split(separator: ",") {
            let pair = part.split(separator: "=", omittingEmptySubsequences: false)
            guard pair.count == 2, !pair[0].isEmpty, let weight = Double(pair[1]), weight >= 0.001, weight <= 1000
            else {
                throw .configuration(
                    "The tenant weight \"\(part)\" is not valid",
                    advice: "Write TENANT=WEIGHT, such as gold=4,trial=0.5.")
            }
            weights[String(pair[0])] = weight
        }
    }

    /// Seconds by which a priority stands behind the highest.
    static func delay(of priority: Priority) -> Double {
        switch priority {
        case .high: 0
        case .normal: 60
        case .low: 600
        }
    }

    /// The place of a new job.
    /// - Parameter last: the latest place of the tenant's unfinished jobs of this or a higher priority.
    func place(tenant: String, last: Timestamp?, now: Timestamp) -> Timestamp {
        guard let last else { return now }
        return max(now, last.advanced(bySeconds: Self.jobSpacing / weight(tenant)))
    }

    /// The place of a task of a job. What ends a job stands where the job began, so that what is begun gets finished.
    func place(of kind: WorkTask.Kind, index: Int, in job: Job) -> Timestamp {
        let position = kind == .chunk ? Double(index) : 0
        return job.queueAt.advanced(
            bySeconds: Self.delay(of: job.priority) + position * Self.chunkSpacing / weight(job.tenant))
    }

    private func weight(_ tenant: String) -> Double { weights[tenant] ?? 1 }
}
