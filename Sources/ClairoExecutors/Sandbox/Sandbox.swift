internal import CLinux
internal import Foundation
internal import Glibc

/// The sandbox that a process enters before it reads untrusted media.
///
/// The process keeps its open descriptors, in particular the socket to its parent, and can open nothing else: no file,
/// no connection, no process. It gets all data through that socket. Its libraries are already loaded, so they need no
/// exception. (Traces of every kind of task show that libraries work without the files that they look for later, such
/// as /etc/localtime or a character set converter.)
///
/// The process must be single-threaded, because several layers apply only to the calling thread and its children.
public enum Sandbox {
    struct Refusal: Error {
        var reason: String

        init(_ reason: String) { self.reason = reason }

        init(errno code: Int32) { reason = String(cString: strerror(code)) }
    }

    /// The id of the user and group "nobody" on every Linux.
    private static let nobody: UInt32 = 65534
    /// The maximum number of threads. A chunk needs a few dozen, and 17 more for each rung in AV1, and a whole job runs
    /// several chunks.
    private static let threadLimit: UInt64 = 4096
    /// The limit without a user namespace, where it counts all threads of nobody. It prevents one task from exhausting
    /// the system.
    private static let sharedThreadLimit: UInt64 = 4096
    private static let emptySpaces = CLONE_NEWNET | CLONE_NEWIPC

    /// Protects a process that holds credentials. Other processes of its user can then not read its memory or
    /// environment (/proc/PID/mem, environ, ptrace(2)), and it writes no core files.
    public static func makeProcessNondumpable() { _ = clairo_set_dumpable(0) }

    /// Enters the sandbox as far as possible and reports the gaps.
    /// - Parameters:
    ///   - layers: The layers to enter. Others are skipped and reported as gaps.
    ///   - beforeFilter: Called before the last layer, the system call filter.
    static func enter(_ layers: Set<SandboxLayer>, beforeFilter: () -> Void) -> SandboxReport {
        var report = SandboxReport()
        func build(_ layer: SandboxLayer, _ body: () throws(Refusal) -> Void) {
            do throws(Refusal) {
                guard layers.contains(layer) else { throw Refusal("left out") }
                try body()
            } catch { report.gaps.append(.init(layer: layer, reason: error.reason)) }
        }
        // Root can create the namespaces now. Otherwise, `enterUserNamespace` creates them with a user namespace.
        let isIsolated = layers.contains(.namespaces) && unshare(emptySpaces) == 0
        build(.user, leaveRoot)
        build(.namespaces) { () throws(Refusal) in try enterUserNamespace(isIsolated: isIsolated) }
        build(.privileges, dropPrivileges)
        build(.landlock) { () throws(Refusal) in report.landlockVersion = try Landlock.restrict() }
        beforeFilter()
        build(.seccomp, SystemCallFilter.install)
        return report
    }

    /// Changes to the user nobody, which cannot access root's files or processes.
    private static func leaveRoot() throws(Refusal) {
        guard geteuid() == 0 else { return }
        // The parent has the same capabilities and must still be able to kill this process.
        guard clairo_has_capability(clairo_capability_kill) == 1 else { throw Refusal("root without CAP_KILL") }
        guard setgroups(0, nil) == 0, setresgid(nobody, nobody, nobody) == 0, setresuid(nobody, nobody, nobody) == 0
        else { throw Refusal(errno: errno) }
        _ = clairo_limit(0, clairo_limit_processes, sharedThreadLimit, sharedThreadLimit)
    }

    /// Enters a user namespace. It allows an unprivileged user to create other namespaces, and it counts this process's
    /// threads separately, so that their number can be limited.
    private static func enterUserNamespace(isIsolated: Bool) throws(Refusal) {
        if unshare(CLONE_NEWUSER | (isIsolated ? 0 : emptySpaces)) == 0 {
            _ = clairo_limit(0, clairo_limit_processes, threadLimit, threadLimit)
        } else if !isIsolated {
            throw Refusal(errno: errno)
        }
    }

    private static func dropPrivileges() throws(Refusal) {
        guard clairo_set_no_new_privileges() == 0, clairo_set_dumpable(0) == 0 else { throw Refusal(errno: errno) }
        // A service manager's system call filter may forbid dropping capabilities. A process without capabilities has
        // none to drop and can gain none.
        guard clairo_drop_capabilities() == 0 || clairo_has_no_capability() == 1 else { throw Refusal(errno: errno) }
    }
}
