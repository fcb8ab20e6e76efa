internal import ClairoCore
internal import Foundation
internal import Libav
internal import Synchronization

/// Connects a running job to its observer: the job reports progress, the observer cancels the job.
public final class JobControl: Sendable {
    private struct State {
        var phase = JobProgress.Phase.reading
        var planned = 0
        var resumed = 0
        var duration = 0.0
        var warnings: [MediaWarning] = []
        /// Decoded samples per channel, by the index of the stream.
        var audioSamples: [Int: Int] = [:]
        /// By the id of the track.
        var loudness: [String: AudioLoudness] = [:]
        /// By the index of the segment.
        var counts: [Int: SegmentCounts] = [:]
        /// When the frame observer was called last.
        var reported = ContinuousClock.now
    }

    let interrupt = Interrupt()
    let clock = StepClock()
    private let isQuietStop = Atomic<Bool>(false)
    private let done = Atomic<Int>(0)
    /// The number that the frame observer gets. It only grows.
    private let reports = Atomic<Int>(0)
    private let state = Mutex(State())

    private let frameObserver: (@Sendable (Int) -> Void)?
    private let observer: (@Sendable (JobProgress) -> Void)?

    /// A control that reports no progress.
    public convenience init() { self.init(onFrame: nil) }

    /// - Parameters:
    ///   - onFrame: Receives the number of frames finished by this run so far, on any thread. It grows as long as there
    ///     is progress.
    ///   - onChange: Receives the progress after each frame and phase, on any thread.
    init(onFrame: (@Sendable (Int) -> Void)?, onChange: (@Sendable (JobProgress) -> Void)? = nil) {
        frameObserver = onFrame
        observer = onChange
    }

    /// Asks the job to stop as soon as possible. Finished segments are kept.
    public func cancel() {
        isQuietStop.store(false, ordering: .relaxed)
        interrupt.trigger()
    }

    /// Whether the job was asked to stop.
    public var isCancelled: Bool { interrupt.isTriggered }

    /// Call it often: it is also the sign that the job makes progress.
    func checkCancellation() throws(ClairoError) {
        clock.noteProgress()
        if interrupt.isTriggered { throw .cancelled }
    }

    /// Stops the other threads of a failed job without marking it as cancelled.
    func stopQuietly() {
        if !interrupt.isTriggered {
            isQuietStop.store(true, ordering: .relaxed)
            interrupt.trigger()
        }
    }

    /// Call when all threads have ended.
    func resumeAfterQuietStop() {
        if isQuietStop.exchange(false, ordering: .relaxed) { interrupt.reset() }
    }

    func begin(_ phase: JobProgress.Phase) {
        state.withLock { $0.phase = phase }
        clock.noteProgress()
        observer?(snapshot)
    }

    func plan(frames: Int, resumed: Int, duration: Double) {
        state.withLock {
            $0.planned = frames
            $0.resumed = resumed
            $0.duration = duration
        }
        done.store(resumed, ordering: .relaxed)
        observer?(snapshot)
    }

    func finishFrame() {
        done.add(1, ordering: .relaxed)
        clock.noteProgress()
        report()
        observer?(snapshot)
    }

    /// Call it often in a long step without finished frames. Now and then it is reported as a frame, because a supervisor
    /// ends a task without progress.
    func noteLongStep() throws(ClairoError) {
        try checkCancellation()
        guard frameObserver != nil else { return }
        let isDue = state.withLock { $0.reported.duration(to: .now) > Self.longestSilence }
        if isDue { report() }
    }

    private static let longestSilence = Duration.seconds(10)

    private func report() {
        guard let frameObserver else { return }
        state.withLock { $0.reported = .now }
        frameObserver(reports.add(1, ordering: .relaxed).newValue)
    }

    /// Sets the counts of a segment, which may be decoded more than once.
    func count(_ counts: SegmentCounts) { state.withLock { $0.counts[counts.segment] = counts } }

    /// Sets the counts of the segments that were not decoded.
    func assume(_ expected: [SegmentCounts]) {
        state.withLock { state in
            for counts in expected where state.counts[counts.segment] == nil { state.counts[counts.segment] = counts }
        }
    }

    /// The counts of the segments, in any order.
    var segmentCounts: [SegmentCounts] { state.withLock { Array($0.counts.values) } }

    /// The number of source frames that are shown.
    var shownFrames: Int { segmentCounts.reduce(0) { $0 + $1.shown } }

    /// - Parameters:
    ///   - samples: The number of samples per channel at 48 kHz that the whole track gave.
    ///   - stream: The index of the stream.
    func countDecoded(samples: Int, stream: Int) { state.withLock { $0.audioSamples[stream] = samples } }

    /// Notes what was measured of a track of audio, by its id.
    func note(_ loudness: AudioLoudness, ofTrack id: String) { state.withLock { $0.loudness[id] = loudness } }

    /// What was measured of the tracks of audio, by their ids.
    var loudness: [String: AudioLoudness] { state.withLock { $0.loudness } }

    /// Decoded samples per channel at 48 kHz, by the index of the stream.
    var audioSamples: [Int: Int] { state.withLock { $0.audioSamples } }

    /// Adds a warning about the source or the output, once.
    func warn(_ warning: MediaWarning) {
        state.withLock { if !$0.warnings.contains(warning), $0.warnings.count < 100 { $0.warnings.append(warning) } }
    }

    /// The warnings of the work so far.
    var warnings: [MediaWarning] { state.withLock { $0.warnings } }

    var damage: DecodingDamage {
        segmentCounts.reduce(into: DecodingDamage(frames: 0, errors: 0)) { damage, counts in
            damage.frames += counts.decoded
            damage.errors += counts.errors
        }
    }

    /// Converts an error that ended the work to an error for the caller.
    /// - Parameter source: The name of the source, for messages.
    func explain(_ error: any Error, source: String, memoryAdvice: String? = nil) -> ClairoError {
        switch error {
        case _ where isCancelled: .cancelled
        case let error as ClairoError: error
        case let error as UnverifiedSegment:
            .defect("\(error.key) does not decode to what was encoded: \(error.problem)")
        case let error as CopyFailure:
            .badMedia("\(source): its video cannot be copied, because \(error.reason)")
        case let error as AVError where error == .outOfMemory:
            ClairoError(
                kind: .capacity, exitCode: .temporary, "\(source): out of memory", advice: memoryAdvice)
        case let error as AVError where error == .invalidData:
            .badMedia("\(source) cannot be decoded: \(error)")
        case let error as AVError: .defect("\(source): libav failed: \(error)")
        default: .defect("\(source): \(error)")
        }
    }

    var snapshot: JobProgress {
        let (phase, planned, resumed, duration) = state.withLock { ($0.phase, $0.planned, $0.resumed, $0.duration) }
        let done = done.load(ordering: .relaxed)
        return JobProgress(
            phase: phase, framesDone: done, framesPlanned: planned, framesResumed: resumed,
            mediaSeconds: planned > 0 ? duration * Double(done) / Double(planned) : 0)
    }
}
