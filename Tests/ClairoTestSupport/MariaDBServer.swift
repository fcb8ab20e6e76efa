internal import Dispatch
internal import Foundation
internal import Glibc
internal import Synchronization

/// A MariaDB server on the loopback address with a folder and a port of its own.
///
/// Most tests take a database of their own on the `shared` one, which starts with the first of them and ends with the process.
public final class MariaDBServer: Sendable {
    public static let user = "clairo"
    public static let password = "p@ss: w/rd#1"

    public let port: UInt16
    public let socket: String
    private let folder: String
    private let arguments: [String]
    private let process = Mutex<ChildProcess?>(nil)
    private let databases = Mutex(0)
    /// Holds while the server runs.
    private let ended = DispatchGroup()

    public struct CannotStart: Error, CustomStringConvertible {
        public var description: String
    }

    /// Whether the server's programs are there.
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

    /// - Parameter options: further options of `mariadbd`.
    public init(folder: String, options: [String] = []) async throws {
        self.folder = folder
        // A path to a socket has room for 107 bytes.
        socket = "/tmp/clairo-\(getpid())-\(UUID().uuidString.prefix(8)).sock"
        // A server that starts removes the temporary tables that it finds, also those of another server in the same place.
        let temporary = folder + "/tmp"
        try FileManager.default.createDirectory(atPath: temporary, withIntermediateDirectories: true)
        let asRoot = getuid() == 0 ? ["--user=root"] : []
        let install = try ChildProcess(
            "mariadb-install-db",
            ["--no-defaults", "--datadir=\(folder)/data", "--auth-root-authentication-method=normal", "--skip-test-db"]
                + asRoot, environment: ["TMPDIR": temporary])
        let outcome = try await install.outcome()
        guard outcome.status == 0 else { throw CannotStart(description: "mariadb-install-db: \(outcome)") }
        // As late as can be: others are looking for free ports too.
        port = try Self.freePort()
        // Flushed to the system with each commit, though not to the disk: that outlives a kill -9 of the server.
        arguments =
            [
                "--no-defaults", "--datadir=\(folder)/data", "--tmpdir=\(temporary)", "--socket=\(socket)",
                "--port=\(port)",
                // All tests of a run share the server, and at its beginning hundreds are at work.
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

    /// Ends the server at once, as a crash would.
    public func kill() {
        process.withLock { $0 }?.send(SIGKILL)
        unlink(socket)
    }

    /// Ends the server and waits for that.
    public func stop() {
        kill()
        process.withLock { $0 = nil }
        ended.wait()
    }

    /// Starts it again on the same port, after `kill` or instead of it.
    public func restart() async throws {
        let old = process.withLock { $0 }
        kill()
        _ = try await old?.outcome()
        try await start()
    }

    /// Makes an empty database.
    /// - Returns: its name and its URL, with the password in it.
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

    /// What the server's own client prints for `sql`, as root: rows as lines, columns between tabs.
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

    /// On a thread that lives as long as the server: the signal that ends the server with us is sent when the thread that
    /// started it ends (prctl(2), PR_SET_PDEATHSIG).
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
