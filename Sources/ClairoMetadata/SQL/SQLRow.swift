internal import ClairoCore
internal import Foundation

/// A row of a result, read by column names.
struct SQLRow: Sendable {
    /// The index of each column by its name, shared by all rows of a result.
    let columns: [String: Int]
    let values: [SQLValue]

    /// The rows of a driver's result. If columns have the same name, the first is used.
    static func rows<Value>(
        _ rows: [[Value]], columns: [String], value: (Value) throws -> SQLValue
    ) throws -> [SQLRow] {
        let columns = Dictionary(columns.enumerated().map { ($1, $0) }) { first, _ in first }
        return try rows.map { SQLRow(columns: columns, values: try $0.map(value)) }
    }

    subscript(column: String) -> SQLValue {
        get throws(ClairoError) {
            guard let index = columns[column] else { throw .defect("The database's result has no column \(column)") }
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
        try required(column, Word(rawValue: try text(column)))
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
            throw .defect("The database's column \(column) cannot be decoded as \(Document.self)")
        }
    }

    func json<Document: Decodable>(_ column: String) throws(ClairoError) -> Document {
        try required(column, try optionalJSON(column))
    }

    func base64(_ column: String) throws(ClairoError) -> Data {
        try required(column, Data(base64Encoded: try text(column)))
    }

    private func required<Value>(_ column: String, _ value: Value?) throws(ClairoError) -> Value {
        guard let value else { throw .defect("The database's column \(column) has an invalid value") }
        return value
    }
}
