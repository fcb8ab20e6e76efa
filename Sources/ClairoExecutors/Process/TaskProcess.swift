internal import CLinux
internal import ClairoCore
internal import Foundation
internal import Glibc

/// A child process that inherits nothing, and that is killed and reaped with its descendants.
///
/// Not Sendable: the thread that starts it must own it and live as long as the child, because the kernel kills the
/// child when this thread ends (PR_SET_PDEATHSIG).
final class TaskProcess: TaskRuntime {
    static let noun = "process"

    let identifier: pid_t
    /// The read end of its stderr.
    private let errors: Int32
    private var tail = MessageTail()
    private var end: TaskExit?
    /// The number of OOM kills before the child started.
    private let outOfMemoryKills = MachineMemory.outOfMemoryKills

    /// - Parameter socket: Becomes descriptor 3 of the child. Its other descriptors are /dev/null and stderr.
    /// - Throws: `capacity` if the system has no resources for a process.
    init(_ executable: String, _ arguments: [String], socket: WireSocket) throws(ClairoError) {
        var ends: [Int32] = [0, 0]
        guard pipe2(&ends, O_CLOEXEC) == 0 else { throw Self.cannotStart(errno) }
        defer { close(ends[1]) }
        _ = fcntl(ends[0], F_SETFL, O_NONBLOCK)
        // Both descriptors are moved above the numbers that they get in the child.
        let (stderr, channel) = (Self.above(ends[1]), Self.above(socket.descriptor))
        defer {
            close(stderr)
            close(channel)
        }
        do throws(ClairoError) {
            identifier = try Self.spawn(executable, arguments, messages: stderr, socket: channel)
        } catch {
            close(ends[0])
            throw error
        }
        errors = ends[0]
    }

    deinit { close(errors) }

    /// Starts a child with a socket to it, within `limits`, which are those of `withinThisProcess`.
    /// - Throws: `configuration` (78) if this process was started with limits that are too low for a task.
    static func start(
        _ executable: String, _ arguments: [String], limits: ProcessLimits
    ) throws(ClairoError) -> (TaskProcess, WireSocket) {
        try limits.checkInherited()
        // The child's end is closed here at the end of this call, so that the connection closes when the child ends.
        let (socket, childSocket) = try WireSocket.pair()
        let process = try TaskProcess(executable, arguments, socket: childSocket)
        // The child has received no input yet, so it has not used any resources that need limits.
        guard limits.apply(to: process.identifier) else {
            let code = errno
            process.endNow()
            throw .defect("The limits of a task's process cannot be set: \(String(cString: strerror(code)))")
        }
        return (process, socket)
    }

    private static func above(_ descriptor: Int32) -> Int32 { fcntl(descriptor, F_DUPFD_CLOEXEC, 16) }

    private static func cannotStart(_ code: Int32) -> ClairoError {
        let reason = "A task's process cannot be started: \(String(cString: strerror(code)))"
        return [EAGAIN, ENOMEM, EMFILE, ENFILE].contains(code) ? .capacity(reason) : .defect(reason)
    }

    private static func spawn(
        _ executable: String, _ arguments: [String], messages: Int32, socket: Int32
    ) throws(ClairoError) -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, messages, 2)
        posix_spawn_file_actions_adddup2(&actions, socket, TaskChild.descriptor)
        posix_spawn_file_actions_addclosefrom_np(&actions, TaskChild.descriptor + 1)
        posix_spawn_file_actions_addchdir_np(&actions, "/")
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var signals = sigset_t()
        sigemptyset(&signals)
        posix_spawnattr_setsigmask(&attributes, &signals)
        for signal in [SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ] { sigaddset(&signals, signal) }
        posix_spawnattr_setsigdefault(&attributes, &signals)
        posix_spawnattr_setflags(
            &attributes, Int16(POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP))
        let arguments = (["clairo"] + arguments).map { strdup($0) } + [nil]
        defer { for argument in arguments { free(argument) } }
        // The task needs no environment variables, and an empty environment leaks nothing.
        let environment: [UnsafeMutablePointer<CChar>?] = [nil]
        var identifier: pid_t = 0
        let code = posix_spawn(&identifier, executable, &actions, &attributes, arguments, environment)
        guard code == 0 else { throw cannotStart(code) }
        return identifier
    }

    // MARK: TaskRuntime

    var messages: Int32? { tail.isAtEnd ? nil : errors }

    func readMessages() { tail.drain(errors) }

    func finalOutput() -> String {
        readMessages()
        return tail.text
    }

    func terminate() { send(SIGTERM) }

    func kill() { send(SIGKILL) }

    /// Reaps the child if it has ended, and kills its descendants before the process id can be reused.
    func pollExit() -> TaskExit? {
        guard end == nil else { return end }
        var information = siginfo_t()
        guard waitid(P_PID, id_t(identifier), &information, WEXITED | WNOHANG | WNOWAIT) == 0,
            information._sifields._sigchld.si_pid == identifier
        else { return nil }
        Glibc.kill(-identifier, SIGKILL)
        var status: Int32 = 0
        while waitpid(identifier, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        if signal == SIGKILL, MachineMemory.outOfMemoryKills > outOfMemoryKills {
            // If the task exceeds its own limit, an allocation fails. So here, the machine or the container ran out of
            // memory. The cause may be this task, so the error counts as an attempt: a source that needs too much
            // memory must not be retried forever.
            end = .lost(
                .temporary(
                    "The machine ran out of memory, and the kernel ended the task's process",
                    advice: "Try again later, or lower --concurrency."))
        } else {
            end = signal == 0 ? .exited((status >> 8) & 0xFF) : .signaled(signal)
        }
        return end
    }

    /// Signals the child and its descendants.
    private func send(_ signal: Int32) { if end == nil { Glibc.kill(-identifier, signal) } }

    /// Kills the child and waits until it has ended.
    func endNow() {
        kill()
        while pollExit() == nil { usleep(1000) }
    }
}
