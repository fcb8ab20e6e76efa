import ClairoCore
import Synchronization
import Testing

@testable import ClairoMetadata

/// How the time of a server is read and counted on.
@Suite struct ServerClockTests {
    /// The time since this machine started, and how far the server's clock is ahead of it. In microseconds.
    private final class Times: Sendable {
        private let state = Mutex((now: 1_000_000 as Int64, ahead: 5_000_000 as Int64, reads: 0))

        var now: Int64 { state.withLock { $0.now } }
        var reads: Int { state.withLock { $0.reads } }

        func pass(_ milliseconds: Int64) { state.withLock { $0.now += milliseconds * 1000 } }
        func set(aheadBy milliseconds: Int64) { state.withLock { $0.ahead = milliseconds * 1000 } }

        /// Half of the duration is the way to the server.
        func read(taking milliseconds: Int64) -> Timestamp {
            pass(milliseconds / 2)
            defer { pass(milliseconds / 2) }
            return state.withLock { state in
                state.reads += 1
                return Timestamp(microseconds: state.now + state.ahead)
            }
        }
    }

    private let times = Times()
    private let clock: ServerClock

    init() { clock = ServerClock(machine: MachineClock(sinceBoot: { [times] in times.now })) }

    /// How far the clock is ahead of this machine, in milliseconds.
    private func ahead(_ milliseconds: Int64 = 2) -> Int64 {
        let time = clock.now { times.read(taking: milliseconds) }
        return (time.microseconds - times.now) / 1000
    }

    @Test func theServerIsAskedEveryTenSeconds() {
        #expect(ahead() == 5000)
        times.set(aheadBy: 9000)
        times.pass(9000)
        #expect(ahead() == 5000 && times.reads == 1)
        times.pass(2000)
        #expect(ahead() == 9000 && times.reads == 2)
        clock.forget()
        #expect(ahead() == 9000 && times.reads == 3)
    }

    @Test func aSlowReadingIsUsedOnlyIfThereIsNoOther() {
        #expect(ahead(400) == 5000)
        times.set(aheadBy: 5100)
        times.pass(11_000)
        #expect(ahead(400) == 5000)
        #expect(ahead() == 5100)
        times.set(aheadBy: 5200)
        times.pass(61_000)
        #expect(ahead(400) == 5200)
    }

    @Test func theTimeDoesNotGoBackByWhatMayBeInexact() {
        #expect(ahead() == 5000)
        times.set(aheadBy: 4950)
        times.pass(11_000)
        #expect(ahead() == 5000)
        times.set(aheadBy: 1000)
        times.pass(11_000)
        #expect(ahead() == 1000, "the server's clock was set")
    }
}
