internal import ClairoCore
internal import MariaDB

/// Classifies MySQL errors. The numbers are those of mysqld_error.h and errmsg.h.
enum MySQLFailure {
    /// How to recover.
    enum Cure {
        /// The server rolled back the transaction in favour of another. Retry it.
        case runAgain
        /// The connection is unusable. Reconnect and retry the transaction.
        case reconnect
        case none
    }

    /// Returns how to recover from an error.
    ///
    /// - Retry: 1205 lock wait timeout, 1213 deadlock, 1020 record changed, 1615 statement must be prepared again.
    /// - Reconnect: 1040 and 1203 too many connections, 1047 node not ready, 1053 shutdown in progress, 1158…1161
    ///   network error, 1317 interrupted, 1290, 1792 and 1836 read-only (a server that was the primary), 1927 killed,
    ///   4031 idle for too long, 2002 and 2003 cannot connect, 2006, 2013 and 2055 connection lost.
    static func cure(_ error: MariaDBError) -> Cure {
        switch error.code {
        case 1205, 1213, 1020, 1615: .runAgain
        case 1040, 1047, 1203, 1053, 1158...1161, 1290, 1317, 1792, 1836, 1927, 2002, 2003, 2006, 2013, 2055, 4031:
            .reconnect
        default: .none
        }
    }

    static func clairoError(_ error: any Error, name: String) -> ClairoError {
        switch error {
        case let error as ClairoError: error
        case let error as MariaDBError: clairoError(error, name: name)
        case is CancellationError: .cancelled
        default: .defect("The database \(name) failed with an unknown error: \(error)")
        }
    }

    /// An operator can mend what is `refused` while daemons wait: accounts, grants, a read-only server, a missing
    /// database or table, TLS.
    private static func clairoError(_ error: MariaDBError, name: String) -> ClairoError {
        let message = "The database \(name): \(error.message)"
        switch error.code {
        case 2002, 2003, 2005:
            return .unavailable(
                "Cannot reach the database \(name): \(error.message)",
                advice: "Check that it is running, and check the host and port in the setting database.")
        case 1047, 1053, 1158...1161, 1317, 1927, 2006, 2013, 2055, 4031: return .unavailable(message)
        // Denied; the account is locked (3118, 4151) or its password expired (1820, 1862); the host is blocked (1129) or
        // not allowed (1130).
        case 1044, 1045, 1129, 1130, 1142, 1143, 1227, 1370, 1698, 1820, 1862, 3118, 4151:
            return .refused(
                message, advice: "Check the user, its password (CLAIRO_DATABASE_PASSWORD or ~/.my.cnf) and its grants.")
        case 1290, 1792, 1836:
            return .refused(message, advice: "Use the address of the primary server, which is writable.")
        case 1049:
            return .refused(
                message, exitCode: .configuration,
                advice: "Create it with CREATE DATABASE … CHARACTER SET utf8mb4, then run clairo migrate.")
        case 1146: return .refused(message, exitCode: .configuration, advice: "Run clairo migrate.")
        // An unknown column or index, which a newer version has removed while this process was connected.
        case 1054, 1176:
            return .refused(
                message, exitCode: .configuration, advice: "Use the version of Clairo that last migrated the database.")
        case 2026, 2058...2061, 1251:
            return .refused(
                message, exitCode: .configuration,
                advice: "Check ssl-mode and ssl-ca in the setting for the database.")
        case 1040, 1203, 1205, 1213, 1226, 1020, 1615: return .temporary(message)
        // A file could not be written or closed, or the storage engine failed, often because the disk is full.
        case 3, 1026, 1030: return .inputOutput(message, advice: "Check the disk and the log of the server.")
        case 1021, 1114:
            return ClairoError(
                kind: .capacity, exitCode: .inputOutput, message, advice: "Free some space on the server's disk.")
        case 1037, 1038, 1041: return ClairoError(kind: .capacity, exitCode: .temporary, message)
        default: return .defect("\(message) (\(error.code))")
        }
    }
}
