public import ClairoCore

/// Whether tasks run in a sandbox.
public enum SandboxMode: String, CaseIterable, Sendable {
    /// With the layers that this system supports.
    case auto
    /// With all layers, or not at all.
    case require
    /// Without a sandbox: a child process with resource limits only.
    case off
}

/// A layer of the sandbox. The layers are independent: if one is bypassed, the others still hold.
public enum SandboxLayer: String, Codable, CaseIterable, Sendable {
    /// A user that owns no files or processes, if the parent is root.
    case user
    /// Empty network and System V IPC namespaces, and a separate thread count if user namespaces are allowed.
    case namespaces
    /// No capabilities, no way to gain any, and no inspection by other processes.
    case privileges
    /// No file or folder can be opened. From version 4, no TCP port can be bound or connected. From version 6, abstract
    /// sockets of processes outside cannot be connected, and no signals can be sent to these processes (landlock(7)).
    case landlock
    /// Only the system calls that decoding and encoding need are allowed (seccomp(2)).
    case seccomp
}

/// The sandbox layers of a task's process, as reported by the process.
public struct SandboxReport: Codable, Hashable, Sendable {
    /// A layer that is not active.
    public struct Gap: Codable, Hashable, Sendable {
        /// The layer.
        public var layer: SandboxLayer
        /// The kernel's error, or another reason.
        public var reason: String
    }

    /// The layers that could not be entered.
    public var gaps: [Gap] = []
    /// The kernel's landlock version, which determines its coverage; 0 without landlock.
    public var landlockVersion = 0

    /// Whether every layer is active.
    public var isComplete: Bool { gaps.isEmpty }

    /// The active layers, for display.
    public var layers: String {
        SandboxLayer.allCases.filter { layer in !gaps.contains { $0.layer == layer } }
            .map { $0 == .landlock ? "landlock (\(landlockCoverage))" : $0.rawValue }.joined(separator: ", ")
    }

    /// The landlock version and what it does not cover. The layers namespaces and seccomp cover the rest, so it is not
    /// a gap.
    private var landlockCoverage: String {
        let lacks = [(4, "ports"), (6, "signals"), (6, "abstract sockets")].filter { landlockVersion < $0.0 }.map(\.1)
        let version = "version \(landlockVersion)"
        return lacks.isEmpty
            ? version : "\(version), without \(lacks.joined(separator: ", ")): covered by namespaces and seccomp"
    }

    /// The missing layers with reasons, for display.
    public var missing: String { gaps.map { "\($0.layer.rawValue) (\($0.reason))" }.joined(separator: ", ") }

    /// An error if `mode` does not allow tasks to run with these layers.
    public func refusal(of mode: SandboxMode) -> ClairoError? {
        guard mode == .require, !isComplete else { return nil }
        return .configuration(
            "The sandbox is not complete on this system; missing: \(missing)",
            advice: "Allow these in the kernel and the container, or use --sandbox auto to run with the other layers.")
    }
}
