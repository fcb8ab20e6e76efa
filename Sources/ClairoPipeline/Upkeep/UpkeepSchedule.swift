public import ClairoCore

/// Runs upkeep every few minutes in one of the processes that have this schedule.
///
/// Each process asks the database from time to time whether upkeep is due and nobody does it. The one that gets the lease
/// runs a pass. If it dies, another one continues once its lease has expired.
public struct UpkeepSchedule: Sendable {
    private let records: any DutyRecords
    private let owner: String
    private let intervalSeconds: Double
    private let requests: StopRequest
    private let make: @Sendable (_ findsLeftovers: Bool) -> Upkeep
    private let onEnd: @Sendable (UpkeepReport, ClairoError?) -> Void
    private let onError: @Sendable (ClairoError) -> Void

    /// The longest time in seconds between two questions whether upkeep is due.
    private static let longestPoll = 60.0
    /// Seconds until a pass that failed is repeated.
    private static let retrySeconds = 60.0
    /// Seconds between two walks through whole stores.
    private static let leftoverSeconds = 86_400.0

    /// - Parameters:
    ///   - owner: A unique name of this process.
    ///   - requests: Cancelled when the process stops, to end the requests of a running pass to the stores. Otherwise a
    ///     store that does not answer would hold up the process.
    ///   - make: Returns the upkeep for one pass.
    ///   - onEnd: Called after each pass with what it removed, and the first error of a part that failed.
    ///   - onError: Called for errors of the schedule itself.
    public init(
        _ records: any DutyRecords, owner: String, intervalSeconds: Double, requests: StopRequest = StopRequest(),
        make: @escaping @Sendable (_ findsLeftovers: Bool) -> Upkeep,
        onEnd: @escaping @Sendable (UpkeepReport, ClairoError?) -> Void,
        onError: @escaping @Sendable (ClairoError) -> Void
    ) {
        self.records = records
        self.owner = owner
        self.intervalSeconds = intervalSeconds
        self.requests = requests
        self.make = make
        self.onEnd = onEnd
        self.onError = onError
    }

    /// Runs until a stop is requested.
    public func run(until drain: StopRequest) async {
        let rounds = Task {
            while !Task.isCancelled {
                // With jitter, so that the processes of a fleet do not ask at once.
                let poll = min(intervalSeconds / 2, Self.longestPoll) * .random(in: 0.5...1.5)
                try? await Task.sleep(for: .seconds(poll))
                // A pass ends by itself, so that its lease is given back.
                if !Task.isCancelled { await Task { await runIfDue(drain) }.value }
            }
        }
        drain.onCancel {
            rounds.cancel()
            requests.cancel()
        }
        await rounds.value
    }

    /// Runs a pass if it is due and no other process runs one.
    func runIfDue(_ stop: StopRequest) async {
        do throws(ClairoError) {
            guard let lease = try await take(.upkeep, stop) else { return }
            let leftovers = try await take(.leftovers, stop)
            let next = intervalSeconds * .random(in: 0.9...1.1)
            do throws(ClairoError) {
                let (report, failure) = try await make(leftovers != nil).run { () throws(ClairoError) in
                    try lease.check()
                    try leftovers?.check()
                }
                onEnd(report, failure)
                try await lease.end(
                    succeeded: failure == nil, dueAfterSeconds: failure == nil ? next : min(next, Self.retrySeconds))
                try await leftovers?.end(succeeded: failure == nil, dueAfterSeconds: Self.leftoverSeconds)
            } catch {
                // Another process continues at once.
                try await lease.end(succeeded: false, dueAfterSeconds: 0)
                try await leftovers?.end(succeeded: false, dueAfterSeconds: 0)
                if error.kind != .cancelled { throw error }
            }
        } catch {
            onError(error)
        }
    }

    private func take(_ duty: Duty, _ stop: StopRequest) async throws(ClairoError) -> DutyLease? {
        try await DutyLease.take(duty, records, owner: owner, evenIfNotDue: false, stop: stop)
    }
}
