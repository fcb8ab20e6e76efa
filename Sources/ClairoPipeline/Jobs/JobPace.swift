public import ClairoCore

/// How fast the chunks of a running job get done, by all workers together.
///
/// It is the mean since the first of the chunks was taken by a worker; where the job was taken up again, what an earlier run
/// had made is not counted. It ends with the newest word from a worker, not now, so that it stands still between two; where
/// workers have been silent for long, now counts, and the pace sinks.
public struct JobPace: Sendable, Hashable {
    /// Frames finished in a second, over all rungs.
    public let framesPerSecond: Double
    /// Seconds of media finished in a second.
    public let speed: Double
    /// Seconds until all frames are done, if it goes on like this.
    public let etaSeconds: Double

    /// Workers tell of their progress every tenth of a lease, which is 30 s unless somebody says otherwise.
    static let silence = 15.0

    /// - Parameter tasks: all of the job's.
    /// - Returns: nil where the job does not encode now or nothing can be said yet.
    public init?(of job: Job, tasks: [WorkTask], now: Timestamp) {
        let chunks = tasks.filter { $0.kind == .chunk && $0.framesPlanned > 0 }
        let open = chunks.filter { !$0.state.isFinal }
        guard job.state == .running, let plan = job.plan,
            let again = job.attempt == 1 ? chunks.map(\.createdAt).min() : open.map(\.notBefore).min(),
            let news = chunks.map(\.updatedAt).max()
        else { return nil }
        let planned = chunks.reduce(0) { $0 + $1.framesPlanned }
        let left = planned - chunks.reduce(0) { $0 + $1.framesDone }
        let working = chunks.filter { $0.updatedAt > again && $0.framesDone > 0 }
        let made = working.reduce(0) { $0 + $1.framesDone }
        // Until then they waited for a worker.
        let begin = max(again, working.compactMap(\.claimedAt).min() ?? again)
        let seconds = (now.seconds(since: news) > Self.silence ? now : news).seconds(since: begin)
        guard left > 0, made > 0, seconds > 0 else { return nil }
        framesPerSecond = Double(made) / seconds
        speed = plan.duration.doubleValue * Double(made) / Double(planned) / seconds
        etaSeconds = Double(left) / framesPerSecond
    }
}
