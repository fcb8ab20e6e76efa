/// Where the engines differ: DDL, and how a row is locked that somebody else may be locking.
struct SQLDialect: Sendable {
    /// After a `SELECT`: locks the rows until the transaction ends. Empty for SQLite, which has one writer at a time.
    var lock: String
    /// After `SELECT … LIMIT n`: locks the rows and leaves out those that another transaction has locked.
    var skipLocked: String
    /// After a table's name, before and after an index's name: makes the engine go by that index, whatever it estimates.
    private var useIndex: (String, String)
    /// A UUID.
    var id: String
    /// One of our own words, a digest, a name in ASCII.
    var word: String
    /// A name by which rows are found, up to 500 characters of any script.
    var name: String
    /// Text of any length.
    var text: String
    /// 64 bits.
    var integer: String
    /// A primary key that grows with each row.
    var sequence: String
    /// What follows the columns of a table.
    var tableOptions: String
    /// Whether a table's indexes stand among its columns, so that both come to be at once.
    var hasIndexesInTable: Bool

    func using(_ index: String) -> String { useIndex.0 + index + useIndex.1 }

    static let sqlite = SQLDialect(
        lock: "", skipLocked: "", useIndex: ("INDEXED BY ", ""), id: "TEXT", word: "TEXT", name: "TEXT", text: "TEXT",
        integer: "INTEGER",
        sequence: "INTEGER PRIMARY KEY AUTOINCREMENT", tableOptions: "STRICT", hasIndexesInTable: false)

    /// Binary collations, because ids, keys and digests are compared byte by byte, as SQLite does.
    static let mysql = SQLDialect(
        lock: "FOR UPDATE", skipLocked: "FOR UPDATE SKIP LOCKED", useIndex: ("FORCE INDEX (", ")"),
        id: "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin",
        word: "VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin", name: "VARCHAR(500)", text: "LONGTEXT",
        integer: "BIGINT", sequence: "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY",
        tableOptions: "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC",
        hasIndexesInTable: true)
}

/// A table as a migration makes it.
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

    /// Statements that may be run again after a crash between them.
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
