public import ClairoCore
internal import Foundation
internal import NIOCore

/// A TCP address that a server listens on.
public struct ListenAddress: Sendable, Hashable, CustomStringConvertible {
    /// A host name or an IP address.
    public var host: String
    /// 0 means any free port.
    public var port: Int

    init(host: String, port: Int) {
        self.host = host
        self.port = port
    }

    /// Parses `host:port`, `[address]:port`, `:port` (all IPv4 addresses) or `port` (127.0.0.1 only).
    /// - Throws: `usage` (64) for any other text.
    public init(_ text: String) throws(ClairoError) {
        let colon = text.lastIndex(of: ":")
        let portText = colon.map { text[text.index(after: $0)...] } ?? text[...]
        var host = colon.map { text[..<$0] } ?? "127.0.0.1"
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        guard let port = UInt16(portText) else {
            throw .usage(
                "\(text) is not a listen address", advice: "Use a form such as 127.0.0.1:8080, [::1]:8080 or :8080.")
        }
        self.host = host.isEmpty ? "0.0.0.0" : String(host)
        self.port = Int(port)
    }

    /// Maps an error from binding to this address to `configuration` (78). Returns nil for any other error.
    /// - Parameter purpose: Added to the message after the address, such as ` for metrics`.
    func failure(_ error: any Error, for purpose: String = "", advice: String) -> ClairoError? {
        let reason: String
        switch error {
        case let error as IOError: reason = String(cString: strerror(error.errnoCode))
        case is SocketAddressError.UnknownHost: reason = "unknown host"
        case is SocketAddressError: reason = "not an address of this machine"
        default: return nil
        }
        return .configuration("Cannot listen on \(self)\(purpose): \(reason)", advice: advice)
    }

    /// `host:port` as in a URL, with brackets around an IPv6 address.
    public var description: String { "\(host.contains(":") ? "[\(host)]" : host):\(port)" }
}
