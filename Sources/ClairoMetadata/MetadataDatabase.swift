public import ClairoCore
internal import Foundation

/// Opens metadata stores by URL.
public enum MetadataDatabase {
    /// Opens the store at `url`:
    ///
    /// - `sqlite:PATH` or `sqlite:///absolute/path`: a file, created with its folder and tables if missing. A database
    ///   in memory is refused: each connection would have its own, and it would be lost with the process;
    /// - `mysql://user@host:port/database`, see `MySQLSettings`: connects on the first call; only `migrate()` creates
    ///   tables.
    ///
    /// - Parameters:
    ///   - environment: Provides the password if the URL has none.
    ///   - updatesSchema: False to leave the tables of an SQLite file unchanged.
    ///   - observe: Called for each database call.
    ///   - statements: Called for each statement.
    ///   - report: Called for documents in rows that cannot be read and that a list leaves out, once for each.
    public static func open(
        url: String, environment: [String: String], updatesSchema: Bool = true,
        observe: (@Sendable (DatabaseEvent) -> Void)? = nil, statements: StatementObserver? = nil,
        report: @escaping @Sendable (ClairoError) -> Void = { _ in }
    ) async throws(ClairoError) -> any MetadataStore {
        var driver = try await driver(url: url, environment: environment, updatesSchema: updatesSchema)
        if let statements { driver = ObservedStatements(base: driver, observer: statements) }
        if let observe { driver = ObservedDriver(base: driver, observe: observe) }
        return SQLMetadataStore(driver: driver, report: report)
    }

    private static func driver(
        url: String, environment: [String: String], updatesSchema: Bool
    ) async throws(ClairoError) -> any SQLDriver {
        guard let colon = url.firstIndex(of: ":") else { throw unknown(url) }
        switch url[..<colon].lowercased() {
        case "sqlite":
            let path = try sqlitePath(String(url[url.index(after: colon)...]))
            return try await SQLiteDriver.open(path: path, updatesSchema: updatesSchema)
        case "mysql", "mariadb":
            return MySQLDriver(try MySQLSettings(url: url, environment: environment))
        default: throw unknown(url)
        }
    }

    /// Whether the URL contains a password, which process lists, shell histories and logs may expose.
    public static func containsPassword(_ url: String) -> Bool { maskedURL(url) != url }

    /// The URL without secrets, for display and logs.
    public static func maskedURL(_ url: String) -> String { MaskedURL.text(url) }

    private static func sqlitePath(_ rest: String) throws(ClairoError) -> String {
        // After `//` comes the host, which is empty for a local file (RFC 8089).
        let path = rest.hasPrefix("//") ? String(rest.dropFirst(2)) : rest
        // SQLite's own names for it; `:memory:` with a folder in front of it is a file.
        guard path != ":memory:", !path.hasPrefix("file:") else {
            throw .configuration(
                "sqlite:\(rest) is not a file: a database in memory is lost when the process ends and cannot be shared "
                    + "between connections, and SQLite's URIs are not supported",
                advice: "Use sqlite:PATH; for data that need not be kept, set CLAIRO_HOME to a temporary folder.")
        }
        guard !path.isEmpty, !rest.hasPrefix("//") || path.hasPrefix("/") else {
            throw .configuration(
                "sqlite:\(rest) does not name a file", advice: "Use sqlite:PATH or sqlite:///absolute/path.")
        }
        return path
    }

    private static func unknown(_ url: String) -> ClairoError {
        .configuration(
            "\(maskedURL(url)) is not a supported database URL",
            advice: "Use sqlite:PATH or mysql://user@host/database.")
    }
}
