internal import Foundation
internal import Glibc
internal import Synchronization

/// A real Docker daemon with folders, a socket and a containerd of its own, and no network. It needs root, and Debian's docker.io.
///
/// Tests share one, which starts with the first of them and ends with the process.
public struct DockerDaemon: Sendable {
    /// Why there is none here; nil where there can be one.
    public static let lacking: String? = {
        guard getuid() == 0 else { return "root" }
        return ["dockerd", "containerd", "runc", "docker"].first { TestTools.path(of: $0) == nil }
    }()

    public static var isPossible: Bool { lacking == nil }

    /// Debian's own: it builds images without a plugin, and a newer one may be before it in the path.
    private static let cli = access("/usr/bin/docker", X_OK) == 0 ? "/usr/bin/docker" : "docker"

    public struct Failed: Error, CustomStringConvertible {
        public var description: String
    }

    /// Of its socket.
    public let path: String
    private let folder: String
    private let service: ServiceProcess

    public var url: String { "unix://\(path)" }

    private static let starting = Task {
        removeLeftovers()
        return try await start(folder: "/tmp/clairo-docker-\(getpid())")
    }

    public static var shared: DockerDaemon { get async throws { try await starting.value } }

    /// Starts one.
    /// - Parameters:
    ///   - folder: with a short name: sockets lie in it.
    ///   - data: where images and containers are; in `folder` without it.
    public static func start(folder: String, data: String? = nil) async throws -> DockerDaemon {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/docker.sock"
        // Not at once: it unmounts what it has mounted.
        let (service, _) = try await ServiceProcess.start(
            "dockerd",
            [
                "--data-root=\(data ?? folder + "/data")", "--exec-root=\(folder)/exec",
                "--pidfile=\(folder)/pid", "--host=unix://\(path)", "--bridge=none", "--iptables=false",
                "--ip6tables=false", "--shutdown-timeout=2",
            ], name: (folder as NSString).lastPathComponent, isEndedGently: true,
            afterwards: { try? FileManager.default.removeItem(atPath: folder) },
            until: { log in log.contains("API listen on") ? true : nil })
        return DockerDaemon(path: path, folder: folder, service: service)
    }

    /// Ends it and waits for that.
    public func stop() async {
        service.process.send(SIGTERM)
        _ = try? await service.process.outcome()
    }

    /// Folders of test processes that were killed.
    private static func removeLeftovers() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] {
            guard name.hasPrefix("clairo-docker-"), let owner = name.split(separator: "-").last.flatMap({ pid_t($0) }),
                Glibc.kill(owner, 0) != 0
            else { continue }
            try? FileManager.default.removeItem(atPath: "/tmp/\(name)")
        }
    }

    // MARK: Using it

    /// Calls docker(1).
    public func docker(
        _ arguments: [String], environment: [String: String] = [:], deadline: Duration = .seconds(600)
    ) async throws -> ChildProcess.Outcome {
        try await ChildProcess(
            Self.cli, ["--host", url] + arguments,
            environment: ["DOCKER_CONFIG": folder].merging(environment) { $1 }, deadline: deadline
        ).outcome()
    }

    /// The same, of which success is expected.
    /// - Returns: what it printed.
    @discardableResult
    public func docker(
        _ arguments: String..., environment: [String: String] = [:], deadline: Duration = .seconds(600)
    ) async throws -> String {
        let outcome = try await docker(arguments, environment: environment, deadline: deadline)
        guard outcome.status == 0 else {
            throw Failed(description: "docker \(arguments.joined(separator: " ")): \(outcome)")
        }
        return outcome.text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// An image of nothing but the built binary and the libraries that it links to, in the shared daemon.
    public static var image: String { get async throws { try await making.value } }

    private static let making = Task {
        let name = "clairo-under-test"
        let content = Scratch.root + "/image"
        try FileManager.default.createDirectory(atPath: content + "/etc", withIntermediateDirectories: true)
        // For whoever tries to read it.
        try Data("root:secret:19000:0:99999:7:::\n".utf8).write(to: URL(fileURLWithPath: content + "/etc/shadow"))
        chmod(content + "/etc/shadow", 0o600)
        let script = """
            set -e
            libraries=$(ldd "$1" | grep -o '/[^ ]*' | sort -u)
            tar -C "$2" -cf "$2.tar" .
            # shellcheck disable=SC2086
            tar -C / -rhPf "$2.tar" --transform "s|^$1\\$|/usr/local/bin/clairo|" $libraries "$1"
            exec "$3" --host "$4" import --change 'ENTRYPOINT ["/usr/local/bin/clairo"]' --change 'VOLUME /var/lib/clairo' "$2.tar" "$5"
            """
        let outcome = try await ChildProcess(
            "sh", ["-c", script, "image", ClairoProcess.path, content, cli, try await shared.url, name],
            environment: ["DOCKER_CONFIG": content]
        ).outcome()
        guard outcome.status == 0 else { throw Failed(description: "the image was not made: \(outcome)") }
        unlink(content + ".tar")
        return name
    }
}
