/// The differences between the engines: DDL, row locks and index hints.
struct SQLDialect: Sendable {
    /// The clause after a `SELECT` that locks its rows until the end of the transaction. Empty for SQLite, which has a
    /// single writer.
    var lock: String
    /// The text before and after an index's name in the hint that follows a table's name and forces the engine to use
    /// the index.
    private var useIndex: (String, String)
    /// The hint after a table's name to look rows up by their primary key. In a small table, MySQL's optimizer would
    /// rather read every row, and would wait for those that others have locked.
    var byPrimaryKey: String
    /// The clause after the values of an `INSERT` that skips rows whose `id` exists.
    var skippingKnownID: String
    /// Whether a `DELETE` names its table twice, as it must to accept an index hint.
    private var namesTableOfDelete: Bool
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
    /// How a generated column that is added to a table is kept. SQLite cannot add one that is stored; its indexes store
    /// the values.
    var addedGenerated: String
    /// The options after the columns of a table.
    var tableOptions: String
    /// Whether indexes are part of the table definition, so that both are created atomically.
    var hasIndexesInTable: Bool
    /// Whether the engine has a clock that all processes share.
    var hasClock: Bool

    func using(_ index: String) -> String { useIndex.0 + index + useIndex.1 }

    /// The start of a statement that deletes rows by their primary key, up to its `WHERE`.
    func delete(from table: String) -> String {
        namesTableOfDelete ? "DELETE \(table) FROM \(table) \(byPrimaryKey)" : "DELETE FROM \(table)"
    }

    func drop(index: String, of table: String) -> String {
        hasIndexesInTable ? "DROP INDEX \(index) ON \(table)" : "DROP INDEX \(index)"
    }

    static let sqlite = SQLDialect(
        lock: "", useIndex: ("INDEXED BY ", ""), byPrimaryKey: "", skippingKnownID: "ON CONFLICT (id) DO NOTHING",
        namesTableOfDelete: false, id: "TEXT", word: "TEXT", name: "TEXT", text: "TEXT", integer: "INTEGER",
        sequence: "INTEGER PRIMARY KEY AUTOINCREMENT", addedGenerated: "VIRTUAL", tableOptions: "STRICT",
        hasIndexesInTable: false, hasClock: false)

    /// The collations are binary, because ids, keys and digests are compared byte by byte, as in SQLite.
    static let mysql = SQLDialect(
        lock: "FOR UPDATE", useIndex: ("FORCE INDEX (", ")"), byPrimaryKey: "FORCE INDEX (PRIMARY)",
        skippingKnownID: "ON DUPLICATE KEY UPDATE id = id", namesTableOfDelete: true,
        id: "CHAR(36) CHARACTER SET ascii COLLATE ascii_bin",
        word: "VARCHAR(249) CHARACTER SET ascii COLLATE ascii_bin", name: "VARCHAR(500)", text: "LONGTEXT",
        integer: "BIGINT", sequence: "BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY", addedGenerated: "STORED",
        tableOptions: "ENGINE=InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin ROW_FORMAT=DYNAMIC",
        hasIndexesInTable: true, hasClock: true)
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
