import ClairoCore
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct WakeSignalTests {
    private final class Counter: Sendable {
        private let mutex = Mutex(0)
        var count: Int { mutex.withLock { $0 } }
        func increment() { mutex.withLock { $0 += 1 } }
    }

    /// Longer than the time limit of the tests.
    private static let forever = 36_000.0

    private let signal = WakeSignal()

    @Test func aSignalBeforeAnyWaiterIsRemembered() async {
        signal.signal()
        await signal.wait(seconds: Self.forever)
    }

    @Test func severalSignalsCountAsOne() async {
        for _ in 0..<3 { signal.signal() }
        await signal.wait(seconds: Self.forever)
        #expect(await ContinuousClock().measure { await signal.wait(seconds: 0.01) } >= .milliseconds(10))
    }

    @Test func aSignalWakesAllWaiters() async {
        let woken = Counter()
        await withTaskGroup { group in
            for _ in 0..<3 {
                group.addTask {
                    await signal.wait(seconds: Self.forever)
                    woken.increment()
                }
            }
            // A signal may arrive before some of them wait.
            while woken.count < 3 {
                signal.signal()
                await Task.yield()
            }
        }
    }

    @Test func aCancelledWaiterDoesNotConsumeTheSignal() async {
        signal.signal()
        let cancelled = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            await signal.wait(seconds: Self.forever)
        }
        await cancelled.value
        await signal.wait(seconds: Self.forever)
    }

    @Test func cancellationEndsAWait() async {
        let waiting = Task { await signal.wait(seconds: Self.forever) }
        waiting.cancel()
        await waiting.value
    }
}
