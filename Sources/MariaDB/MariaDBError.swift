internal import CMariaDB

/// An error reported by the server or the client library. It contains no bound values.
public struct MariaDBError: Error, Hashable, Sendable {
    /// `ER_…` of mysqld_error.h from the server, or `CR_…` (2000 and up) of errmsg.h from the client library.
    public let code: UInt32
    /// The five-character SQLSTATE, such as `40001` for a deadlock.
    public let sqlState: String
    /// The message of the server or of the library.
    public let message: String

    public init(code: UInt32, sqlState: String, message: String) {
        self.code = code
        self.sqlState = sqlState
        self.message = message
    }

    init(_ mysql: UnsafeMutablePointer<MYSQL>) {
        self.init(
            code: mysql_errno(mysql), sqlState: String(cString: mysql_sqlstate(mysql)),
            message: String(cString: mysql_error(mysql)))
    }

    init(_ statement: UnsafeMutablePointer<MYSQL_STMT>) {
        self.init(
            code: mysql_stmt_errno(statement), sqlState: String(cString: mysql_stmt_sqlstate(statement)),
            message: Self.withoutValues(String(cString: mysql_stmt_error(statement))))
    }

    static let outOfMemory = MariaDBError(
        code: UInt32(CR_OUT_OF_MEMORY), sqlState: "HY001", message: "The client ran out of memory")

    /// Removes values from messages such as `Duplicate entry '…' for key 'PRIMARY'` and `Incorrect string value: '…'
    /// for column …`. A value may itself contain quotes.
    static func withoutValues(_ message: String) -> String {
        guard let open = message.firstIndex(of: "'"),
            let close = message.range(of: "' for ", in: message.index(after: open)..<message.endIndex)
        else { return message }
        return message[...open] + "…" + message[close.lowerBound...]
    }
}

extension MariaDBError: CustomStringConvertible {
    public var description: String { "\(message) (\(code), SQLSTATE \(sqlState))" }
}

extension String {
    /// The last occurrence of `text` in `bounds`.
    fileprivate func range(of text: String, in bounds: Range<Index>) -> Range<Index>? {
        self[bounds].ranges(of: text).last
    }
}
