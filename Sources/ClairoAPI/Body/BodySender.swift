internal import NIOCore
internal import Synchronization

/// The sender of a request's body: its rate, what to do while it is silent, and how to stop reading from it. Shared by
/// the request's task, the connection's event loop and other requests.
final class BodySender: Sendable {
    /// Why the server stops reading.
    enum StopReason: Sendable {
        /// The rate is below the minimum.
        case tooSlow
        /// All upload slots are taken, others wait for one, and this sender is slow.
        case slotNeeded
        /// Another request takes over the upload.
        case takenOver
    }

    private struct State {
        var meter: IngressMeter
        var reason: StopReason?
        var isOver = false
        var watch: RepeatedTask?
        var onPause: (@Sendable () async -> Void)?
        var pauseTime: Duration
        var hasPaused = false
    }

    /// After a stop, bytes that have arrived are still read: until there are none for this time.
    private static let quietTime = Duration.milliseconds(500)
    /// The longest time after a stop until the input is closed, for a sender that goes on sending.
    private static let stopTime = Duration.seconds(5)

    private let channel: any Channel
    private let now: @Sendable () -> Duration
    private let state: Mutex<State>

    /// - Parameters:
    ///   - pauseTime: How long a silence is a pause. It doubles with each pause, which limits their cost.
    ///   - now: A monotonic clock.
    init(channel: any Channel, meter: IngressMeter, pauseTime: Duration, now: @escaping @Sendable () -> Duration) {
        self.channel = channel
        self.now = now
        state = Mutex(State(meter: meter, pauseTime: pauseTime))
    }

    // MARK: The request's task

    /// Sets what to do when the sender pauses. It runs while the request's task waits for bytes, and possibly longer.
    func onPause(_ body: @escaping @Sendable () async -> Void) { state.withLock { $0.onPause = body } }

    /// Starts to watch the rate.
    func watch() {
        let watch = channel.eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) {
            [weak self] task in
            guard let self else { return task.cancel() }
            check()
        }
        state.withLock { $0.watch = watch }
    }

    func beginWait() { state.withLock { $0.meter.beginWait(at: now()) } }

    func endWait(bytes: Int) {
        state.withLock { state in
            state.meter.endWait(at: now(), bytes: bytes)
            state.hasPaused = false
        }
    }

    /// Why the server stopped reading, or nil if it did not.
    var reason: StopReason? { state.withLock { $0.reason } }

    /// Ends the watch, after the body or with the request.
    func finish() {
        let watch = state.withLock { state in
            (state.isOver, state.onPause) = (true, nil)
            return state.watch
        }
        watch?.cancel()
    }

    private func check() {
        let (isTooSlow, pause) = state.withLock { state -> (Bool, (@Sendable () async -> Void)?) in
            let time = now()
            guard !state.isOver, state.reason == nil else { return (false, nil) }
            if state.meter.check(at: time) { return (true, nil) }
            guard !state.hasPaused, state.meter.silence(at: time) >= state.pauseTime else { return (false, nil) }
            state.hasPaused = true
            state.pauseTime *= 2
            return (false, state.onPause)
        }
        if isTooSlow { stop(.tooSlow) }
        if let pause { Task { await pause() } }
    }

    // MARK: Other requests

    /// The sender's rate over the last seconds in bytes per second, or nil if it is not known or the request is ending.
    var recentRate: Double? {
        state.withLock { $0.isOver || $0.reason != nil ? nil : $0.meter.recentRate(at: now()) }
    }

    /// Stops reading from the sender once the received bytes are read. The request then ends with an error; what it
    /// does with the bytes is up to it.
    func stop(_ reason: StopReason) {
        let isFirst = state.withLock { state in
            guard !state.isOver, state.reason == nil else { return false }
            state.reason = reason
            return true
        }
        guard isFirst else { return }
        let begin = now()
        channel.eventLoop.scheduleRepeatedTask(initialDelay: .zero, delay: .milliseconds(50)) { [self] task in
            let (isOver, silence) = state.withLock { ($0.isOver, $0.meter.silence(at: now())) }
            if !isOver, silence < Self.quietTime, now() - begin < Self.stopTime { return }
            // Close only the input: that ends the wait, and a response can still be sent.
            if !isOver { channel.close(mode: .input, promise: nil) }
            task.cancel()
        }
    }
}
