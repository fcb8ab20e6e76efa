import ClairoTestSupport
import SQLite
import Testing

/// The wrapper with a separate file per test.
@Suite struct ConnectionTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func open(busyMilliseconds: Int32 = 1000) throws -> Connection {
        try Connection(path: scratch.path("test.db"), busyMilliseconds: busyMilliseconds)
    }

    @Test(
        arguments: [
            .null, .integer(.min), .integer(.max), .real(0.1), .text(""), .text("na\u{EF}ve \u{1F3AC}"), .text("a\0b"),
            .bytes([]), .bytes([0, 255]),
        ] as [Value])
    func aBoundValueIsReadBackUnchanged(value: Value) throws {
        let result = try open().query("SELECT ? AS value, 'é' AS name", [value])
        #expect(result.columns == ["value", "name"])
        #expect(result.rows == [[value, .text("é")]])
    }

    @Test func onlyOneStatementIsAcceptedAtATime() throws {
        let connection = try open()
        #expect(throws: SQLiteError.self) { try connection.execute("CREATE TABLE a (x); CREATE TABLE b (x)") }
        #expect(try connection.query("SELECT name FROM sqlite_schema;\n").rows.isEmpty)
    }

    @Test func anUnknownNameIsNotAStringLiteral() throws {
        #expect(throws: SQLiteError.self) { try open().query("SELECT \"missing\"") }
    }

    @Test func aConnectionWithoutCreateNeedsAnExistingFile() throws {
        let error = #expect(throws: SQLiteError.self) {
            try Connection(path: scratch.path("missing.db"), busyMilliseconds: 0, creates: false)
        }
        #expect(error?.kind == .cannotOpen)
    }

    @Test func changesAreCountedAndVisibleToAnotherConnection() throws {
        let connection = try open()
        try connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT)")
        for id in 1...3 {
            #expect(try connection.execute("INSERT INTO t VALUES (?, ?)", [.integer(Int64(id)), .text("n\(id)")]) == 1)
        }
        #expect(try connection.execute("UPDATE t SET name = 'x' WHERE id > ?", [.integer(1)]) == 2)
        let rows = try open().query("SELECT id FROM t WHERE name = ? ORDER BY id", [.text("x")]).rows
        #expect(rows == [[.integer(2)], [.integer(3)]])
    }

    @Test func aPreparedStatementSeesANewSchema() throws {
        let connection = try open()
        try connection.execute("CREATE TABLE t (a)")
        #expect(try connection.query("SELECT * FROM t").columns == ["a"])
        try open().execute("ALTER TABLE t ADD COLUMN b")
        #expect(try connection.query("SELECT * FROM t").columns == ["a", "b"])
    }

    @Test func errorsAreClassifiedAndContainNoValue() throws {
        let connection = try open()
        try connection.execute("CREATE TABLE parent (id TEXT PRIMARY KEY, name TEXT UNIQUE NOT NULL)")
        try connection.execute("CREATE TABLE child (parent TEXT REFERENCES parent (id))")
        try connection.execute("INSERT INTO parent VALUES ('secret', 'secret')")
        func kind(_ sql: String, _ arguments: [Value]) -> SQLiteError.Kind? {
            do {
                try connection.execute(sql, arguments)
                return nil
            } catch {
                #expect(!"\(error)".contains("secret"))
                return error.kind
            }
        }
        #expect(kind("INSERT INTO parent VALUES (?, 'other')", [.text("secret")]) == .duplicateKey)
        #expect(kind("INSERT INTO parent VALUES ('other', ?)", [.text("secret")]) == .duplicateKey)
        #expect(kind("INSERT INTO parent VALUES (?, NULL)", [.text("secret2")]) == .constraint)
        #expect(kind("INSERT INTO child VALUES (?)", [.text("secret2")]) == .constraint)
        #expect(kind("INSERT INTO parent VALUES (?, ?)", [.text("secret2")]) == .misuse)
        #expect(kind("INSERT INTO nowhere VALUES (?)", [.text("secret")]) == .other)
        #expect(kind("", []) == .misuse)
    }

    @Test func waitingForALockIsBounded() throws {
        let holder = try open()
        try holder.execute("CREATE TABLE t (a)")
        try holder.execute("BEGIN EXCLUSIVE")
        #expect(holder.isInTransaction)
        let other = try open(busyMilliseconds: 10)
        let error = #expect(throws: SQLiteError.self) { try other.execute("INSERT INTO t VALUES (1)") }
        #expect(error?.kind == .busy)
        try holder.execute("COMMIT")
        #expect(!holder.isInTransaction)
        #expect(try other.execute("INSERT INTO t VALUES (1)") == 1)
    }

    @Test func refusesAFileThatIsNotADatabase() throws {
        try scratch.write(String(repeating: "no database\n", count: 500), to: "test.db")
        let connection = try open()
        let error = #expect(throws: SQLiteError.self) { try connection.query("SELECT * FROM sqlite_master") }
        #expect(error?.kind == .notADatabase)
        let folder = #expect(throws: SQLiteError.self) {
            try Connection(path: scratch.path("missing/test.db"), busyMilliseconds: 0)
        }
        #expect(folder?.kind == .cannotOpen)
    }
}
