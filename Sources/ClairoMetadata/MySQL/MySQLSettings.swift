internal import ClairoCore
internal import Foundation
internal import MariaDB

/// `mysql://user@host:port/database?ssl-mode=…&ssl-ca=…&socket=…&defaults-file=…`, with the option names of the MySQL
/// client programs.
///
/// Options missing from the URL come from the option files that the client library reads (`~/.my.cnf`, group
/// `[client]`). The password may also be in `CLAIRO_DATABASE_PASSWORD`, or in the file named by
/// `CLAIRO_DATABASE_PASSWORD_FILE`.
struct MySQLSettings {
    var options = ConnectionOptions()
    /// `host:port/database`, for messages.
    private(set) var name = ""

    init(url: String, environment: [String: String]) throws(ClairoError) {
        let masked = MetadataDatabase.maskedURL(url)
        let example = "Use mysql://user@host:3306/database. In names, write @ : / # as %40 %3A %2F %23."
        guard let parts = URLComponents(string: url), parts.fragment == nil else {
            throw .configuration("\(masked) is not a URL", advice: example)
        }
        let database = parts.path.dropFirst()
        guard !database.isEmpty, !database.contains("/") else {
            throw .configuration("\(masked) does not name a database", advice: example)
        }
        var host = parts.host ?? ""
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        options.host = host.isEmpty ? nil : host
        if let port = parts.port {
            guard let number = UInt16(exactly: port), number > 0 else {
                throw .configuration("\(masked) has no valid port", advice: example)
            }
            options.port = number
        }
        options.user = parts.user.flatMap { $0.isEmpty ? nil : $0 }
        options.database = String(database)
        options.programName = "clairo"
        for item in parts.queryItems ?? [] { try set(item.name, item.value ?? "", masked) }
        let place = options.socket ?? (host.isEmpty ? "localhost" : host)
        name = "\(place)\(options.port.map { ":\($0)" } ?? "")/\(database)"
        if let password = parts.password {
            options.password = password
        } else {
            options.password = try Self.password(environment)
        }
    }

    private mutating func set(_ key: String, _ value: String, _ masked: String) throws(ClairoError) {
        switch key {
        case "ssl-mode":
            guard let mode = ConnectionOptions.TLSMode(rawValue: value.uppercased()) else {
                let known = ConnectionOptions.TLSMode.allCases.map(\.rawValue).joined(separator: ", ")
                throw .configuration("\(masked) has an unknown ssl-mode", advice: "Use one of \(known).")
            }
            options.tls = mode
        case "ssl-ca":
            options.certificateAuthority = try existing(value, key, masked)
        case "socket": options.socket = value
        case "defaults-file": options.optionFile = try existing(value, key, masked)
        default:
            throw .configuration(
                "\(masked) has an unknown setting \(key)", advice: "Use ssl-mode, ssl-ca, socket or defaults-file.")
        }
    }

    /// Checks that a file exists, because the library would ignore a missing one.
    private func existing(_ path: String, _ key: String, _ masked: String) throws(ClairoError) -> String {
        guard SystemFile.isReadable(path) else {
            throw .configuration("\(masked) names a file for \(key) that cannot be read: \(path)")
        }
        return path
    }

    private static func password(_ environment: [String: String]) throws(ClairoError) -> String? {
        if let password = environment["CLAIRO_DATABASE_PASSWORD"], !password.isEmpty { return password }
        guard let path = environment["CLAIRO_DATABASE_PASSWORD_FILE"], !path.isEmpty else { return nil }
        return try TextLines.secret(in: path, kind: "database-password-file")
    }
}
