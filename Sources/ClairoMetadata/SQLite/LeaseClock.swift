internal import ClairoCore
internal import Synchronization

/// The clock by which leases end and delayed messages become due in an SQLite database.
///
/// All processes that use the file run on one machine, so they could compare times of its wall clock. But if that clock
/// is set back by an hour, the leases of dead workers last an hour longer, and retries wait as long; if it is set
/// forward, the leases of live workers end at once. So this clock counts from the start of the machine, which nobody
/// can set, plus an offset that the table `lease_clock` holds for this start. Only when the machine has started anew is
/// the offset taken from the wall clock again, but never so that the clock goes back behind the last time recorded.
///
/// A wrong wall clock at that moment does no harm: these times are compared only with one another.
final class LeaseClock: Sendable {
    private struct State {
        var offset: Int64
        /// Whether the table exists, so that the time can be recorded.
        var isStored = false
        var recordedAt: Int64 = 0
    }

    private let machine: MachineClock
    private let state: Mutex<State>

    /// Microseconds between records of the time.
    private static let recordInterval: Int64 = 60_000_000

    init(_ machine: MachineClock) {
        self.machine = machine
        state = Mutex(State(offset: Self.offset(machine, at: machine.wall().microseconds)))
    }

    private static func offset(_ machine: MachineClock, at time: Int64) -> Int64 { time - machine.sinceBoot() }

    /// The time of records, by the wall clock.
    var wall: Timestamp { machine.wall() }

    var now: Timestamp { Timestamp(microseconds: machine.sinceBoot() + state.withLock { $0.offset }) }

    /// The table. Migration 5 creates it.
    static func table(_ dialect: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "lease_clock",
            parts: [
                "id \(dialect.integer) NOT NULL PRIMARY KEY", "boot \(dialect.word) NOT NULL",
                "clock_offset \(dialect.integer) NOT NULL", "recorded_at \(dialect.integer) NOT NULL",
            ])
    }

    /// Uses the offset that is stored for this start of the machine.
    /// - Returns: False if there is none and `establish` has to store one.
    func load(_ connection: any SQLConnection) throws -> Bool {
        guard try connection.hasTable("lease_clock") else { return true }
        guard let row = try stored(connection) else { return false }
        // Without an id of the start, a clock that would go back shows it.
        guard row.boot == machine.bootID, machine.sinceBoot() + row.offset >= row.recordedAt else { return false }
        state.withLock { $0 = State(offset: row.offset, isStored: true, recordedAt: row.recordedAt) }
        return true
    }

    /// Stores an offset for this start of the machine, unless another process has. Call within a transaction.
    func establish(_ connection: any SQLConnection) throws {
        if try load(connection) { return }
        let recorded = try stored(connection)?.recordedAt ?? 0
        let now = max(machine.wall().microseconds, recorded)
        let offset = Self.offset(machine, at: now)
        try connection.execute("DELETE FROM lease_clock", [])
        _ = try connection.insert(
            into: "lease_clock",
            [
                "id": SQLValue(1), "boot": SQLValue(machine.bootID), "clock_offset": .integer(offset),
                "recorded_at": .integer(now),
            ])
        state.withLock { $0 = State(offset: offset, isStored: true, recordedAt: now) }
    }

    /// Records the time once a minute, within a transaction that writes anyway.
    func record(_ connection: any SQLConnection) throws {
        let now = now.microseconds
        let isDue = state.withLock { state in
            guard state.isStored, now - state.recordedAt >= Self.recordInterval else { return false }
            state.recordedAt = now
            return true
        }
        if !isDue { return }
        try connection.execute(
            "UPDATE lease_clock SET recorded_at = ? WHERE id = 1 AND recorded_at < ?", [.integer(now), .integer(now)])
    }

    private func stored(_ connection: any SQLConnection) throws -> (boot: String, offset: Int64, recordedAt: Int64)? {
        guard let row = try connection.row("SELECT * FROM lease_clock WHERE id = 1", []) else { return nil }
        return (try row.text("boot"), try row.integer("clock_offset"), try row.integer("recorded_at"))
    }
}
