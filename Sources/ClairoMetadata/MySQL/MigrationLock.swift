internal import ClairoCore
internal import MariaDB

/// Keeps other processes from migrating the same database: a locked row, on a connection of its own, because each
/// statement that changes the schema commits and would release it.
///
/// `GET_LOCK` would be simpler, but clusters with Galera cannot replicate it, and Percona XtraDB Cluster forbids it.
/// There, a row lock holds on one node only; at other nodes a migration may run at the same time. That is harmless,
/// because its statements can be repeated and a cluster runs them one after the other (total order isolation).
struct MigrationLock {
    private let connection: Connection

    private static let waitSeconds = 600
    /// After this time without a statement, the server ends the session. The session is silent while a migration runs.
    private static let silentSeconds = 6 * 3600

    /// Waits for the lock.
    static func acquire(_ options: ConnectionOptions) throws -> MigrationLock {
        let connection = try MySQLConnection.open(options)
        try connection.run(
            "SET SESSION innodb_lock_wait_timeout = \(Self.waitSeconds), lock_wait_timeout = \(Self.waitSeconds), "
                + "wait_timeout = \(Self.silentSeconds)")
        do {
            try connection.run(
                "CREATE TABLE IF NOT EXISTS schema_lock (id BIGINT NOT NULL PRIMARY KEY) ENGINE=InnoDB")
            try connection.run("INSERT INTO schema_lock VALUES (1) ON DUPLICATE KEY UPDATE id = id")
            try connection.run("START TRANSACTION; SELECT id FROM schema_lock WHERE id = 1 FOR UPDATE")
        } catch {
            throw error.code == 1205 ? Self.held : error
        }
        return MigrationLock(connection: connection)
    }

    private static var held: any Error {
        ClairoError.temporary(
            "Another program has been migrating the database for \(waitSeconds / 60) minutes",
            advice: "Wait until it ends, or end it.")
    }

    /// Releases the lock. If that fails, closing the connection releases it.
    func release() { try? connection.rollback() }
}
