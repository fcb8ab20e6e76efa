internal import CLinux
public import Foundation
internal import Glibc
internal import Synchronization

/// A program that runs beside the tests. Its output is read as it arrives, so that tests wait for output instead of
/// sleeping.
///
/// Every process has a deadline as a safety net. A process that exceeds it is killed with its process group, and
/// waiting for it throws.
public final class ChildProcess: Sendable {
    public struct Outcome: Sendable, CustomStringConvertible {
        /// The exit code, or 128 plus the signal number, as in a shell.
        public var status: Int32
        /// The signal that killed the process, if any.
        public var signal: Int32?
        public var output: Data
        public var messages: Data

        public var text: String { String(decoding: output, as: UTF8.self) }
        public var errors: String { String(decoding: messages, as: UTF8.self) }
        public var description: String { "status \(status)\n\(text.suffix(2000))\n\(errors.suffix(2000))" }
    }

    public struct DeadlinePassed: Error, CustomStringConvertible {
        public var command: String
        public var messages: String
        public var description: String { "\(command) was still running at its deadline: \(messages.suffix(2000))" }
    }

    public struct CannotStart: Error {
        public var command: String
        public var code: Int32
    }

    public enum Stream: Sendable { case output, messages }

    private struct State {
        // Arrays, because the leak checker does not see the storage of a Data in use when the tests end.
        var output: [UInt8] = []
        var messages: [UInt8] = []
        var openPipes = 2
        var waitStatus: Int32?
        var passedDeadline = false
        /// Called after every change, and removed after returning true.
        var waiters: [@Sendable (State) -> Bool] = []

        /// A process that left the group may keep the pipes open, but not beyond the deadline.
        var isOver: Bool { waitStatus != nil && (openPipes == 0 || passedDeadline) }
    }

    public let command: String
    public let identifier: Int32
    private let state = Mutex(State())

    public init(
        _ program: String, _ arguments: [String], in folder: String? = nil, environment: [String: String] = [:],
        deadline: Duration = .seconds(600)
    ) throws {
        command = ([program] + arguments).joined(separator: " ")
        // Uses env(1) to change the folder, because the Glibc module lacks the posix_spawn function for it.
        let (program, arguments) = folder.map { ("env", ["-C", $0, program] + arguments) } ?? (program, arguments)
        let environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        let pipes = try (Self.pipe(), Self.pipe())
        defer {
            close(pipes.0.write)
            close(pipes.1.write)
        }
        identifier = try Self.spawn(
            program, arguments, environment: environment, output: pipes.0.write, messages: pipes.1.write)
        read(pipes.0.read, .output)
        read(pipes.1.read, .messages)
        reap()
        let seconds = Double(deadline.components.seconds)
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { [weak self] in self?.expire() }
    }

    // MARK: Interaction

    /// Sends a signal unless the process has ended.
    public func send(_ signal: Int32) {
        state.withLock { if $0.waitStatus == nil { kill(identifier, signal) } }
    }

    /// Waits until the process ends.
    public func outcome() async throws -> Outcome {
        let end = await change { $0.isOver ? $0 : nil }
        if end.passedDeadline {
            throw DeadlinePassed(command: command, messages: String(decoding: end.messages, as: UTF8.self))
        }
        let raw = end.waitStatus ?? 0
        let signal = raw & 0x7F
        return Outcome(
            status: signal == 0 ? (raw >> 8) & 0xFF : 128 + signal, signal: signal == 0 ? nil : signal,
            output: Data(end.output), messages: Data(end.messages))
    }

    /// Waits for a line that satisfies `isWanted`, or returns nil if the process ends first.
    public func line(on stream: Stream, where isWanted: @escaping @Sendable (String) -> Bool) async -> String? {
        await change { state -> String?? in
            let bytes = stream == .output ? state.output : state.messages
            for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where isWanted(String(line)) {
                return .some(String(line))
            }
            return state.isOver ? .some(nil) : nil
        }
    }

