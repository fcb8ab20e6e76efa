internal import ClairoCore
internal import Foundation
internal import Libav
internal import Synchronization

/// The two lines between a running job and whoever watches it: progress out, "stop" in.
public final class JobControl: Sendable {
    public enum Phase: String, Sendable, Codable {
        case reading, encoding, packaging, verifying, done
    }

    /// A moment of a job. Frames are counted over all rungs and chunks.
    public struct Snapshot: Sendable, Hashable {
        public var phase: Phase
        public var framesDone: Int
        public var framesPlanned: Int
        /// Of `framesDone`, those that an earlier run had finished.
        public var framesResumed: Int
        /// Seconds of output finished, as an average over the rungs.
        public var mediaSeconds: Double
    }

    private struct State {
        var phase = Phase.reading
        var planned = 0
        var resumed = 0
        var duration = 0.0
    }

    let interrupt = Interrupt()
    private let isQuietStop = Atomic<Bool>(false)
    private let done = Atomic<Int>(0)
    private let damaged = Atomic<Int>(0)
    private let decoded = Atomic<Int>(0)
    private let state = Mutex(State())

    public init() {}

    /// Asks the job to stop as soon as it can. What is finished stays.
    public func cancel() {
        isQuietStop.store(false, ordering: .relaxed)
        interrupt.trigger()
    }

    public var isCancelled: Bool { interrupt.isTriggered }

    func checkCancellation() throws(ClairoError) {
        if interrupt.isTriggered { throw .cancelled }
    }

    /// Stops the other threads of a job that has failed, without calling it cancelled.
    func stopQuietly() {
        if !interrupt.isTriggered {
            isQuietStop.store(true, ordering: .relaxed)
            interrupt.trigger()
        }
    }

    /// Called when all threads have ended.
    func resumeAfterQuietStop() {
        if isQuietStop.exchange(false, ordering: .relaxed) { interrupt.reset() }
    }

    func begin(_ phase: Phase) { state.withLock { $0.phase = phase } }

    func plan(frames: Int, resumed: Int, duration: Double) {
        state.withLock {
            $0.planned = frames
            $0.resumed = resumed
            $0.duration = duration
        }
        done.store(resumed, ordering: .relaxed)
    }

    func finishFrame() { done.add(1, ordering: .relaxed) }

    func countDecoded(frames: Int, damaged errors: Int) {
        decoded.add(frames, ordering: .relaxed)
        damaged.add(errors, ordering: .relaxed)
    }

    var damage: (errors: Int, frames: Int) {
        (damaged.load(ordering: .relaxed), decoded.load(ordering: .relaxed))
    }

    public var snapshot: Snapshot {
        let (phase, planned, resumed, duration) = state.withLock { ($0.phase, $0.planned, $0.resumed, $0.duration) }
        let done = done.load(ordering: .relaxed)
        return Snapshot(
            phase: phase, framesDone: done, framesPlanned: planned, framesResumed: resumed,
            mediaSeconds: planned > 0 ? duration * Double(done) / Double(planned) : 0)
    }
}
