/// The server's address and other connection options. If a value is nil, the one in the option file applies, or else
/// the library's default.
public struct ConnectionOptions: Sendable, Hashable {
    /// How TLS is used. The names are those of MySQL's `ssl-mode`.
    public enum TLSMode: String, Sendable, Hashable, CaseIterable {
        /// No TLS.
        case disabled = "DISABLED"
        /// TLS if the server offers it. An attacker on the network can therefore disable it.
        case preferred = "PREFERRED"
        /// TLS is required, but the certificate is not verified.
        case required = "REQUIRED"
        /// TLS with a certificate that the CA has signed. The library cannot check this without the host name, so this
        /// equals `verifyIdentity`.
        case verifyCA = "VERIFY_CA"
        /// TLS with a certificate that the CA has signed for the host name.
        case verifyIdentity = "VERIFY_IDENTITY"

        /// Whether the server's certificate is verified.
        public var verifies: Bool { self == .verifyCA || self == .verifyIdentity }
    }

    /// A host name or IP address. `localhost` without a port means the Unix socket, as with other MySQL clients.
    public var host: String?
    /// The TCP port.
    public var port: UInt16?
    /// The path of a Unix socket to use instead of a host.
    public var socket: String?
    /// The name of the user.
    public var user: String?
    /// The user's password.
    public var password: String?
    /// The default database.
    public var database: String?
    /// Whether and how TLS is used.
    public var tls = TLSMode.preferred
    /// A file of CA certificates, or nil for the system's CA certificates.
    public var certificateAuthority: String?
    /// An option file that is read instead of `/etc/my.cnf` and `~/.my.cnf`. Its groups `[client]`, `[client-server]`
    /// and `[client-mariadb]` apply.
    public var optionFile: String?
    /// The connect timeout in seconds.
    public var connectTimeout: UInt32 = 10
    /// The timeout of each read in seconds. It must exceed the duration of the longest statement.
    public var readTimeout: UInt32 = 60
    /// The timeout of each write in seconds.
    public var writeTimeout: UInt32 = 60
    /// The `program_name` in `performance_schema.session_connect_attrs`.
    public var programName: String?

    public init() {}
}
