internal import ClairoCore
internal import MariaDB

/// One thread's connection. It is made when it is first needed, and dropped when it fails.
final class MySQLWorker {
    enum Kind: Sendable {
        case read, write, writeByHints
        case readAnySchema
    }

    /// The connection broke while it was committing: nobody knows whether the server did.
    struct CommitLost: Error {
        var error: MariaDBError
    }

    private let options: ConnectionOptions
    private var connection: Connection?
    private var hasRightSchema = false

    init(_ options: ConnectionOptions) { self.options = options }

    /// - Parameter onConnect: called after each new connection.
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
            // Whether a commit took hold must not be judged by what may yet be rolled back.
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
            // Where even that fails, closing the connection makes the server roll back.
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
