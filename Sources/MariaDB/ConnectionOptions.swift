/// Where a server is and how to talk to it. What is nil comes from the option file, or else is the library's default.
public struct ConnectionOptions: Sendable, Hashable {
    /// How far TLS goes.
    public enum TLSMode: String, Sendable, Hashable, CaseIterable {
        case disabled = "DISABLED"
        /// TLS where the server has it; anybody in between can take it away.
        case preferred = "PREFERRED"
        /// TLS or nothing; the server may be anybody.
        case required = "REQUIRED"
        /// TLS with a certificate that the CA has signed. The library has no check of the chain alone, so this is the same as
        /// `verifyIdentity`.
        case verifyCA = "VERIFY_CA"
        /// TLS with a certificate that the CA has signed for the host's name.
        case verifyIdentity = "VERIFY_IDENTITY"

        var verifies: Bool { self == .verifyCA || self == .verifyIdentity }
    }

    /// `localhost` without a port means the unix socket, as everywhere with MySQL.
    public var host: String?
    public var port: UInt16?
    public var socket: String?
    public var user: String?
    public var password: String?
    public var database: String?
    public var tls = TLSMode.preferred
    /// A file of CA certificates; nil for the system's.
    public var certificateAuthority: String?
    /// An option file to read in place of `/etc/my.cnf` and `~/.my.cnf`. The groups `[client]`, `[client-server]` and
    /// `[client-mariadb]` are read.
    public var optionFile: String?
    /// Seconds.
    public var connectTimeout: UInt32 = 10
    /// Seconds that one read may wait for the server: it must be longer than the longest statement.
    public var readTimeout: UInt32 = 60
    public var writeTimeout: UInt32 = 60
    /// What the server shows in `performance_schema.session_connect_attrs` as `program_name`.
    public var programName: String?

    public init() {}
}
