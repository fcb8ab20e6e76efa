internal import CMariaDB

/// Initializes the client library for the process and for each thread.
public enum ClientThread {
    private static let library: Bool = mysql_server_init(0, nil, nil) == 0

    /// Runs `body` on the current thread, which is initialized for the library until `body` returns. Open, use and
    /// release a connection within one such call. Source:
    /// https://mariadb.com/kb/en/mysql_thread_init/
    public static func run<R>(_ body: () throws -> R) rethrows -> R {
        _ = library
        mysql_thread_init()
        defer { mysql_thread_end() }
        return try body()
    }
}
