internal import CLinux
internal import Foundation
internal import Glibc

/// The walls that a process builds around itself before it touches anything that strangers have made.
///
/// It keeps the descriptors that it has, a socket to its parent above all, and can open nothing more: no file, no
/// connection, no process. All that it needs comes through that socket. What it runs is mapped already, so that not even
/// libraries are an exception (traced over every kind of task: what libraries look for later, such as /etc/localtime or
/// a converter of character sets, they do without).
///
/// There must be one thread only: several of these walls belong to the thread that builds them and to those it starts.
public enum Sandbox {
    struct Refusal: Error {
        var reason: String

        init(_ reason: String) { self.reason = reason }

        init(errno code: Int32) { reason = String(cString: strerror(code)) }
    }

    /// "nobody" on every Linux.
    private static let nobody: UInt32 = 65534
    /// A chunk at its largest has a few dozen.
    private static let threadLimit: UInt64 = 512
    /// Where threads are not counted by themselves: of all that runs as nobody, so that this one cannot take all that the system has.
    private static let sharedThreadLimit: UInt64 = 4096
    private static let emptySpaces = CLONE_NEWNET | CLONE_NEWIPC

    /// Keeps other processes of this user from looking into this one (/proc/PID/mem, environ, ptrace(2)), and its memory
    /// out of core files: for the process that has the credentials.
    public static func hideThisProcess() { _ = clairo_set_dumpable(0) }

    /// Builds what can be built, and says what cannot.
    /// - Parameters:
    ///   - layers: the others are left out, and said to be missing.
    ///   - beforeFilter: is called when only the filter of system calls is still to come.
    static func enter(_ layers: Set<SandboxLayer>, beforeFilter: () -> Void) -> SandboxReport {
        var report = SandboxReport()
        func build(_ layer: SandboxLayer, _ body: () throws(Refusal) -> Void) {
            do throws(Refusal) {
                guard layers.contains(layer) else { throw Refusal("left out") }
                try body()
            } catch { report.gaps.append(.init(layer: layer, reason: error.reason)) }
        }
        // With root's rights, if these are given; else with those of a user namespace, below.
        let isIsolated = layers.contains(.namespaces) && unshare(emptySpaces) == 0
        build(.user, leaveRoot)
        build(.namespaces) { () throws(Refusal) in try enterUserNamespace(isIsolated: isIsolated) }
        build(.privileges, dropPrivileges)
        build(.landlock) { () throws(Refusal) in report.landlockVersion = try Landlock.restrict() }
        beforeFilter()
        build(.seccomp, SystemCallFilter.install)
        return report
    }

    /// Becomes nobody. The files of root, and its processes, are another's then.
    private static func leaveRoot() throws(Refusal) {
        guard geteuid() == 0 else { return }
        // The parent has the same capabilities, and must remain able to end this process.
        guard clairo_has_capability(clairo_capability_kill) == 1 else { throw Refusal("root without CAP_KILL") }
        guard setgroups(0, nil) == 0, setresgid(nobody, nobody, nobody) == 0, setresuid(nobody, nobody, nobody) == 0
        else { throw Refusal(errno: errno) }
        _ = clairo_limit(0, clairo_limit_processes, sharedThreadLimit, sharedThreadLimit)
    }

    /// Enters a user namespace, which gives an ordinary user the right to make other namespaces, and in which this process's
    /// threads are counted by themselves, so that they can be limited.
    private static func enterUserNamespace(isIsolated: Bool) throws(Refusal) {
        if unshare(CLONE_NEWUSER | (isIsolated ? 0 : emptySpaces)) == 0 {
            _ = clairo_limit(0, clairo_limit_processes, threadLimit, threadLimit)
        } else if !isIsolated {
            throw Refusal(errno: errno)
        }
    }

    private static func dropPrivileges() throws(Refusal) {
        guard clairo_set_no_new_privileges() == 0, clairo_set_dumpable(0) == 0 else { throw Refusal(errno: errno) }
        // A filter of the service manager may forbid the call. Who has none has none to drop, and can get none any more.
        guard clairo_drop_capabilities() == 0 || clairo_has_no_capability() == 1 else { throw Refusal(errno: errno) }
    }
}
