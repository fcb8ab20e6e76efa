import ClairoCore
import ClairoTestSupport
import Testing

@testable import ClairoPipeline

/// The speed of a job at fixed times.
@Suite struct JobPaceTests {
    /// 48 seconds of media in four chunks of 300 frames.
    private let plan = Plan.sample(chunks: 4, segmentsPerChunk: 2)
    private static let start = Timestamp(microseconds: 1_800_000_000_000_000)

    private func at(_ seconds: Double) -> Timestamp { Self.start.advanced(bySeconds: seconds) }

    private func job(_ state: Job.State = .running, attempt: Int = 1, plan other: Plan? = nil) -> Job {
        Job(
            id: .make(), videoID: .make(), state: state, profile: "default", priority: .normal, attempt: attempt,
            plan: other ?? plan, traceID: "t", createdAt: at(-5))
    }

    /// A chunk task with the number of finished frames at its last report.
    private func chunk(
        _ index: Int, _ state: WorkTask.State, done: Int = 0, reported seconds: Double = 0, due: Double = 0,
        claimed: Double? = nil
    ) -> WorkTask {
        WorkTask(
            id: .make(), jobID: .make(), videoID: .make(), kind: .chunk, index: index, state: state,
            priority: .normal, attempt: state == .pending ? 0 : 1, owner: state == .running ? "host:\(index)" : nil,
            claimedAt: claimed.map(at), notBefore: at(due), framesDone: done, framesPlanned: 300, createdAt: at(0),
            updatedAt: at(seconds))
    }

    private var tasks: [WorkTask] {
        [
            chunk(0, .succeeded, done: 300, reported: 8), chunk(1, .running, done: 150, reported: 10),
            chunk(2, .running, done: 50, reported: 9), chunk(3, .pending),
        ]
    }

    @Test func thePaceIncludesAllChunksSinceTheirCreation() throws {
        let pace = try #require(JobPace(of: job(), tasks: tasks, now: at(11)))
        // 500 of 1200 frames, for 48 s of media, in the 10 s before the latest report.
        #expect(pace.framesPerSecond == 50)
        #expect(abs(pace.speed - plan.duration.doubleValue * 500 / 1200 / 10) < 1e-9)
        #expect(pace.etaSeconds == 14)
    }

    @Test func timeInTheQueueIsNotCounted() throws {
        let tasks = [
            chunk(0, .succeeded, done: 300, reported: 3608, claimed: 3600),
            chunk(1, .running, done: 150, reported: 3610, claimed: 3601),
            chunk(2, .running, done: 50, reported: 3609, claimed: 3601), chunk(3, .pending),
        ]
        let pace = try #require(JobPace(of: job(), tasks: tasks, now: at(3611)))
        #expect(pace.framesPerSecond == 50)
        #expect(pace.etaSeconds == 14)
    }

    @Test func thePaceIsConstantBetweenTwoReports() {
        #expect(JobPace(of: job(), tasks: tasks, now: at(11)) == JobPace(of: job(), tasks: tasks, now: at(24)))
    }

    @Test func thePaceDecreasesIfNoWorkerReportsForLong() throws {
        let pace = try #require(JobPace(of: job(), tasks: tasks, now: at(100)))
        #expect(pace.framesPerSecond == 5)
        #expect(pace.etaSeconds == 140)
    }

    @Test func framesOfAnEarlierRunAreNotCounted() throws {
        // Failed at 10 s, retried at 1000 s.
        let tasks = [
            chunk(0, .succeeded, done: 300, reported: 8), chunk(1, .running, done: 150, reported: 1005, due: 1000),
            chunk(2, .running, done: 50, reported: 1010, due: 1000), chunk(3, .pending, reported: 1000, due: 1000),
        ]
        let pace = try #require(JobPace(of: job(attempt: 2), tasks: tasks, now: at(1011)))
        #expect(pace.framesPerSecond == 20)
        // The remaining frames are all that are not done: 1200 - 500.
        #expect(pace.etaSeconds == 35)
    }

