internal import ClairoCore
internal import Foundation

/// A value that is passed to a statement or returned by one.
enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case text(String)

    init(_ value: Int) { self = .integer(Int64(value)) }

    init(_ value: Int64?) { self = value.map(SQLValue.integer) ?? .null }

    /// Text. NUL, which would end SQLite's text, is replaced by U+FFFD.
    init(_ value: String?) {
        guard let value else {
            self = .null
            return
        }
        self = .text(value.utf8.contains(0) ? value.replacing("\0", with: "\u{FFFD}") : value)
    }

    init(_ value: Timestamp?) { self.init(value?.microseconds) }

    init<Tag>(_ value: Identifier<Tag>?) { self.init(value?.rawValue) }

    init(_ value: some RawRepresentable<String>) { self.init(value.rawValue) }

    init(_ value: Priority) { self.init(value.rank) }

    /// A document encoded as JSON.
    static func json(_ value: (some Encodable)?) throws -> SQLValue {
        try value.map { .text(String(decoding: try JSON.encode($0, pretty: false), as: UTF8.self)) } ?? .null
    }
}
