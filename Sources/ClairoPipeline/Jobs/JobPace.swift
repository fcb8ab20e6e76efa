public import ClairoCore

/// The encoding speed of a running job, over all workers.
///
/// It is the mean since a worker first claimed one of its chunks. Work from before the job was resumed does not count.
/// The measured interval ends at the workers' latest progress report, so the value is stable between reports. If no
/// report arrives for `silence` seconds, the interval ends now, so the value drops.
public struct JobPace: Sendable, Hashable {
    /// Frames encoded per second, over all rungs.
    public let framesPerSecond: Double
    /// Seconds of media encoded per second of wall time.
    public let speed: Double
    /// Estimated seconds until all frames are encoded.
    public let etaSeconds: Double

    /// Seconds. Workers report progress ten times per lease, so every 3 s with the default lease of 30 s.
    static let silence = 15.0

    /// - Parameter tasks: All tasks of the job.
    /// - Returns: Nil if the job is not encoding or there is no data yet.
    public init?(of job: Job, tasks: [WorkTask], now: Timestamp) {
        let chunks = tasks.filter { $0.kind == .chunk && $0.framesPlanned > 0 }
        let open = chunks.filter { !$0.state.isFinal }
        guard job.state == .running, let plan = job.plan,
            let again = job.attempt == 1 ? chunks.map(\.createdAt).min() : open.map(\.notBefore).min(),
            let lastUpdate = chunks.map(\.updatedAt).max()
        else { return nil }
        let planned = chunks.reduce(0) { $0 + $1.framesPlanned }
        let left = planned - chunks.reduce(0) { $0 + $1.framesDone }
        let working = chunks.filter { $0.updatedAt > again && $0.framesDone > 0 }
        let made = working.reduce(0) { $0 + $1.framesDone }
        // Before that, the chunks waited for a worker.
        let begin = max(again, working.compactMap(\.claimedAt).min() ?? again)
        let seconds = (now.seconds(since: lastUpdate) > Self.silence ? now : lastUpdate).seconds(since: begin)
        guard left > 0, made > 0, seconds > 0 else { return nil }
        framesPerSecond = Double(made) / seconds
        speed = plan.duration.doubleValue * Double(made) / Double(planned) / seconds
        etaSeconds = Double(left) / framesPerSecond
    }
}
