public import ClairoCore
internal import Foundation

/// The databases there are, by URL.
public enum MetadataDatabase {
    /// Opens the store that `url` names:
    ///
    /// - `sqlite:PATH` or `sqlite:///absolute/path`: a file, made with its folder and its tables where there is none;
    /// - `mysql://user@host:port/database`, see `MySQLSettings`: no connection is made before the first call, and the
    ///   tables are made by `migrate()` only.
    ///
    /// - Parameters:
    ///   - environment: for the password, where the URL names none.
    ///   - updatesSchema: false to leave the tables of an SQLite file as they are.
    ///   - observe: is told of every call.
    public static func open(
        url: String, environment: [String: String], updatesSchema: Bool = true,
        observe: (@Sendable (DatabaseEvent) -> Void)? = nil
    ) async throws(ClairoError) -> any MetadataStore {
        let driver = try await driver(url: url, environment: environment, updatesSchema: updatesSchema)
        return SQLMetadataStore(driver: observe.map { ObservedDriver(base: driver, observe: $0) } ?? driver)
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

    /// Whether a password stands in the URL, where process lists, histories and logs may show it.
    public static func containsPassword(_ url: String) -> Bool { maskedURL(url) != url }

    /// The URL without secrets, for people and logs.
    public static func maskedURL(_ url: String) -> String { MaskedURL.text(url) }

    private static func sqlitePath(_ rest: String) throws(ClairoError) -> String {
        // After `//` stands a host, which is empty for a file (RFC 8089).
        let path = rest.hasPrefix("//") ? String(rest.dropFirst(2)) : rest
        guard !path.isEmpty, !rest.hasPrefix("//") || path.hasPrefix("/") else {
            throw .configuration(
                "sqlite:\(rest) names no file", advice: "Write sqlite:PATH or sqlite:///absolute/path.")
        }
        return path
    }

    private static func unknown(_ url: String) -> ClairoError {
        .configuration(
            "\(maskedURL(url)) is no database that this program knows",
            advice: "Write sqlite:PATH or mysql://user@host/database.")
    }
}
