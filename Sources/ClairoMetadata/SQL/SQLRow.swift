internal import ClairoCore
internal import Foundation

/// A row of a result, read by column names.
struct SQLRow: Sendable {
    /// The index of each column by its name, shared by all rows of a result.
    let columns: [String: Int]
    let values: [SQLValue]
    /// The table of the row, for messages.
    private var table = ""
    /// Is before the names of the columns to read.
    private var prefix = ""
    /// Called for a document that cannot be read, which then counts as missing. If nil, reading it throws.
    private var report: (@Sendable (ClairoError) -> Void)?

    init(columns: [String: Int], values: [SQLValue]) {
        self.columns = columns
        self.values = values
    }

    /// The columns of a row of `table`. Their names in the result may have a prefix.
    func of(_ table: String) -> SQLRow {
        var row = self
        row.table = table
        return row
    }

    /// The columns with this prefix, by their names without it.
    func prefixed(_ prefix: String) -> SQLRow {
        var row = self
        row.prefix = prefix
        return row
    }

    /// The row, of which documents that cannot be read count as missing and are reported.
    func reporting(to report: @escaping @Sendable (ClairoError) -> Void) -> SQLRow {
        var row = self
        row.report = report
        return row
    }

    /// The rows of a driver's result. If columns have the same name, the first is used.
    static func rows<Value>(
        _ rows: [[Value]], columns: [String], value: (Value) throws -> SQLValue
    ) throws -> [SQLRow] {
        let columns = Dictionary(columns.enumerated().map { ($1, $0) }) { first, _ in first }
        return try rows.map { SQLRow(columns: columns, values: try $0.map(value)) }
    }

    subscript(column: String) -> SQLValue {
        get throws(ClairoError) {
            guard let index = columns[prefix + column] else {
                throw .defect("The database's result has no column \(column)")
            }
            return values[index]
        }
    }

    func optionalText(_ column: String) throws(ClairoError) -> String? {
        switch try self[column] {
        case .null: nil
        case .text(let value): value
        case .integer(let value): String(value)
        }
    }

    func text(_ column: String) throws(ClairoError) -> String { try required(column, try optionalText(column)) }

    func optionalInteger(_ column: String) throws(ClairoError) -> Int64? {
        switch try self[column] {
        case .null: nil
        case .integer(let value): value
        case .text(let value): try required(column, Int64(value))
        }
    }

    func integer(_ column: String) throws(ClairoError) -> Int64 { try required(column, try optionalInteger(column)) }

    func int(_ column: String) throws(ClairoError) -> Int { Int(try integer(column)) }

    func optionalTimestamp(_ column: String) throws(ClairoError) -> Timestamp? {
        try optionalInteger(column).map { Timestamp(microseconds: $0) }
    }

    func timestamp(_ column: String) throws(ClairoError) -> Timestamp {
        Timestamp(microseconds: try integer(column))
    }

    func optionalID<Tag>(_ column: String) throws(ClairoError) -> Identifier<Tag>? {
        guard let text = try optionalText(column) else { return nil }
        return try required(column, Identifier(text))
    }

    func id<Tag>(_ column: String) throws(ClairoError) -> Identifier<Tag> {
        try required(column, try optionalID(column))
    }

    func word<Word: RawRepresentable<String>>(_ column: String) throws(ClairoError) -> Word {
        try required(column, try optionalWord(column))
    }

    func optionalWord<Word: RawRepresentable<String>>(_ column: String) throws(ClairoError) -> Word? {
        guard let text = try optionalText(column) else { return nil }
        return try required(column, Word(rawValue: text))
    }

    func taskKind() throws(ClairoError) -> WorkTask.Kind {
        try required("kind", WorkTask.Kind(storedName: try text("kind")))
    }

    func priority(_ column: String = "priority") throws(ClairoError) -> Priority {
        try required(column, Priority(rank: try int(column)))
    }

    func optionalJSON<Document: Decodable>(_ column: String) throws(ClairoError) -> Document? {
        guard let text = try optionalText(column) else { return nil }
        do {
            return try JSONDecoder().decode(Document.self, from: Data(text.utf8))
        } catch {
            let error = invalid(column, "cannot be read as \(Document.self)")
            guard let report else { throw error }
            report(error)
            return nil
        }
    }

    /// - Parameter substitute: Takes the place of a document that cannot be read, if that is reported.
    func json<Document: Decodable>(_ column: String, or substitute: Document) throws(ClairoError) -> Document {
        let document: Document? = try optionalJSON(column)
        return try required(column, report == nil ? document : document ?? substitute)
    }

    func base64(_ column: String) throws(ClairoError) -> Data {
        try required(column, Data(base64Encoded: try text(column)))
    }

    private func required<Value>(_ column: String, _ value: Value?) throws(ClairoError) -> Value {
        guard let value else { throw invalid(column, "has an invalid value") }
        return value
    }

    private func invalid(_ column: String, _ reason: String) -> ClairoError {
        let id = ["id", "sequence"].lazy.compactMap { columns[prefix + $0] }.first.map { values[$0] }
        let place =
            switch id {
            case .text(let id): " of the row \(id)"
            case .integer(let id): " of the row \(id)"
            case .null, nil: ""
            }
        return ClairoError(
            kind: .defect, exitCode: .software,
            "The column \(column)\(place) in the table \(table.isEmpty ? "of a query" : table) \(reason)",
            advice: "Another version of Clairo or somebody by hand may have written it. Correct it, or delete the row.")
    }
}
