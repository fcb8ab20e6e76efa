/// The differences between the engines: DDL, row locks and index hints.
struct SQLDialect: Sendable {
    /// The clause after a `SELECT` that locks its rows until the end of the transaction. Empty for SQLite, which has a
    /// single writer.
    var lock: String
    /// The clause after `SELECT … LIMIT n` that locks its rows and skips rows locked by another transaction.
    var skipLocked: String
    /// The text before and after an index's name in the hint that follows a table's name and forces the engine to use
    /// the index.
    private var useIndex: (String, String)
    /// The type of a UUID.
    var id: String
    /// The type of an enum value, a digest or an ASCII name.
    var word: String
    /// The type of an indexed name with up to 500 characters.
    var name: String
    /// The type of text of any length.
    var text: String
    /// A 64-bit integer.
    var integer: String
    /// The type of an auto-incrementing primary key.
    var sequence: String
    /// The options after the columns of a table.
    var tableOptions: String
    /// Whether indexes are part of the table definition, so that both are created atomically.
    var hasIndexesInTable: Bool

    func using(_ index: String) -> String { useIndex.0 + index + useIndex.1 }

    static let sqlite = SQLDialect(
        lock: "", skipLocked: "", useIndex: ("INDEXED BY ", ""), id: "TEXT", word: "TEXT", name: "TEXT", text: "TEXT",
        integer: "INTEGER",
        sequence: "INTEGER PRIMARY KEY AUTOINCREMENT", tableOptions: "STRICT", hasIndexesInTable: false)

    /// The collations are binary, because ids, keys and digests are compared byte by byte, as in SQLite.
    static let mysql = SQLDialect(
        lock: "FOR UPDATE", skipLocked: "FOR UPDATE SKIP LOCKED", useIndex: ("FORCE INDEX (", ")"),
        id: "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin",
        word: "VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin", name: "VARCHAR(500)", text: "LONGTEXT",
        integer: "BIGINT", sequence: "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
        tableOptions: "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC",
        hasIndexesInTable: true)
}

/// A table created by a migration.
struct TableDefinition: Sendable {
    struct Index: Sendable {
        var name: String
        var columns: String
        var isUnique = false
    }

    var name: String
    /// Columns and constraints.
    var parts: [String]
    var indexes: [Index] = []

    /// Idempotent statements, which may be repeated after a crash.
    func statements(_ dialect: SQLDialect) -> [String] {
        func unique(_ index: Index) -> String { index.isUnique ? "UNIQUE " : "" }
        if dialect.hasIndexesInTable {
            let inside = indexes.map { "\(unique($0))INDEX \($0.name) (\($0.columns))" }
            return ["CREATE TABLE IF NOT EXISTS \(name) (\(list(parts + inside))) \(dialect.tableOptions)"]
        }
        return ["CREATE TABLE IF NOT EXISTS \(name) (\(list(parts))) \(dialect.tableOptions)"]
            + indexes.map { "CREATE \(unique($0))INDEX IF NOT EXISTS \($0.name) ON \(name) (\($0.columns))" }
    }

    private func list(_ parts: [String]) -> String { "\n    " + parts.joined(separator: ",\n    ") + "\n" }
}
