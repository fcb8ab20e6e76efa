import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoMedia

@Suite struct WatchdogTests {
    private let clock = VirtualClock()
    private let control = JobControl()

    /// Watches until the work is stuck or 1000 s are over.
    private func watch(_ each: @Sendable (Int) throws -> Void = { _ in }) -> [ClairoError] {
        let errors = Mutex<[ClairoError]>([])
        let watchdog = Watchdog(seconds: 120) { error in errors.withLock { $0.append(error) } }
        let end = clock.now + 1000
        watchdog.watch(control, source: "clip.mp4") { seconds in
            try? each(clock.slept.count)
            return clock.sleep(seconds, unless: StopRequest()) && clock.now < end
        }
        return errors.withLock { $0 }
    }

    @Test func workThatIsStuckIsReportedWithItsStep() {
        let start = clock.now
        let errors = control.clock.measure(.decode) { watch() }
        #expect(clock.now - start == 120)
        #expect(
            errors.map(\.message) == [
                "clip.mp4: no progress for 120 s in the step decode; its media cannot be processed"
            ])
        #expect(errors.map(\.exitCode) == [.badMedia])
        #expect(errors.first?.advice?.contains("Run without --sandbox off") == true)
    }

    @Test func outsideOfAStepThePhaseIsReported() {
        control.begin(.verifying)
        #expect(watch().first?.message.contains("in the step verifying;") == true)
    }

    @Test(arguments: ["frame", "step", "check", "phase"])
    func anyProgressIsEnough(kind: String) {
        let control = control
        let errors = watch { tick in
            guard tick % 119 == 0 else { return }
            switch kind {
            case "frame": control.finishFrame()
            case "step": control.clock.measure(.encode) {}
            case "check": try control.checkCancellation()
            default: control.begin(.packaging)
            }
        }
        #expect(errors == [])
    }

    @Test func waitingForTheSourceOrAStoreIsNotStuck() {
        let reading = control.clock.measure(.read) { watch() }
        let writing = control.clock.measure(.write) { watch() }
        let waiting = control.clock.waitForStore { watch() }
        #expect(reading == [] && writing == [] && waiting == [])
        #expect(watch().count == 1)
    }

    @Test func theWatchEndsWithTheTask() async throws {
        let job = TaskJob(
            source: MemorySource(MemoryMedia.wav(samples: 8000)), name: "saw.wav", settings: TranscodeSettings())
        let spec = job.spec(.inspect(name: "saw.wav"))
        let io = job.io
        let result = try await onDedicatedThread(name: "test task") {
            try MediaTaskEngine(watchdog: Watchdog(seconds: 1e9) { _ in }).run(spec, io: io, stop: StopRequest())
        }
        #expect(result.media?.audio.count == 1)
    }
}
