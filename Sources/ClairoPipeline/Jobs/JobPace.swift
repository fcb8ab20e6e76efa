public import ClairoCore

/// The encoding speed of a running job, over all workers.
///
/// It is the mean since a worker first claimed one of its chunks. Work from before the job was resumed does not count.
/// The measured interval ends at the workers' latest progress report, so the value is stable between reports. If no
/// report arrives for `silence` seconds, the interval ends now, so the value drops.
///
/// The frames of a wave may cost ten times as much as those of another, so `speed` and `etaSeconds` weigh them.
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
        let costs = FrameCosts(of: plan, chunks: chunks)
        let planned = costs.sum(chunks, \.framesPlanned)
        let left = planned - costs.sum(chunks, \.framesDone)
        let working = chunks.filter { $0.updatedAt > again && $0.framesDone > 0 }
        let made = costs.sum(working, \.framesDone)
        // Before that, the chunks waited for a worker.
        let begin = max(again, working.compactMap(\.claimedAt).min() ?? again)
        let seconds = (now.seconds(since: lastUpdate) > Self.silence ? now : lastUpdate).seconds(since: begin)
        guard left > 0, made > 0, seconds > 0 else { return nil }
        framesPerSecond = Double(working.reduce(0) { $0 + $1.framesDone }) / seconds
        speed = plan.duration.doubleValue * made / planned / seconds
        etaSeconds = left / (made / seconds)
    }
}

/// What a frame of each wave costs, relative to the others.
///
/// It is measured once a chunk of the wave has succeeded. Until then it follows from the plan, which gives the chunks of
/// all waves about the same cost.
private struct FrameCosts {
    private var costs: [Int: Double] = [:]
    private let waves: [Int]

    init(of plan: Plan, chunks: [WorkTask]) {
        waves = plan.chunks.map(\.wave)
        let byWave = Dictionary(grouping: chunks, by: wave(of:))
        if byWave.count < 2 { return }
        let planned = byWave.mapValues { Double($0.count) / max(1, Self.frames(of: $0)) }
        let measured = byWave.compactMapValues { chunks -> Double? in
            let ended = chunks.filter { $0.result?.usage.cpuSeconds ?? 0 > 0 }
            return ended.isEmpty
                ? nil : ended.reduce(0) { $0 + ($1.result?.usage.cpuSeconds ?? 0) } / max(1, Self.frames(of: ended))
        }
        // The cost of a chunk, as far as it was measured.
        let ratios = measured.compactMap { wave, cost in planned[wave].map { cost / $0 } }
        let ratio = ratios.isEmpty ? 1 : ratios.reduce(0, +) / Double(ratios.count)
        costs = planned.mapValues { $0 * ratio }.merging(measured) { $1 }
    }

    func sum(_ chunks: [WorkTask], _ frames: KeyPath<WorkTask, Int>) -> Double {
        chunks.reduce(0) { $0 + Double($1[keyPath: frames]) * (costs[wave(of: $1)] ?? 1) }
    }

    private func wave(of chunk: WorkTask) -> Int { waves.indices.contains(chunk.index) ? waves[chunk.index] : 0 }

    private static func frames(of chunks: [WorkTask]) -> Double {
        Double(chunks.reduce(0) { $0 + $1.framesPlanned })
    }
}