    /// Waits for `count` lines on stderr that satisfy `isWanted`.
    /// - Returns: False if the process ends first.
    public func messages(_ count: Int, where isWanted: @escaping @Sendable (String) -> Bool) async -> Bool {
        await change { state -> Bool? in
            let lines = String(decoding: state.messages, as: UTF8.self).split(separator: "\n")
            if lines.count(where: { isWanted(String($0)) }) >= count { return true }
            return state.isOver ? false : nil
        }
    }

    /// Waits for the complete line with this index, or returns nil if the process ends first.
    public func line(number: Int) async -> String? {
        await change { state -> String?? in
            let lines = state.output.split(separator: 10, maxSplits: number + 1, omittingEmptySubsequences: false)
            if lines.count > number + 1 { return .some(String(decoding: lines[number], as: UTF8.self)) }
            return state.isOver ? .some(nil) : nil
        }
    }

    /// Polls until `isMet` returns true, for conditions without an event, such as the existence of a file.
    /// - Returns: False if the process ended first.
    public func wait(until isMet: @Sendable () -> Bool) async -> Bool {
        while !isMet() {
            if state.withLock({ $0.isOver }) { return isMet() }
            try? await Task.sleep(for: .milliseconds(5))
        }
        return true
    }

    // MARK: Implementation

    private func change<T: Sendable>(_ probe: @escaping @Sendable (State) -> T?) async -> T {
        await withCheckedContinuation { continuation in
            update { state in
                state.waiters.append { state in
                    guard let value = probe(state) else { return false }
                    continuation.resume(returning: value)
                    return true
                }
            }
        }
    }

    private func update(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            let current = state
            state.waiters.removeAll { $0(current) }
        }
    }

    private func expire() {
        update { state in
            guard !state.isOver else { return }
            state.passedDeadline = true
            kill(-identifier, SIGKILL)
        }
    }

    private func reap() {
        let thread = Thread { [self] in
            var information = siginfo_t()
            while waitid(P_PID, id_t(identifier), &information, WEXITED | WNOWAIT) != 0, errno == EINTR {}
            // Reaped under the lock, so that no signal is sent to a reused process id.
            update { state in
                var status: Int32 = 0
                while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
                state.waitStatus = status
            }
        }
        thread.start()
    }

    private func read(_ descriptor: Int32, _ stream: Stream) {
        let thread = Thread { [self] in
            var buffer = [UInt8](repeating: 0, count: 1 << 16)
            while true {
                let count = Glibc.read(descriptor, &buffer, buffer.count)
                if count < 0, errno == EINTR { continue }
                if count <= 0 { break }
                let bytes = buffer[..<count]
                update { state in
                    switch stream {
                    case .output: state.output.append(contentsOf: bytes)
                    case .messages: state.messages.append(contentsOf: bytes)
                    }
                }
            }
            close(descriptor)
            update { $0.openPipes -= 1 }
        }
        thread.start()
    }

    private static func pipe() throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw CannotStart(command: "pipe", code: errno) }
        return (ends[0], ends[1])
    }

    /// Starts a process in its own group, with default signal handling and only the three standard streams open.
    private static func spawn(
        _ program: String, _ arguments: [String], environment: [String: String], output: Int32, messages: Int32
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, 1)
        posix_spawn_file_actions_adddup2(&actions, messages, 2)
        // Closes other descriptors of this process too, such as server sockets, which the child would keep open.
        posix_spawn_file_actions_addclosefrom_np(&actions, 3)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGPIPE, SIGHUP] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        let arguments = ([program] + arguments).map { strdup($0) } + [nil]
        let variables = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { for pointer in arguments + variables { free(pointer) } }
        var identifier: pid_t = 0
        let code = posix_spawnp(&identifier, program, &actions, &attributes, arguments, variables)
        guard code == 0 else { throw CannotStart(command: program, code: code) }
        return identifier
    }
}
