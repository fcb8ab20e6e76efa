public import ClairoCore

/// Whether tasks run behind the kernel's walls.
public enum SandboxMode: String, CaseIterable, Sendable {
    /// Behind those that this system has.
    case auto
    /// Behind all of them, or not at all.
    case require
    /// Behind none: a child process with limits and no more.
    case off
}

/// A wall around a task's process. Each stands by itself: what gets over one is held by the next.
public enum SandboxLayer: String, Codable, CaseIterable, Sendable {
    /// A user without files or processes of its own, where the parent is root.
    case user
    /// Networks and System V IPC of its own, which are empty; where user namespaces are allowed, a count of threads too.
    case namespaces
    /// No capability, no way to get one, and no other process may look into it.
    case privileges
    /// No file or folder can be opened; from its version 4 no port, from 6 no abstract socket, nor can a process outside be
    /// signalled (landlock(7)).
    case landlock
    /// No system call but those that decoding and encoding need (seccomp(2)).
    case seccomp
}

/// Which walls stand around a task's process, as it says itself.
public struct SandboxReport: Codable, Hashable, Sendable {
    public struct Gap: Codable, Hashable, Sendable {
        public var layer: SandboxLayer
        /// What the kernel said.
        public var reason: String
    }

    /// The walls that could not be built.
    public var gaps: [Gap] = []
    /// Of the kernel's landlock, which decides how much it covers; 0 without it.
    public var landlockVersion = 0

    public var isComplete: Bool { gaps.isEmpty }

    /// For people: the walls that stand.
    public var layers: String {
        SandboxLayer.allCases.filter { layer in !gaps.contains { $0.layer == layer } }
            .map { $0 == .landlock ? "landlock (\(landlockWords))" : $0.rawValue }.joined(separator: ", ")
    }

    /// What an older landlock leaves to the other walls: in a network of its own nobody hears, and the filter of system calls lets
    /// no socket and no signal through. So it is no gap, and is told.
    private var landlockWords: String {
        let lacks = [(4, "ports"), (6, "signals"), (6, "abstract sockets")].filter { landlockVersion < $0.0 }.map(\.1)
        let words = "version \(landlockVersion)"
        return lacks.isEmpty
            ? words : "\(words), without \(lacks.joined(separator: ", ")): namespaces and seccomp hold these"
    }

    /// For people: the walls that are missing, and why.
    public var missing: String { gaps.map { "\($0.layer.rawValue) (\($0.reason))" }.joined(separator: ", ") }

    /// Why nothing is to run behind these walls alone; nil where it may.
    public func refusal(of mode: SandboxMode) -> ClairoError? {
        guard mode == .require, !isComplete else { return nil }
        return .configuration(
            "The sandbox is not complete on this system; missing: \(missing)",
            advice: "Run it where the kernel and the container allow these, or with --sandbox auto, behind the others.")
    }
}
