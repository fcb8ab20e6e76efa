internal import CLinux
internal import Foundation
internal import Glibc

/// landlock(7): permanently drops all access rights of the process.
enum Landlock {
    /// File access rights as bits of `handled_access_fs`, with the landlock version that introduced them.
    private static let fileRights: [(version: Int32, bits: Range<Int>)] = [
        (1, 0..<13),  // execute, write, read, read folders, remove and make every kind of file
        (2, 13..<14),  // link or rename between folders
        (3, 14..<15),  // truncate
        (5, 15..<16),  // ioctl of devices
    ]
    /// Binding and connecting TCP ports.
    private static let networkRights: (version: Int32, bits: Range<Int>) = (4, 0..<2)
    /// Connections to abstract Unix sockets of processes outside the sandbox, and signals to such processes.
    private static let scopes: (version: Int32, bits: Range<Int>) = (6, 0..<2)

    /// - Returns: The kernel's landlock version.
    static func restrict() throws(Sandbox.Refusal) -> Int {
        // Landlock applies to the calling thread and its children only.
        let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task"))?.count
        guard threads == 1 else { throw Sandbox.Refusal("\(threads ?? 0) threads are already running") }
        let version = clairo_landlock_version()
        guard version > 0 else { throw Sandbox.Refusal(errno: errno) }
        var ruleset = clairo_landlock_ruleset(
            handled_access_fs: mask(fileRights, version), handled_access_net: mask([networkRights], version),
            scoped: mask([scopes], version))
        let descriptor = clairo_landlock_create(&ruleset)
        guard descriptor >= 0 else { throw Sandbox.Refusal(errno: errno) }
        defer { close(descriptor) }
        guard clairo_landlock_restrict(descriptor) == 0 else { throw Sandbox.Refusal(errno: errno) }
        return Int(version)
    }

    private static func mask(_ rights: [(version: Int32, bits: Range<Int>)], _ version: Int32) -> UInt64 {
        rights.filter { $0.version <= version }.flatMap(\.bits).reduce(0) { $0 | 1 << UInt64($1) }
    }
}
