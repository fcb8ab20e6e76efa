internal import Foundation
internal import Glibc

/// A file system of a few kilobytes, mounted at `disk` in a scratch folder.
public struct SmallDisk: Sendable {
    public let path: String

    public static let isPossible: Bool = {
        guard getuid() == 0 else { return false }
        let path = NSTemporaryDirectory() + "/clairo-mount-\(getpid())"
        mkdir(path, 0o755)
        defer { rmdir(path) }
        guard mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0 else { return false }
        umount(path)
        return true
    }()

    public struct CannotMount: Error {
        public var code: Int32
    }

    public init(_ scratch: Scratch, kilobytes: Int) async throws {
        let path = scratch.path("disk")
        self.path = path
        mkdir(path, 0o755)
        guard mount("tmpfs", path, "tmpfs", 0, "size=\(kilobytes)k") == 0 else { throw CannotMount(code: errno) }
        scratch.onCleanup { umount(path) }
    }

    public func resize(kilobytes: Int) async throws {
        guard mount("tmpfs", path, "tmpfs", UInt(MS_REMOUNT), "size=\(kilobytes)k") == 0 else {
            throw CannotMount(code: errno)
        }
    }
}
