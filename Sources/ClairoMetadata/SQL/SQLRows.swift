internal import ClairoCore

/// The values of a row by column.
typealias SQLColumns = KeyValuePairs<String, SQLValue>

/// Statements about several rows. Their texts come in a few lengths only, because each text is prepared once per
/// connection.
enum SQLRows {
    /// Up to this many rows, each number has its own statement.
    private static let few = 8
    private static let most = 128
    /// The maximum number of bytes of a statement's values, below the server's `max_allowed_packet` (16 MiB).
    private static let bytes = 1 << 20

    /// Splits rows into groups for one statement each.
    static func groups(_ rows: [SQLColumns]) -> [ArraySlice<SQLColumns>] {
        var groups: [ArraySlice<SQLColumns>] = []
        var rest = rows[...]
        while !rest.isEmpty {
            var count = rest.count
            if count > few {
                count = few
                while count * 2 <= min(rest.count, most) { count *= 2 }
            }
            let size = fitting(rest.prefix(count))
            groups.append(rest.prefix(size))
            rest = rest.dropFirst(size)
        }
        return groups
    }

    /// The number of rows that fit into a statement; at least one.
    private static func fitting(_ rows: ArraySlice<SQLColumns>) -> Int {
        var sum = 0
        for (count, row) in rows.enumerated() {
            sum += row.reduce(0) { $0 + $1.value.size }
            if sum > bytes, count > 0 { return count }
        }
        return rows.count
    }

    static func insertion(into table: String, _ rows: ArraySlice<SQLColumns>) -> (sql: String, values: [SQLValue]) {
        let columns = rows.first?.map(\.key) ?? []
        let places = "(" + columns.map { _ in "?" }.joined(separator: ", ") + ")"
        let all = Array(repeating: places, count: rows.count).joined(separator: ", ")
        return (
            "INSERT INTO \(table) (\(columns.joined(separator: ", "))) VALUES \(all)", rows.flatMap { $0.map(\.value) }
        )
    }

    /// The places and the values of `IN (…)`. The last value is repeated up to the next power of two.
    static func list(_ values: [SQLValue]) -> (places: String, values: [SQLValue]) {
        guard let last = values.last else { return ("NULL", []) }
        var count = 1
        while count < values.count { count *= 2 }
        return (
            Array(repeating: "?", count: count).joined(separator: ", "),
            values + Array(repeating: last, count: count - values.count)
        )
    }
}

extension SQLValue {
    fileprivate var size: Int { if case .text(let text) = self { text.utf8.count } else { 8 } }
}

extension SQLConnection {
    /// Inserts one row; see `insert(_:_:)`.
    func insert(into table: String, _ row: SQLColumns) throws -> Bool { try insert(into: table, [row]) }

    /// Inserts rows with the same columns, in order.
    /// - Returns: False if a row with the same primary or unique key exists. Then not all rows are inserted.
    func insert(into table: String, _ rows: [SQLColumns]) throws -> Bool {
        for group in SQLRows.groups(rows) {
            let (sql, values) = SQLRows.insertion(into: table, group)
            guard try insert(sql, values) else { return false }
        }
        return true
    }

    /// The same, but skips rows whose `id` exists.
    func insertNew(into table: String, _ rows: [SQLColumns]) throws {
        for group in SQLRows.groups(rows) {
            let (sql, values) = SQLRows.insertion(into: table, group)
            try execute("\(sql) \(dialect.skippingKnownID)", values)
        }
    }
}
