internal import ClairoCore
internal import MariaDB

/// A thread's connection. It is opened on first use and closed when it becomes unusable.
final class MySQLWorker {
    enum Kind: Sendable {
        case read, write, writeByHints
        case readAnySchema
    }

    /// The connection broke during a commit, so the outcome is unknown.
    struct CommitLost: Error {
        var error: MariaDBError
    }

    private let options: ConnectionOptions
    private var connection: Connection?
    private var hasRightSchema = false

    init(_ options: ConnectionOptions) { self.options = options }

    /// - Parameter onConnect: Called after each new connection.
    func run<R>(_ kind: Kind, mayHaveCommitted: Bool, onConnect: () -> Void, _ body: SQLBody<R>) throws -> R {
        do {
            let connection = try connection ?? connect(onConnect)
            let lent = MySQLConnection(connection: connection, mayHaveCommitted: mayHaveCommitted)
            if kind != .readAnySchema, !hasRightSchema {
                try Migration.require(try Migration.recordedVersion(lent))
                hasRightSchema = true
            }
            switch kind {
            case .read, .readAnySchema: return try body(lent)
            case .write: return try transaction(lent, body)
            // Uncommitted data must not decide whether an earlier commit succeeded.
            case .writeByHints: return try transaction(lent, readsUncommitted: !mayHaveCommitted, body)
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
        hasRightSchema = false
    }

    private func transaction<R>(
        _ lent: MySQLConnection, readsUncommitted: Bool = false, _ body: SQLBody<R>
    ) throws -> R {
        var lent = lent
        try lent.begin(readsUncommitted: readsUncommitted)
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
