import ClairoCore
import ClairoExecutors
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// Monitoring is notified of each task process that did not end by itself with a result, and why.
@Suite(.sharesMachine) struct TaskKillTests {
    private func kills(_ misbehaviour: String, _ limits: ProcessLimits) async -> [TaskKill] {
        let received = Mutex<[TaskKill]>([])
        let job = TaskJob(
            source: MemorySource(Data([1])), name: "x", settings: TranscodeSettings(), output: MemoryStore())
        let executor = ProcessExecutor(
            limits: limits, executable: ClairoProcess.misbehaving,
            arguments: MisbehavingProcess.arguments(misbehaviour),
            onKill: { kill in received.withLock { $0.append(kill) } })
        let source = SourceFingerprint(name: "x", size: 1, identity: "")
        _ = try? await executor.run(
            job.spec(.plan(TaskSpec.PlanRequest(source: source, settings: job.settings))), io: job.io,
            stop: StopRequest())
        return received.withLock { $0 }
    }

    @Test(arguments: [
        ("segv", ProcessLimits(), TaskKill.crash), ("exit", ProcessLimits(), .noResult),
        ("garbage", ProcessLimits(), .badProtocol), ("silence", ProcessLimits(stallSeconds: 1), .stalled),
        ("silence", ProcessLimits(wallSeconds: 1), .wallTime), ("spin", ProcessLimits(cpuSeconds: 1), .cpuTime),
        ("memory", ProcessLimits(memory: 512 << 20), .memory), ("forge", ProcessLimits(), .badProtocol),
    ])
    func aKillIsReportedOnceWithItsReason(_ misbehaviour: String, _ limits: ProcessLimits, _ reason: TaskKill) async {
        #expect(await kills(misbehaviour, limits) == [reason])
    }

    @Test func aTaskThatReportsItsOwnResultIsNotCountedAsKilled() async {
        #expect(await kills("exchange", ProcessLimits()) == [])
    }
}
