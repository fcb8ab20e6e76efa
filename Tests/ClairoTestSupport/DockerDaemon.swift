internal import Foundation
internal import Glibc
internal import Synchronization

/// A real Docker daemon with its own folders, socket and containerd, without network. Needs root and Debian's
/// docker.io.
///
/// Tests share one daemon, started on first use and stopped with the process.
public struct DockerDaemon: Sendable {
    /// What is missing to run a daemon, or nil.
    public static let lacking: String? = {
        guard getuid() == 0 else { return "root" }
        return ["dockerd", "containerd", "runc", "docker"].first { TestTools.path(of: $0) == nil }
    }()

    public static var isPossible: Bool { lacking == nil }

    /// Debian's docker builds images without a plugin. A newer one may precede it in the path.
    private static let cli = access("/usr/bin/docker", X_OK) == 0 ? "/usr/bin/docker" : "docker"

    public struct Failed: Error, CustomStringConvertible {
        public var description: String
    }

    /// The path of the socket.
    public let path: String
    private let folder: String
    private let service: ServiceProcess

    public var url: String { "unix://\(path)" }

    private static let starting = Task {
        removeLeftovers()
        return try await start(folder: "/tmp/clairo-docker-\(getpid())")
    }

    public static var shared: DockerDaemon { get async throws { try await starting.value } }

    /// Starts a daemon.
    /// - Parameters:
    ///   - folder: A folder with a short name, because it contains sockets.
    ///   - data: The folder of images and containers (default: within `folder`).
    public static func start(folder: String, data: String? = nil) async throws -> DockerDaemon {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let path = "\(folder)/docker.sock"
        // Not killed at once, so that it can remove its mounts.
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

    /// Stops the daemon and waits until it has ended.
    public func stop() async {
        service.process.send(SIGTERM)
        _ = try? await service.process.outcome()
    }

    /// Removes folders of test processes that were killed.
    private static func removeLeftovers() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/tmp")) ?? [] {
            guard name.hasPrefix("clairo-docker-"), let owner = name.split(separator: "-").last.flatMap({ pid_t($0) }),
                Glibc.kill(owner, 0) != 0
            else { continue }
            try? FileManager.default.removeItem(atPath: "/tmp/\(name)")
        }
    }

    // MARK: Use

    /// Calls docker(1).
    public func docker(
        _ arguments: [String], environment: [String: String] = [:], deadline: Duration = .seconds(600)
    ) async throws -> ChildProcess.Outcome {
        try await ChildProcess(
            Self.cli, ["--host", url] + arguments,
            environment: ["DOCKER_CONFIG": folder].merging(environment) { $1 }, deadline: deadline
        ).outcome()
    }

    /// Calls docker(1) and expects success.
    /// - Returns: Its output.
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

    /// An image with only the built binary and its libraries, in the shared daemon.
    public static var image: String { get async throws { try await making.value } }

    /// The same with the program that misbehaves in the place of `clairo`.
    public static var misbehavingImage: String { get async throws { try await makingMisbehaving.value } }

    private static let making = Task { try await make("clairo-under-test", of: ClairoProcess.path) }
    private static let makingMisbehaving = Task { try await make("clairo-misbehaving", of: ClairoProcess.misbehaving) }

    private static func make(_ name: String, of binary: String) async throws -> String {
        let content = Scratch.root + "/" + name
        try FileManager.default.createDirectory(atPath: content + "/etc", withIntermediateDirectories: true)
        // A file that a task must not be able to read.
        try Data("root:secret:19000:0:99999:7:::\n".utf8).write(to: URL(fileURLWithPath: content + "/etc/shadow"))
        chmod(content + "/etc/shadow", 0o600)
        let script = """
            set -e
            # The program loads FFmpeg's libraries when it uses them.
            loaded=$(for name in $(grep -aoE 'libav[a-z]+[.]so[.][0-9]+' "$1" | sort -u); do
                ldconfig -p | grep -o "/[^ ]*/$name$"
            done)
            # shellcheck disable=SC2086
            libraries=$({ ldd "$1" && [ -z "$loaded" ] || ldd $loaded; } | grep -o '/[^ :]*' | sort -u)
            tar -C "$2" -cf "$2.tar" .
            # shellcheck disable=SC2086
            tar -C / -rhPf "$2.tar" --transform "s|^$1\\$|/usr/local/bin/clairo|" $libraries "$1"
            exec "$3" --host "$4" import --change 'ENTRYPOINT ["/usr/local/bin/clairo"]' --change 'VOLUME /var/lib/clairo' "$2.tar" "$5"
            """
        let outcome = try await ChildProcess(
            "sh", ["-c", script, "image", binary, content, cli, try await shared.url, name],
            environment: ["DOCKER_CONFIG": content]
        ).outcome()
        guard outcome.status == 0 else { throw Failed(description: "the image was not made: \(outcome)") }
        unlink(content + ".tar")
        return name
    }
}
