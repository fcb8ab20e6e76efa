internal import ClairoCore
internal import Synchronization

/// The server's clock, read every few seconds and counted on in between, so that transactions need no statement for the
/// time.
///
/// All machines compare times of one clock, the server's. What a process assumes differs from it by half the duration
/// of the statement that read it, at most 50 ms, far less than the tenth of a lease that a worker keeps in reserve. The
/// connections of a process share one reading, so its time does not go back from one transaction to the next.
final class ServerClock: Sendable {
    /// Times are in microseconds.
    private struct Reading {
        /// The server's time minus the time since this machine started.
        var offset: Int64
        var readAt: Int64
    }

    private let machine: MachineClock
    private let reading = Mutex<Reading?>(nil)

    /// How long a reading is used, and how long it may be used at most if later ones are too slow to be exact.
    private static let (usual, longest) = (10_000_000 as Int64, 60_000_000 as Int64)
    /// The longest duration of an exact reading. A clock that seems to be back by less is not followed.
    private static let exact: Int64 = 100_000

    init(machine: MachineClock = MachineClock()) { self.machine = machine }

    /// - Parameter read: Asks the server for its time.
    func now(_ read: () throws -> Timestamp) rethrows -> Timestamp {
        let sent = machine.sinceBoot()
        if let known = reading.withLock({ $0 }), sent - known.readAt < Self.usual {
            return Timestamp(microseconds: sent + known.offset)
        }
        let server = try read().microseconds
        let received = machine.sinceBoot()
        let offset = server - (sent + received) / 2
        let current = reading.withLock { reading in
            var new = Reading(offset: offset, readAt: received)
            if let old = reading {
                if received - sent > Self.exact, received - old.readAt < Self.longest { return old }
                if offset < old.offset, old.offset - offset <= Self.exact { new.offset = old.offset }
            }
            reading = new
            return new
        }
        return Timestamp(microseconds: received + current.offset)
    }

    /// Forgets the reading, because the next connection may be to another server.
    func forget() { reading.withLock { $0 = nil } }
}
