internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization

/// A MariaDB server on the loopback address with its own folder and port.
///
/// Most tests create a database on the `shared` server, which starts on first use and ends with the process.
public final class MariaDBServer: Sendable {
    public static let user = "clairo"
    public static let password = "p@ss: w/rd#1"

    public let port: UInt16
    public let socket: String
    private let folder: String
    private let arguments: [String]
    private let process = Mutex<ChildProcess?>(nil)
    private let databases = Mutex(0)
    /// Entered while the server runs.
    private let ended = DispatchGroup()

    public struct CannotStart: Error, CustomStringConvertible {
        public var description: String
    }

    /// Whether the server's programs are installed.
    public static let isInstalled =
        ["/usr/sbin/mariadbd", "/usr/bin/mariadb-install-db", "/usr/bin/mariadb"]
        .allSatisfy { (path: String) in access(path, X_OK) == 0 }

    private static let starting = Task {
        let server = try await MariaDBServer(folder: Scratch.root + "/mariadb")
        running.withLock { $0 = server }
        atexit { MariaDBServer.running.withLock { $0 }?.stop() }
        return server
    }
    private static let running = Mutex<MariaDBServer?>(nil)

    public static var shared: MariaDBServer { get async throws { try await starting.value } }

    /// - Parameter options: Additional options of `mariadbd`.
    public init(folder: String, options: [String] = []) async throws {
        self.folder = folder
        // A socket path is limited to 107 bytes.
        socket = "/tmp/clairo-\(getpid())-\(UUID().uuidString.prefix(8)).sock"
        // A starting server removes existing temporary tables, even those of another server that uses the same folder.
        let temporary = folder + "/tmp"
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        let asRoot = getuid() == 0 ? ["--user=root"] : []
        let install = try ChildProcess(
            "mariadb-install-db",
            ["--no-defaults", "--datadir=\(folder)/data", "--auth-root-authentication-method=normal", "--skip-test-db"]
                + asRoot, environment: ["TMPDIR": temporary])
        let outcome = try await install.outcome()
        guard outcome.status == 0 else { throw CannotStart(description: "mariadb-install-db: \(outcome)") }
        // As late as possible, because other tests also look for free ports.
        port = try Self.freePort()
        // Each commit reaches the operating system, though not the disk. That survives a kill -9 of the server.
        arguments =
            [
                "--no-defaults", "--datadir=\(folder)/data", "--tmpdir=\(temporary)", "--socket=\(socket)",
                "--port=\(port)",
                // All tests share this server, hundreds of them at the start.
                "--max-connections=2000", "--connect-timeout=600", "--net-read-timeout=600", "--net-write-timeout=600",
                "--bind-address=127.0.0.1", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=2",
                "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=32M", "--performance-schema=OFF",
            ] + options + asRoot
        try await start()
        try await run(
            """
            DROP USER IF EXISTS ''@'localhost'; DROP USER IF EXISTS ''@'\(ProcessInfo.processInfo.hostName)';
            CREATE USER '\(Self.user)'@'%' IDENTIFIED BY '\(Self.password)';
            GRANT ALL ON `test\\_%`.* TO '\(Self.user)'@'%';
            """)
    }

    /// Kills the server, as in a crash.
    public func kill() {
        process.withLock { $0 }?.send(SIGKILL)
        unlink(socket)
    }

    /// Stops the server and waits until it has ended.
    public func stop() {
        kill()
        process.withLock { $0 = nil }
        ended.wait()
    }

    /// Starts the server again on the same port.
    public func restart() async throws {
        let old = process.withLock { $0 }
        kill()
        _ = try await old?.outcome()
        try await start()
    }

    /// Creates an empty database.
    /// - Returns: Its name and its URL, including the password.
    public func makeDatabase() async throws -> (name: String, url: String) {
        let name = "test_\(databases.withLock { $0 += 1; return $0 })"
        try await run("CREATE DATABASE \(name) CHARACTER SET utf8mb4")
        return (name, url(name))
    }

    public func url(_ database: String, user: String = user, password: String? = password, host: String = "127.0.0.1")
        -> String
    {
        let password = password.map {
            ":" + ($0.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? "")
        }
        return "mysql://\(user)\(password ?? "")@\(host):\(port)/\(database)"
    }

    /// Runs `sql` as root with the server's own client. Returns rows as lines with tab-separated columns.
    @discardableResult
    public func run(_ sql: String, in database: String = "mysql") async throws -> String {
        let client = try ChildProcess(
            "mariadb",
            [
                "--no-defaults", "--socket=\(socket)", "--user=root", "--batch", "--skip-column-names",
                "--default-character-set=utf8mb4", "--execute=\(sql)", database,
            ])
        let outcome = try await client.outcome()
        guard outcome.status == 0 else { throw CannotStart(description: "mariadb: \(outcome)") }
        return outcome.text
    }

    /// Runs on a thread that lives as long as the server, because PR_SET_PDEATHSIG (prctl(2)) kills the server when the
    /// thread that started it ends.
    private func start() async throws {
        let child: ChildProcess = try await withCheckedThrowingContinuation { continuation in
            let thread = Thread { [arguments, ended] in
                do {
                    let child = try ChildProcess(
                        "setpriv", ["--pdeathsig", "KILL", "/usr/sbin/mariadbd"] + arguments, deadline: .seconds(3600))
                    ended.enter()
                    let over = DispatchSemaphore(value: 0)
                    Task {
                        _ = try? await child.outcome()
                        over.signal()
                    }
                    continuation.resume(returning: child)
                    over.wait()
                    ended.leave()
                } catch { continuation.resume(throwing: error) }
            }
            thread.start()
        }
        process.withLock { $0 = child }
        if await child.line(on: .messages, where: { $0.contains("ready for connections") }) == nil {
            throw CannotStart(description: "mariadbd: \(try await child.outcome())")
        }
    }

    private static func freePort() throws -> UInt16 {
        let descriptor = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { generic in
                [bind(descriptor, generic, length), getsockname(descriptor, generic, &length)].min() ?? -1
            }
        }
        guard result == 0 else { throw CannotStart(description: "no free port: \(errno)") }
        return UInt16(bigEndian: address.sin_port)
    }
}
