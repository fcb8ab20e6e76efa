internal import ClairoCore
internal import Foundation
internal import SQLite

/// Maps SQLite's errors. Messages contain no bound values.
enum SQLiteFailure {
    static func clairoError(_ error: any Error, path: String) -> ClairoError {
        switch error {
        case let error as ClairoError: error
        case let error as SQLiteError: clairoError(error, path: path)
        default: .inputOutput("Cannot use the database \(path): \(error.localizedDescription)")
        }
    }

    private static func clairoError(_ error: SQLiteError, path: String) -> ClairoError {
        let reason = error.message
        switch error.kind {
        case .busy, .locked:
            return .temporary(
                "The database \(path) is locked by another program",
                advice: "Try again. If it persists, find the program that holds the lock, for example with fuser.")
        case .readOnly, .noPermission:
            return .refused(
                "The database \(path) is not writable", advice: "Check the permissions of the file and its folder.")
        case .full:
            return ClairoError(
                kind: .capacity, exitCode: .inputOutput, "The disk is full; the database \(path) cannot be written",
                advice: "Free some space and try again.")
        case .notADatabase:
            return .refused(
                "\(path) is not an SQLite database", exitCode: .configuration,
                advice: "Check the setting for the database.")
        case .corrupt:
            return .refused(
                "The database \(path) is damaged: \(reason)", exitCode: .inputOutput,
                advice: "Restore it from a backup, or recover the data with sqlite3's .recover.")
        case .cannotOpen:
            return .refused(
                "Cannot open the database \(path): \(reason)", exitCode: .cannotCreate,
                advice: "Check its folder, and whether its disk is full.")
        case .inputOutput, .noLargeFiles:
            return .inputOutput("Cannot read or write the database \(path): \(reason)")
        case .outOfMemory:
            return ClairoError(kind: .capacity, exitCode: .temporary, "Out of memory while using the database \(path)")
        // A table, column or index, of a file that no command has written yet. Programs that only read do not create them.
        case .other where reason.hasPrefix("no such "):
            return .refused(
                "The database \(path) lacks a part of the schema: \(reason)", exitCode: .configuration,
                advice: "Run clairo migrate.")
        case .duplicateKey, .constraint, .misuse, .other:
            return .defect("The database \(path) rejected a statement: \(reason)")
        }
    }

    static func cannotOpen(_ path: String, errno code: Int32) -> ClairoError {
        let message = "Cannot open the database \(path): \(String(cString: strerror(code)))"
        switch code {
        case EACCES, EPERM:
            return .refused(message, advice: "Check the permissions of the file and its folder.")
        case ENOSPC, EDQUOT: return ClairoError(kind: .capacity, exitCode: .inputOutput, message)
        case EROFS:
            return .refused(message, advice: "Move the database to a writable file system, or mount it writable.")
        default: return .cannotCreate(message, advice: "Check the setting database.")
        }
    }
}
