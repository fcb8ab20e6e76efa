import ClairoCore
import ClairoTestSupport
import Synchronization
import Testing

@testable import ClairoMetadata

/// The clock of leases in SQLite, on a machine whose clocks a test sets.
@Suite struct LeaseClockTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// A process that has the file open.
    private func open(_ machine: TestMachine) async throws -> any MetadataStore {
        let driver = try await SQLiteDriver.open(
            path: scratch.path("clairo.db"), updatesSchema: true, machine: machine.clock)
        return SQLMetadataStore(driver: driver, report: { _ in })
    }

    private func claim(_ store: any MetadataStore) async throws -> WorkTask? {
        try await store.claimNextTask(kinds: [.chunk], owner: "w", leaseSeconds: 30)
    }

    @Test(arguments: [-10_000.0, 10_000]) func aLeaseLastsAsLongAsItShouldWhateverTheClockIsSetTo(step: Double)
        async throws
    {
        let machine = TestMachine()
        let store = try await open(machine)
        _ = try await MetadataStoreContract.create([.chunk], in: store)
        #expect(try await claim(store) != nil)
        machine.set(by: step)
        machine.pass(29)
        let other = try await open(machine)
        #expect(try await claim(other) == nil, "the lease has not ended")
        machine.pass(2)
        #expect(try await claim(other)?.attempt == 2)
        await store.close()
        await other.close()
    }

    @Test func delayedMessagesAreDueInTimeWhateverTheClockIsSetTo() async throws {
        let machine = TestMachine()
        let store = try await open(machine)
        let message = MetadataSamples.message(of: .make(), delay: 100)
        try await store.post([message], about: nil)
        machine.set(by: -10_000)
        machine.pass(99)
        #expect(try await store.claimOutbox(.queue, owner: "r", limit: 9, leaseSeconds: 30).isEmpty)
        machine.pass(2)
        #expect(try await store.claimOutbox(.queue, owner: "r", limit: 9, leaseSeconds: 30).map(\.id) == [message.id])
        try await store.enqueue([message])
        machine.set(by: -10_000)
        #expect(try await store.claimQueued(topics: [message.topic], owner: "c", limit: 9, leaseSeconds: 30).count == 1)
        await store.close()
    }

    /// The clock after the restart may be wrong until it is synchronized.
    @Test(arguments: [-10_000.0, 0, 10_000]) func leasesEndAfterARestartOfTheMachine(step: Double) async throws {
        let machine = TestMachine()
        let store = try await open(machine)
        _ = try await MetadataStoreContract.create([.chunk], in: store)
        #expect(try await claim(store) != nil)
        await store.close()
        machine.restart()
        machine.set(by: step)
        machine.pass(31)
        let next = try await open(machine)
        machine.pass(31)
        #expect(try await claim(next)?.attempt == 2)
        await next.close()
    }

    @Test func theTimeIsRecordedSoThatItDoesNotGoBackAfterARestart() async throws {
        let machine = TestMachine()
        let store = try await open(machine)
        machine.pass(50_000)
        _ = try await MetadataStoreContract.create([.chunk], in: store)
        #expect(try await claim(store) != nil)
        await store.close()
        machine.restart()
        machine.set(by: -100_000)
        let next = try await open(machine)
        machine.pass(31)
        #expect(try await claim(next)?.attempt == 2, "the clock continues from the last write")
        await next.close()
    }
}

/// A machine with a wall clock and a time since its start.
private final class TestMachine: Sendable {
    private struct State {
        var wall = Timestamp.now
        var sinceBoot: Int64 = 1_000_000_000
        var boot = 1
    }

    private let state = Mutex(State())

    var clock: MachineClock {
        MachineClock(
            wall: { [self] in state.withLock { $0.wall } },
            sinceBoot: { [self] in state.withLock { $0.sinceBoot } }, bootID: state.withLock { "\($0.boot)" })
    }

    func pass(_ seconds: Double) {
        state.withLock { state in
            state.wall = state.wall.advanced(bySeconds: seconds)
            state.sinceBoot += Int64(seconds * 1_000_000)
        }
    }

    /// Sets the wall clock forward or back.
    func set(by seconds: Double) { state.withLock { $0.wall = $0.wall.advanced(bySeconds: seconds) } }

    func restart() {
        state.withLock { state in
            state.boot += 1
            state.sinceBoot = 1_000_000
        }
    }
}
