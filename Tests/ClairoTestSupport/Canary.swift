internal import Foundation
internal import Glibc
internal import Synchronization

/// Listens on TCP and on two Unix sockets that a sandboxed process must not reach. Counts connections.
public final class Canary: Sendable {
    public let port: UInt16
    public let path: String
    public let abstractName = "@clairo-canary-\(UUID().uuidString.prefix(8))"
    private let listeners: [Int32]

    /// - Parameter path: The path of the socket in the file system.
    public init(path: String) throws {
        self.path = path
        let tcp = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                [bind(tcp, $0, length), listen(tcp, 8), getsockname(tcp, $0, &length)].min()
            }
        }
        guard result == 0 else { throw POSIXError(.EADDRINUSE) }
        port = UInt16(bigEndian: address.sin_port)
        listeners = [tcp, try Self.listenUnix(path), try Self.listenUnix(abstractName)]
    }

    deinit { for listener in listeners { close(listener) } }

    private let counted = Mutex(0)

    /// The number of connections so far. Each waits in its listener's queue.
    public var connections: Int {
        counted.withLock { count in
            for listener in listeners {
                while true {
                    let connection = accept(listener, nil, nil)
                    guard connection >= 0 else { break }
                    close(connection)
                    count += 1
                }
            }
            return count
        }
    }

    private static func listenUnix(_ name: String) throws -> Int32 {
        let descriptor = socket(
            AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // Scratch folders have short names, so the path fits (unix(7): 108 bytes).
        let bytes = Array(name.utf8).prefix(107)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: bytes)
            if name.hasPrefix("@") { target[0] = 0 }
        }
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                [bind(descriptor, $0, socklen_t(2 + bytes.count)), listen(descriptor, 8)].min()
            }
        }
        guard result == 0 else { throw POSIXError(.EADDRINUSE) }
        return descriptor
    }
}
