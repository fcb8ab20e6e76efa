internal import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// One end of a connection between parent and child. Deinitialization closes it. Any thread may send, but only one may
/// receive.
final class WireSocket: Sendable {
    let descriptor: Int32
    private let sending = Mutex(())

    /// The length of the header in bytes: kind (1 byte), then id, length of the head and length of the payload (4 bytes
    /// each, little-endian).
    private static let headerLength = 13

    init(owning descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }

    /// - Returns: False if the other end is closed.
    func send(_ frame: WireMessage) -> Bool {
        var front = Data([frame.kind.rawValue])
        for value in [frame.id, UInt32(clamping: frame.head.count), UInt32(clamping: frame.payload.count)] {
            withUnsafeBytes(of: value.littleEndian) { front.append(contentsOf: $0) }
        }
        front.append(frame.head)
        return sending.withLock { _ in sendAll(front) && sendAll(frame.payload) }
    }

    private func sendAll(_ data: Data) -> Bool {
        data.withUnsafeBytes { bytes in
            var sent = 0
            while sent < bytes.count {
                let rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(sent))
                let count = Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
                if count < 0, errno == EINTR { continue }
                guard count > 0 else { return false }
                sent += count
            }
            return true
        }
    }

    /// The next message, or nil if the other end is closed.
    /// - Parameter bounds: Returns the limits of a kind, or nil if it is not allowed.
    func receive(_ bounds: (WireMessage.Kind) -> WireLimits?) throws(BrokenProtocol) -> WireMessage? {
        guard let header = receive(Self.headerLength) else { return nil }
        func integer(_ offset: Int) -> UInt32 {
            header.withUnsafeBytes { UInt32(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }
        }
        guard let kind = WireMessage.Kind(rawValue: header[0]), let bound = bounds(kind) else {
            throw BrokenProtocol(reason: "a message of kind \(header[0])")
        }
        let (head, payload) = (Int(integer(5)), Int(integer(9)))
        guard head <= bound.head, payload <= bound.payload else {
            throw BrokenProtocol(reason: "a message of \(head) and \(payload) bytes")
        }
        guard let headData = receive(head), let payloadData = receive(payload) else { return nil }
        return WireMessage(kind: kind, id: integer(1), head: headData, payload: payloadData)
    }

    private func receive(_ count: Int) -> Data? {
        // The buffer grows with the received bytes, so an announced length alone allocates no memory.
        var data = Data()
        while data.count < count {
            let filled = data.count
            let wanted = min(count - filled, 1 << 20)
            data.count = filled + wanted
            let received = data.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress?.advanced(by: filled), wanted, 0)
            }
            let isInterrupted = received < 0 && errno == EINTR
            data.count = filled + max(received, 0)
            if received <= 0, !isInterrupted { return nil }
        }
        return data
    }

    /// Shuts down both directions, which unblocks readers on both sides.
    func shutDown() { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Creates a connected pair of sockets, which child processes do not inherit.
    static func pair() throws(ClairoError) -> (parent: WireSocket, child: WireSocket) {
        var ends: [Int32] = [0, 0]
        guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0 else {
            throw .capacity("Cannot create a socket pair for a task: \(String(cString: strerror(errno)))")
        }
        return (WireSocket(owning: ends[0]), WireSocket(owning: ends[1]))
    }
}

extension ClairoError {
    /// The error if there are currently no resources for another process.
    static func capacity(_ message: String) -> ClairoError {
        ClairoError(
            kind: .capacity, exitCode: .temporary, message, advice: "Try again later, or lower --concurrency.")
    }
}
