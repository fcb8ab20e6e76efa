import ClairoCore
import ClairoExecutors
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

extension DockerExecutor {
    /// An executor on the tests' own daemon, with the built binary in the image.
    /// - Parameters:
    ///   - misbehaviour: What the process does instead of its task.
    ///   - target: The target of the misbehaviour.
    static func underTest(
        in scratch: Scratch, _ misbehaviour: String? = nil, target: String = "",
        limits: DockerLimits = DockerLimits(), sandbox: SandboxMode = .auto, image: String? = nil,
        socket: String? = nil, onKill: @escaping @Sendable (TaskKill) -> Void = { _ in },
        onOrphans: @escaping @Sendable (Int) -> Void = { _ in }
    ) async throws -> DockerExecutor {
        let name: String
        if let image {
            name = image
        } else {
            name = try await misbehaviour == nil ? DockerDaemon.image : DockerDaemon.misbehavingImage
        }
        var limits = limits
        limits.startSeconds = 600
        let url: String
        if let socket { url = socket } else { url = try await DockerDaemon.shared.url }
        return try DockerExecutor(
            Options(
                image: name, socket: url, folder: scratch.path("docker"), limits: limits, sandbox: sandbox,
                arguments: misbehaviour.map { MisbehavingProcess.arguments($0, target: target) } ?? ["run-task"]),
            onKill: onKill, onOrphans: onOrphans)
    }
}

/// The containers of one test.
struct ContainersUnderTest {
    let daemon: DockerDaemon
    private let folder: String

    init(_ scratch: Scratch) async throws {
        daemon = try await DockerDaemon.shared
        folder = scratch.path("docker")
    }

    /// All ids, including exited containers.
    func all() async throws -> [String] {
        guard let id = FileManager.default.contents(atPath: folder + "/id") else { return [] }
        let label = "label=clairo.folder=\(String(decoding: id, as: UTF8.self))"
        return try await daemon.docker("ps", "--all", "--quiet", "--no-trunc", "--filter", label)
            .split(separator: "\n").map(String.init)
    }

    /// Waits for a running container.
    func running() async throws -> String {
        var found: String?
        try await eventually {
            for id in try await all()
            where try await daemon.docker(["inspect", "--format", "{{.State.Running}}", id]).text == "true\n" {
                found = id
            }
            return found != nil
        }
        return found ?? ""
    }
}
