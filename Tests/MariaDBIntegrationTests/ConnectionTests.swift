import ClairoTestSupport
import Foundation
import MariaDB
import Testing

/// The wrapper with a real server.
@Suite(.enabled(if: MariaDBServer.isInstalled)) struct ConnectionTests {
    /// Runs `body` on a dedicated thread with a connection to an empty database.
    private func connected<R: Sendable>(
        _ change: @Sendable (inout ConnectionOptions) -> Void = { _ in },
        _ body: @escaping @Sendable (Connection) throws -> R
    ) async throws -> R {
        let server = try await MariaDBServer.shared
        var options = ConnectionOptions()
        (options.host, options.port) = ("127.0.0.1", server.port)
        (options.user, options.password) = (MariaDBServer.user, MariaDBServer.password)
        options.database = try await server.makeDatabase().name
        change(&options)
        return try await onThread { [options] in try body(try Connection(options)) }
    }

    private func onThread<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            Thread { ClientThread.run { continuation.resume(with: Result { try body() }) } }.start()
        }
    }

    @Test func valuesOfAllTypesAreReadBack() async throws {
        let values: [Value] = [
            .null, .integer(.min), .integer(.max), .integer(0), .real(-1.5e300), .text(""), .text("Größe 🎬 'x' \n\0y"),
            .text(String(repeating: "ü", count: 300_000)), .bytes([]), .bytes([0, 255, 1, 39]),
        ]
        let back = try await connected { connection in
            try connection.execute("CREATE TABLE t (n INT, i BIGINT, r DOUBLE, s LONGTEXT, b LONGBLOB)")
            for (number, value) in values.enumerated() {
                let column =
                    switch value {
                    case .integer, .null: "i"
                    case .real: "r"
                    case .text: "s"
                    case .bytes: "b"
                    }
                #expect(
                    try connection.execute(
                        "INSERT INTO t (n, \(column)) VALUES (?, ?)", [.integer(Int64(number)), value]
                    )
                    .affectedRows == 1)
            }
            return try connection.execute("SELECT i, r, s, b FROM t ORDER BY n")
        }
        #expect(back.columns == ["i", "r", "s", "b"])
        #expect(back.rows.count == values.count)
        for (row, value) in zip(back.rows, values) {
            #expect(row.filter { $0 != .null } == (value == .null ? [] : [value]))
        }
    }

    @Test func aStatementIsReusableWithOtherValuesAndAfterATableChange() async throws {
        try await connected { connection in
            try connection.execute("CREATE TABLE t (i BIGINT)")
            for number in 0..<300 { try connection.execute("INSERT INTO t VALUES (?)", [.integer(Int64(number))]) }
            let sql = "SELECT * FROM t WHERE i < ? ORDER BY i"
            #expect(try connection.execute(sql, [.integer(3)]).rows.count == 3)
            #expect(try connection.execute(sql, [.integer(0)]).rows.isEmpty)
            try connection.execute("ALTER TABLE t ADD COLUMN s VARCHAR(9) DEFAULT 'x'")
            #expect(try connection.execute(sql, [.integer(1)]).rows == [[.integer(0), .text("x")]])
            // More statements than the cache holds.
            for number in 0..<250 {
                #expect(try connection.execute("SELECT \(number)").rows == [[.integer(Int64(number))]])
            }
        }
    }

    @Test func anUpdateReturnsTheNumberOfMatchedRows() async throws {
        try await connected { connection in
            try connection.execute("CREATE TABLE t (i BIGINT)")
            try connection.execute("INSERT INTO t VALUES (1)")
            #expect(try connection.execute("UPDATE t SET i = 1 WHERE i = 1").affectedRows == 1)
            #expect(try connection.execute("UPDATE t SET i = 1 WHERE i = 2").affectedRows == 0)
        }
    }

    @Test func rollbackDiscardsChangesAndCommitKeepsThem() async throws {
        try await connected { connection in
            try connection.execute("CREATE TABLE t (i BIGINT)")
            for isKept in [false, true] {
                try connection.run("START TRANSACTION")
                try connection.execute("INSERT INTO t VALUES (7)")
                if isKept { try connection.commit() } else { try connection.rollback() }
                #expect(try connection.execute("SELECT i FROM t").rows.count == (isKept ? 1 : 0))
            }
        }
    }

    @Test func noErrorContainsABoundValue() async throws {
        try await connected { connection in
            try connection.run("SET SESSION sql_mode = 'STRICT_ALL_TABLES'")
            try connection.execute("CREATE TABLE t (k VARCHAR(50) PRIMARY KEY, n INT, d DATE)")
            let secret = "it's secret' for key"
            let sql = "INSERT INTO t (k) VALUES (?)"
            try connection.execute(sql, [.text(secret)])
            let failures: [(UInt32, String, [Value])] = [
                (1062, sql, [.text(secret)]),
                (1366, "INSERT INTO t (k, n) VALUES ('x', ?)", [.text(secret)]),
                (1292, "INSERT INTO t (k, d) VALUES ('x', ?)", [.text(secret)]),
                (1406, sql, [.text(String(repeating: secret, count: 10))]),
                (1064, "INSERT INTO INTO t VALUES (?)", [.text(secret)]),
            ]
            for (code, sql, values) in failures {
                let error = #expect(throws: MariaDBError.self) { try connection.execute(sql, values) }
                #expect(error?.code == code)
                #expect(error?.description.contains("secret") == false)
            }
            // The connection is still usable.
            #expect(try connection.execute("SELECT COUNT(*) FROM t").rows == [[.integer(1)]])
        }
    }

    @Test func aWrongNumberOfValuesIsAnError() async throws {
        try await connected { connection in
            #expect(throws: MariaDBError.self) { try connection.execute("SELECT ?", []) }
            #expect(throws: MariaDBError.self) { try connection.execute("SELECT 1", [.null]) }
        }
    }

    @Test func aRefusedPasswordIsNotShownInTheError() async throws {
        let error = await #expect(throws: MariaDBError.self) {
            try await connected({ $0.password = "not the secret" }) { _ in }
        }
        #expect(error?.code == 1045)
        #expect(error?.description.contains("not the secret") == false)
    }

    @Test func userAndPasswordAreReadFromTheOptionFile() async throws {
        let scratch = try Scratch()
        let file = try scratch.write(
            "[client]\nuser = \(MariaDBServer.user)\npassword = \"\(MariaDBServer.password)\"\n", to: "my.cnf")
        let change: @Sendable (inout ConnectionOptions) -> Void = {
            ($0.user, $0.password, $0.optionFile) = (nil, nil, file)
        }
        let user = try await connected(change) { try $0.execute("SELECT CURRENT_USER()").rows }
        #expect(user == [[.text("clairo@%")]])
    }

    @Test func aConfiguredUnixSocketIsUsed() async throws {
        let socket = try await MariaDBServer.shared.socket
        let host = try await connected({ ($0.host, $0.port, $0.socket) = (nil, nil, socket) }) { connection in
            try connection.execute("SELECT USER()").rows
        }
        #expect(host == [[.text("clairo@localhost")]])
    }

    @Test func aLostConnectionIsAnErrorAndNotReestablished() async throws {
        let server = try await MariaDBServer.shared
        let number = Mailbox()
        async let result: Void = connected({ $0.readTimeout = 0 }) { connection in
            let rows = try connection.execute("SELECT CONNECTION_ID()").rows
            number.put("\(rows)")
            for _ in 0..<2 {
                let error = #expect(throws: MariaDBError.self) { try connection.execute("DO SLEEP(3000)") }
                #expect([2006, 2013, 1927, 1317].contains(error?.code))
            }
        }
        let id = try #require(await number.take().firstMatch(of: /[0-9]+/)?.output)
        try await server.run("KILL \(id)")
        try await result
    }

    @Test(arguments: [ConnectionOptions.TLSMode.required, .verifyCA, .verifyIdentity])
    func aServerWithoutTLSIsRefusedIfTLSIsRequired(mode: ConnectionOptions.TLSMode) async throws {
        let error = await #expect(throws: MariaDBError.self) { try await connected({ $0.tls = mode }) { _ in } }
        #expect(error?.code == 2026)
        #expect(try await connected({ $0.tls = .preferred }) { $0.isEncrypted } == false)
        #expect(try await connected({ $0.tls = .disabled }) { $0.isEncrypted } == false)
    }
}

/// Passes one text from a thread to a task.
private final class Mailbox: Sendable {
    private let stream: AsyncStream<String>
    private let continuation: AsyncStream<String>.Continuation
    init() { (stream, continuation) = AsyncStream.makeStream() }
    func put(_ text: String) { continuation.yield(text) }
    func take() async -> String {
        var iterator = stream.makeAsyncIterator()
        return await iterator.next() ?? ""
    }
}
