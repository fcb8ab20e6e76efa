/// Server address and connection options. A nil value comes from the option file, else from the library's default.
public struct ConnectionOptions: Sendable, Hashable {
    /// How TLS is used, with MySQL's names.
    public enum TLSMode: String, Sendable, Hashable, CaseIterable {
        /// No TLS.
        case disabled = "DISABLED"
        /// TLS if the server offers it. A man in the middle can disable it.
        case preferred = "PREFERRED"
        /// TLS is required, but the certificate is not verified.
        case required = "REQUIRED"
        /// TLS with a certificate signed by the CA. The library cannot check the chain alone, so this equals
        /// `verifyIdentity`.
        case verifyCA = "VERIFY_CA"
        /// TLS with a certificate signed by the CA for the host name.
        case verifyIdentity = "VERIFY_IDENTITY"

        var verifies: Bool { self == .verifyCA || self == .verifyIdentity }
    }

    /// `localhost` without a port means the Unix socket, as with other MySQL clients.
    public var host: String?
    /// TCP port; nil for the default.
    public var port: UInt16?
    /// Unix socket, instead of a host.
    public var socket: String?
    /// User; nil for that of the option file.
    public var user: String?
    /// Password; nil for that of the option file.
    public var password: String?
    /// The default database.
    public var database: String?
    /// Whether and how TLS is used.
    public var tls = TLSMode.preferred
    /// A file of CA certificates, or nil for the system's.
    public var certificateAuthority: String?
    /// An option file read instead of `/etc/my.cnf` and `~/.my.cnf`. The groups `[client]`, `[client-server]` and
    /// `[client-mariadb]` apply.
    public var optionFile: String?
    /// In seconds.
    public var connectTimeout: UInt32 = 10
    /// The longest time that one read may wait, in seconds. It must exceed the longest statement.
    public var readTimeout: UInt32 = 60
    /// Seconds that one write may wait for the server.
    public var writeTimeout: UInt32 = 60
    /// The `program_name` in `performance_schema.session_connect_attrs`.
    public var programName: String?

    public init() {}
}
