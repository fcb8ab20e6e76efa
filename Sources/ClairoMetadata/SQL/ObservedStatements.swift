internal import ClairoCore
internal import Foundation

/// A driver that reports each statement.
struct ObservedStatements: SQLDriver {
    let base: any SQLDriver
    let observer: StatementObserver

    var dialect: SQLDialect { base.dialect }

    func read<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await base.read(observing(body, locks: false))
    }

    func look<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await base.look(observing(body, locks: false))
    }

    func write<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await base.write(observing(body, locks: observer.measuresLocks))
    }

    func writeEach<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        if observer.measuresLocks { return try await write(body) }
        return try await base.writeEach(observing(body, locks: false))
    }

    func alone<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R { try await base.alone(body) }

    func readAnySchema<R: Sendable>(_ body: @escaping SQLBody<R>) async throws(ClairoError) -> R {
        try await base.readAnySchema(body)
    }

    func close() async { await base.close() }

    private func observing<R>(_ body: @escaping SQLBody<R>, locks: Bool) -> SQLBody<R> {
        { [observer] connection in
            // SQLite has no row locks.
            let measuresLocks = locks && !connection.dialect.lock.isEmpty
            return try body(
                Connection(base: connection, observe: observer.observe, measuresLocks: measuresLocks))
        }
    }

    private struct Connection: SQLConnection {
        let base: any SQLConnection
        let observe: @Sendable (StatementEvent) -> Void
        let measuresLocks: Bool
        let held = HeldLocks()

        var dialect: SQLDialect { base.dialect }
        var mayHaveCommitted: Bool { base.mayHaveCommitted }
        var transport: DatabaseTransport { base.transport }

        func now() throws -> Timestamp { try base.now() }
        func leaseTime() throws -> Timestamp { try base.leaseTime() }

        func execute(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
            try observing(sql, rows: { $0 }) { try base.execute(sql, arguments) }
        }

        func insert(_ sql: String, _ arguments: [SQLValue]) throws -> Bool {
            try observing(sql, rows: { $0 ? 1 : 0 }) { try base.insert(sql, arguments) }
        }

        func query(_ sql: String, _ arguments: [SQLValue]) throws -> [SQLRow] {
            try observing(sql, rows: \.count, isQuery: true) { try base.query(sql, arguments) }
        }

        func hasTable(_ name: String) throws -> Bool { try base.hasTable(name) }

        func hasColumn(_ name: String, of table: String) throws -> Bool { try base.hasColumn(name, of: table) }

        func hasIndex(_ name: String, of table: String) throws -> Bool { try base.hasIndex(name, of: table) }

        func migrate(_ sql: String) throws { try base.migrate(sql) }

        private func observing<R>(
            _ sql: String, rows: (R) -> Int, isQuery: Bool = false, _ body: () throws -> R
        ) throws -> R {
            let start = ContinuousClock.now
            let result = try body()
            let seconds = (ContinuousClock.now - start) / .seconds(1)
            observe(
                StatementEvent(
                    sql: sql, seconds: seconds, rows: rows(result), isQuery: isQuery, locks: try locks()))
            return result
        }

        private func locks() throws -> Int? {
            if !measuresLocks { return nil }
            // The server renews the contents of this table every 100 ms at most.
            Thread.sleep(forTimeInterval: 0.12)
            // The sum of integers is a decimal number.
            let row = try base.query(
                """
                SELECT CAST(COALESCE(SUM(trx_rows_locked), 0) AS SIGNED) AS locks FROM information_schema.innodb_trx
                WHERE trx_mysql_thread_id = CONNECTION_ID()
                """, []
            ).first
            let all = try row?.int("locks") ?? 0
            defer { held.count = all }
            return all - held.count
        }
    }

    /// The record locks of a transaction before the current statement.
    private final class HeldLocks {
        var count = 0
    }
}
