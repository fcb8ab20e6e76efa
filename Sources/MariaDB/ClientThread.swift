internal import CMariaDB

/// The library's own bookkeeping: once for the process, and for each thread that uses it.
public enum ClientThread {
    private static let library: Bool = mysql_server_init(0, nil, nil) == 0

    /// Runs `body` on a thread that the library knows; each connection lives within one such call.
    /// Source: https://mariadb.com/kb/en/mysql_thread_init/
    public static func run<R>(_ body: () throws -> R) rethrows -> R {
        _ = library
        mysql_thread_init()
        defer { mysql_thread_end() }
        return try body()
    }

    /// The version of the client library, such as `3.3.20`.
    public static var libraryVersion: String { String(cString: mysql_get_client_info()) }
}
