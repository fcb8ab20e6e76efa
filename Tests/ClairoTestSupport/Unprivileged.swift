internal import Foundation
internal import Glibc

/// The rights of a user who owns nothing, for tests of what may not be read or written: they mean nothing to root, as whom
/// CI runs. Where the tests do not run as root, their own user is that user.
public enum Unprivileged {
    /// "nobody" on every Linux.
    private static let identifier: UInt32 = 65534

    /// Calls `body` with this user's rights on files.
    ///
    /// They are a property of the thread (setfsuid(2)), so `body` has to do its work on it.
    public static func onThisThread<R>(_ body: () throws -> R) rethrows -> R {
        guard geteuid() == 0 else { return try body() }
        setFileUser(identifier)
        defer { setFileUser(0) }
        return try body()
    }

    /// Whether this user may run the built binary, which may lie in a home of root's.
    public static let canRunClairo = onThisThread { open(ClairoProcess.path, O_RDONLY | O_CLOEXEC) >= 0 }

    /// The built binary, run by this user, who is given the scratch folder first.
    public static func clairo(_ arguments: String..., in scratch: Scratch, environment: [String: String] = [:])
        async throws -> ChildProcess.Outcome
    {
        try await start(ClairoProcess.path, arguments, in: scratch, environment: environment).outcome()
    }

    /// Any program, likewise.
    public static func start(
        _ program: String, _ arguments: [String], in scratch: Scratch, environment: [String: String] = [:]
    ) throws -> ChildProcess {
        guard geteuid() == 0 else { return try ChildProcess(program, arguments, environment: environment) }
        let names = FileManager.default.enumerator(atPath: scratch.path)?.compactMap { $0 as? String } ?? []
        for path in [scratch.path] + names.map(scratch.path) { lchown(path, identifier, identifier) }
        return try ChildProcess("setpriv", becoming + [program] + arguments, environment: environment)
    }

    private static let becoming = ["--reuid=\(identifier)", "--regid=\(identifier)", "--clear-groups"]

    /// Whether this user may make user namespaces, which some systems keep for root.
    public static let mayMakeNamespaces: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = (geteuid() == 0 ? ["setpriv"] + becoming : []) + ["unshare", "--user", "true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    /// Glibc's module has no header for it.
    private static let setfsuid = unsafeBitCast(
        dlsym(nil, "setfsuid"), to: (@convention(c) (UInt32) -> Int32).self)

    private static func setFileUser(_ user: UInt32) {
        _ = setfsuid(user)
        // It tells the user before and never an error, so ask.
        precondition(UInt32(bitPattern: setfsuid(.max)) == user, "setfsuid(\(user)) was refused")
    }
}

/// A folder of a test that is on a read-only file system while the fixture is mounted; only root can do that.
public struct ReadOnlyMount: Sendable {
    private let path: String

    public static let isPossible = SmallDisk.isPossible

    /// Mounts `folder`, which is in `scratch`, over itself.
    public init(_ folder: String, in scratch: Scratch) throws {
        path = folder
        let flags = UInt(MS_BIND)
        guard mount(folder, folder, nil, flags, nil) == 0 else { throw SmallDisk.CannotMount(code: errno) }
        scratch.onCleanup { umount2(folder, Int32(MNT_DETACH)) }
        guard mount(nil, folder, nil, flags | UInt(MS_REMOUNT) | UInt(MS_RDONLY), nil) == 0 else {
            throw SmallDisk.CannotMount(code: errno)
        }
    }

    /// Makes the folder as it was.
    public func end() { umount2(path, Int32(MNT_DETACH)) }
}
