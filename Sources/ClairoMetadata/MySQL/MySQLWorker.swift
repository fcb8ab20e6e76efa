internal import ClairoCore
internal import MariaDB

/// A thread's connection. It is opened on first use and closed when it becomes unusable.
final class MySQLWorker {
    enum Kind: Sendable {
        case read, look, write, writeEach
        case readAnySchema
    }

    /// The connection broke while a change was being committed, so the outcome is unknown.
    struct CommitLost: Error {
        var error: MariaDBError
    }

    private let options: ConnectionOptions
    private let clock: ServerClock
    private var connection: Connection?
    /// When the schema was last known to be the right one.
    private var rightSchemaAt: ContinuousClock.Instant?
    /// The number of slow looks in a row.
    private var slowLooks = 0
    private var looksAtUncommittedUntil = ContinuousClock.now

    /// A look that takes longer has passed many old versions of rows, if it is not the only one.
    private static let slowLook = Duration.milliseconds(10)
    private static let fewSlowLooks = 3
    /// A connection looks at the schema again after this time, so that a daemon that a migration has made obsolete does
    /// not go on for ever.
    private static let schemaCheckInterval = Duration.seconds(60)

    init(_ options: ConnectionOptions, _ clock: ServerClock) {
        self.options = options
        self.clock = clock
    }

    /// - Parameter onConnect: Called after each new connection.
    func run<R>(_ kind: Kind, mayHaveCommitted: Bool, onConnect: () -> Void, _ body: SQLBody<R>) throws -> R {
        do {
            let lent = MySQLConnection(
                try connection ?? connect(onConnect), clock, verifiesCertificate: options.tls.verifies,
                mayHaveCommitted: mayHaveCommitted)
            if kind != .readAnySchema, rightSchemaAt.map({ .now - $0 > Self.schemaCheckInterval }) ?? true {
                try Migration.require(try Migration.recordedVersion(lent))
                rightSchemaAt = .now
            }
            switch kind {
            case .read, .readAnySchema: return try body(lent)
            case .look: return try look(lent, body)
            case .write: return try transaction(lent, body)
            case .writeEach: return try eachStatement(lent, body)
            }
        } catch let error as MariaDBError where MySQLFailure.cure(error) == .reconnect {
            disconnect()
            throw error
        }
    }

    private func connect(_ onConnect: () -> Void) throws -> Connection {
        let connection = try MySQLConnection.open(options)
        self.connection = connection
        onConnect()
        return connection
    }

    private func disconnect() {
        connection = nil
        rightSchemaAt = nil
        clock.forget()
    }

    /// A look takes a few steps through an index. But rows that were changed or deleted stay in the index until the
    /// server purges them, which a long backup prevents, and for each of them a reader of committed data looks for the
    /// version to show. So for a minute after a few slow looks, looks read uncommitted data, which passes them quickly.
    /// That takes one more statement.
    private func look<R>(_ lent: MySQLConnection, _ body: SQLBody<R>) throws -> R {
        let readsUncommitted = .now < looksAtUncommittedUntil
        if readsUncommitted {
            // Read the time first: without SESSION or GLOBAL, the level applies to the next statement only.
            _ = try lent.now()
            try lent.connection.run("SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED")
        }
        let start = ContinuousClock.now
        do {
            let result = try body(lent)
            if !readsUncommitted { note(look: .now - start) }
            return result
        } catch {
            // The level may still be pending.
            disconnect()
            throw error
        }
    }

    private func note(look duration: Duration) {
        slowLooks = duration > Self.slowLook ? slowLooks + 1 : 0
        guard slowLooks >= Self.fewSlowLooks else { return }
        slowLooks = 0
        looksAtUncommittedUntil = .now + .seconds(60)
    }

    private func eachStatement<R>(_ lent: MySQLConnection, _ body: SQLBody<R>) throws -> R {
        do {
            return try body(lent)
        } catch let error as MariaDBError where MySQLFailure.cure(error) == .reconnect {
            disconnect()
            throw CommitLost(error: error)
        }
    }

    private func transaction<R>(_ lent: MySQLConnection, _ body: SQLBody<R>) throws -> R {
        try lent.connection.run("START TRANSACTION")
        let value: R
        do {
            value = try body(lent)
        } catch {
            // If the rollback fails, closing the connection makes the server roll back.
            do { try lent.connection.rollback() } catch { disconnect() }
            throw error
        }
        do {
            try lent.connection.commit()
        } catch {
            disconnect()
            throw MySQLFailure.cure(error) == .reconnect ? CommitLost(error: error) : error
        }
        return value
    }
}
