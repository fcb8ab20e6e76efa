internal import Foundation
internal import Glibc

/// An unprivileged user, for tests of file permissions, which do not apply to root. If the tests do not run as root, it
/// is their own user.
public enum Unprivileged {
    /// The user "nobody" on every Linux.
    private static let identifier: UInt32 = 65534

    /// Calls `body` with this user's file permissions.
    ///
    /// They apply to the current thread only (setfsuid(2)), so `body` must not switch threads.
    public static func onThisThread<R>(_ body: () throws -> R) rethrows -> R {
        guard geteuid() == 0 else { return try body() }
        setFileUser(identifier)
        defer { setFileUser(0) }
        return try body()
    }

    /// Whether this user can run the built binary, which may be in root's home.
    public static let canRunClairo = onThisThread { open(ClairoProcess.path, O_RDONLY | O_CLOEXEC) >= 0 }

    /// Runs the built binary as this user, after giving it ownership of the scratch folder.
    public static func clairo(_ arguments: String..., in scratch: Scratch, environment: [String: String] = [:])
        async throws -> ChildProcess.Outcome
    {
        try await start(ClairoProcess.path, arguments, in: scratch, environment: environment).outcome()
    }

    /// Runs any program likewise.
    public static func start(
        _ program: String, _ arguments: [String], in scratch: Scratch, environment: [String: String] = [:]
    ) throws -> ChildProcess {
        guard geteuid() == 0 else { return try ChildProcess(program, arguments, environment: environment) }
        let names = FileManager.default.enumerator(atPath: scratch.path)?.compactMap { $0 as? String } ?? []
        for path in [scratch.path] + names.map(scratch.path) { lchown(path, identifier, identifier) }
        return try ChildProcess("setpriv", becoming + [program] + arguments, environment: environment)
    }

    private static let becoming = ["--reuid=\(identifier)", "--regid=\(identifier)", "--clear-groups"]

    /// Whether this user may create user namespaces. Some systems restrict that to root.
    public static let mayMakeNamespaces: Bool = {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = (geteuid() == 0 ? ["setpriv"] + becoming : []) + ["unshare", "--user", "true"]
        process.standardError = FileHandle.nullDevice
        guard (try? process.run()) != nil else { return false }
        process.waitUntilExit()
        return process.terminationStatus == 0
    }()

    /// The Glibc module does not import it.
    private static let setfsuid = unsafeBitCast(
        dlsym(nil, "setfsuid"), to: (@convention(c) (UInt32) -> Int32).self)

    private static func setFileUser(_ user: UInt32) {
        _ = setfsuid(user)
        // setfsuid reports no errors, only the previous user, so check with a second call.
        precondition(UInt32(bitPattern: setfsuid(.max)) == user, "setfsuid(\(user)) was refused")
    }
}

/// A read-only mount of a test's folder for the lifetime of the fixture. Needs root.
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

    /// Makes the folder writable again.
    public func end() { umount2(path, Int32(MNT_DETACH)) }
}
