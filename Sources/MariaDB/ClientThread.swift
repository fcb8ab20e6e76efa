internal import CMariaDB

/// Initialization of the client library, per process and per thread.
public enum ClientThread {
    private static let library: Bool = mysql_server_init(0, nil, nil) == 0

    /// Runs `body` on the current thread, initialized for the library. A connection must live within one such call.
    /// Source: https://mariadb.com/kb/en/mysql_thread_init/
    public static func run<R>(_ body: () throws -> R) rethrows -> R {
        _ = library
        mysql_thread_init()
        defer { mysql_thread_end() }
        return try body()
    }
}