    /// One chunk of 600 frames in the first wave, and two of 300 in the second.
    private func waves(costs: [Double]) -> (Plan, [WorkTask]) {
        var plan = Plan.sample(chunks: 2, segmentsPerChunk: 2)
        plan.chunks = [(0, 0..<4), (1, 0..<2), (1, 2..<4)].enumerated().map {
            Chunk(index: $0, wave: $1.0, segments: $1.1, seekTimestamp: nil)
        }
        var tasks = [
            chunk(0, .succeeded, done: 600, reported: 10, claimed: 0),
            chunk(1, .running, reported: 10, claimed: 10), chunk(2, .pending),
        ]
        tasks[0].framesPlanned = 600
        for (index, cost) in costs.enumerated() {
            tasks[index].result = TaskResult(usage: TaskUsage(cpuSeconds: cost))
        }
        return (plan, tasks)
    }

    @Test func theFramesOfLaterWavesCostWhatTheirChunksDo() throws {
        // Three chunks of equal cost, one of which took 10 s.
        let (plan, tasks) = waves(costs: [25])
        let pace = try #require(JobPace(of: job(plan: plan), tasks: tasks, now: at(11)))
        #expect(pace.framesPerSecond == 60)
        #expect(abs(pace.etaSeconds - 20) < 1e-9)
        #expect(abs(pace.speed - plan.duration.doubleValue / 30) < 1e-9)
    }

    @Test func theCostOfAWaveIsMeasuredOnceAChunkOfItHasSucceeded() throws {
        let (plan, made) = waves(costs: [10, 40])
        var tasks = made
        (tasks[1].state, tasks[1].framesDone, tasks[1].updatedAt) = (.succeeded, 300, at(50))
        // 50 of 90 CPU seconds in 50 s.
        let pace = try #require(JobPace(of: job(plan: plan), tasks: tasks, now: at(51)))
        #expect(pace.framesPerSecond == 18)
        #expect(abs(pace.etaSeconds - 40) < 1e-9)
    }

    @Test func onlyChunkTasksCount() {
        let others = [WorkTask.Kind.plan, .track, .finish].map { kind in
            var task = chunk(0, .running, done: 7, reported: 500)
            task.kind = kind
            return task
        }
        #expect(JobPace(of: job(), tasks: tasks + others, now: at(11)) == JobPace(of: job(), tasks: tasks, now: at(11)))
        #expect(JobPace(of: job(), tasks: others, now: at(600)) == nil)
    }

    @Test func thereIsNoEstimateBeforeAnythingIsMeasured() {
        let waiting = (0..<4).map { chunk($0, .pending) }
        #expect(JobPace(of: job(), tasks: waiting, now: at(60)) == nil)
        #expect(JobPace(of: job(), tasks: [], now: at(60)) == nil)
        // A clock that was set back.
        #expect(JobPace(of: job(), tasks: [chunk(0, .running, done: 5, reported: -3)], now: at(-2)) == nil)
    }

    @Test(arguments: [Job.State.planning, .finishing, .succeeded, .failed, .cancelled])
    func aJobThatIsNotRunningHasNoPace(_ state: Job.State) {
        #expect(JobPace(of: job(state), tasks: tasks, now: at(11)) == nil)
    }

    @Test func thereIsNoEstimateOnceAllFramesAreDone() {
        let done = (0..<4).map { chunk($0, .succeeded, done: 300, reported: 10) }
        #expect(JobPace(of: job(), tasks: done, now: at(11)) == nil)
    }

    @Test func theReportOfAJobHasItsPaceAndWorkers() throws {
        let report = JobDocument(job(), tasks: tasks, for: .operator, now: at(11))
        #expect(report.framesDone == 500 && report.framesPlanned == 1200)
        #expect(report.framesPerSecond == 50 && report.etaSeconds == 14)
        #expect(report.speed == JobPace(of: job(), tasks: tasks, now: at(11))?.speed)
        #expect(report.taskList?.map(\.owner) == [nil, "host:1", "host:2", nil])
        let ended = JobDocument(job(.failed), tasks: tasks, for: .operator, now: at(11))
        #expect(ended.framesPerSecond == nil && ended.speed == nil && ended.etaSeconds == nil)
    }
}
