internal import ClairoCore
internal import Foundation
internal import Glibc

/// A listening Unix socket in its own folder. One task, in a container, connects to it.
final class TaskListener {
    static let name = "socket"

    private let listener: Int32
    private let path: String

    /// - Parameter folder: Its permissions decide who can connect.
    init(in folder: String) throws(ClairoError) {
        path = folder + "/" + Self.name
        listener = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        let place = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        defer { close(place) }
        // Via /proc/self/fd, because the folder's own path may be too long for a socket address.
        let result = withUnixAddress("/proc/self/fd/\(place)/\(Self.name)") { bind(listener, $0, $1) }
        guard listener >= 0, result == 0, chmod(path, 0o666) == 0, listen(listener, 1) == 0 else {
            throw .capacity("Cannot create a socket for a task in \(folder): \(String(cString: strerror(errno)))")
        }
    }

    deinit {
        close(listener)
        unlink(path)
    }

    /// The descriptor to poll.
    var descriptor: Int32 { listener }

    /// The connection, or nil if no task has connected yet.
    func connection() -> WireSocket? {
        let connection = accept(listener, nil, nil)
        guard connection >= 0 else { return nil }
        // Flags are not inherited from the listening socket.
        _ = fcntl(connection, F_SETFD, FD_CLOEXEC)
        return WireSocket(owning: connection)
    }
}

/// Calls `body` with a Unix socket address (unix(7)).
/// - Returns: The result of `body`, or -1 with `ENAMETOOLONG` if the path is too long.
func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
        errno = ENAMETOOLONG
        return -1
    }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    return withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
        }
    }
}
