internal import CSQLite

/// An error reported by SQLite. It contains no bound values.
public struct SQLiteError: Error, Hashable, Sendable {
    /// The kinds of errors that callers treat differently. Source: https://www.sqlite.org/rescode.html
    public enum Kind: Sendable, Hashable {
        case busy, locked
        case readOnly, noPermission
        case full, outOfMemory
        case notADatabase, corrupt
        case cannotOpen, inputOutput, noLargeFiles
        /// A row with this primary key or unique key already exists.
        case duplicateKey
        /// Another constraint: NOT NULL, CHECK, a foreign key.
        case constraint
        case misuse
        case other
    }

    /// The extended result code, `SQLITE_…`.
    public let code: Int32
    /// SQLite's message, without a full stop.
    public let message: String

    /// Creates an error from an extended result code and a message.
    public init(code: Int32, message: String) {
        self.code = code
        self.message = message
    }

    init(_ code: Int32, _ database: OpaquePointer?) {
        // SQLite creates no database handle if memory runs out.
        self.init(
            code: database.map(sqlite3_extended_errcode) ?? code,
            message: String(cString: database.map { sqlite3_errmsg($0) } ?? sqlite3_errstr(code)))
    }

    /// The kind of error, from the code.
    public var kind: Kind {
        switch code {
        case 1555, 2067: return .duplicateKey  // SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE
        default: break
        }
        switch code & 0xFF {
        case SQLITE_BUSY: return .busy
        case SQLITE_LOCKED: return .locked
        case SQLITE_READONLY: return .readOnly
        case SQLITE_PERM, SQLITE_AUTH: return .noPermission
        case SQLITE_FULL: return .full
        case SQLITE_NOMEM: return .outOfMemory
        case SQLITE_NOTADB: return .notADatabase
        case SQLITE_CORRUPT: return .corrupt
        case SQLITE_CANTOPEN: return .cannotOpen
        case SQLITE_IOERR: return .inputOutput
        case SQLITE_NOLFS: return .noLargeFiles
        case SQLITE_CONSTRAINT: return .constraint
        case SQLITE_MISUSE: return .misuse
        default: return .other
        }
    }
}

extension SQLiteError: CustomStringConvertible {
    public var description: String { "\(message) (\(code))" }
}
