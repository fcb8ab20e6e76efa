internal import Foundation

/// The configuration file and the credentials file that AWS's tools share.
///
/// Both contain sections: a name in brackets, followed by `name = value` lines. After a name without a value, more
/// deeply indented lines belong to it (`s3 =`, then `    addressing_style = path`). A profile is `[profile work]` in
/// the configuration file and `[work]` in the credentials file. Source:
/// https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html
struct AWSProfileFiles {
    typealias Section = [String: Value]

    struct Value {
        var text: String
        var nested: [String: String] = [:]
    }

    let configurationPath: String
    let credentialsPath: String
    private let configuration: [String: Section]
    private let credentials: [String: Section]

    init(_ system: AWSSystem) throws(AWSConfigurationError) {
        configurationPath = system.expanded(system.variable("AWS_CONFIG_FILE") ?? "~/.aws/config")
        credentialsPath = system.expanded(system.variable("AWS_SHARED_CREDENTIALS_FILE") ?? "~/.aws/credentials")
        configuration = try Self.sections(of: configurationPath, system)
        credentials = try Self.sections(of: credentialsPath, system)
    }

    /// A profile's section in the configuration file. `[profile default]` takes precedence over `[default]`.
    func configuration(of profile: String) -> Section? {
        configuration["profile \(profile)"] ?? (profile == "default" ? configuration["default"] : nil)
    }

    func credentials(of profile: String) -> Section? { credentials[profile] }

    /// The section `[services NAME]`, which contains an endpoint for each service.
    func services(_ name: String) -> Section? { configuration["services \(name)"] }

    // MARK: Parsing

    private static func sections(
        of path: String, _ system: AWSSystem
    ) throws(AWSConfigurationError) -> [String: Section] {
        let data: Data?
        do { data = try system.readFile(path) } catch {
            throw error as? AWSConfigurationError ?? AWSConfigurationError("\(path) cannot be read")
        }
        return try data.map { data throws(AWSConfigurationError) in
            try sections(in: String(decoding: data, as: UTF8.self), named: path)
        } ?? [:]
    }

    static func sections(in text: String, named path: String) throws(AWSConfigurationError) -> [String: Section] {
        var sections: [String: Section] = [:]
        var section: String?
        // The last name without a value, to which more deeply indented lines belong.
        var parent: (name: String, indent: Int)?
        let lines = text.drop { $0 == "\u{FEFF}" }.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            let content = withoutComment(line)
            if content.isEmpty { continue }
            if content.hasPrefix("["), let end = content.firstIndex(of: "]") {
                let name = title(content[content.index(after: content.startIndex)..<end])
                sections[name, default: [:]].merge([:]) { $1 }
                section = name
                parent = nil
                continue
            }
            let indent = line.prefix(while: \.isWhitespace).count
            guard let section, let (name, value) = assignment(content) else {
                throw AWSConfigurationError("\(path), line \(index + 1), is neither a [section] nor name = value")
            }
            if let parent, indent > parent.indent {
                sections[section]?[parent.name]?.nested[name] = value
            } else {
                sections[section]?[name] = Value(text: value)
                parent = value.isEmpty ? (name, indent) : nil
            }
        }
        return sections
    }

    /// Removes a comment, which starts at the start of a line or after white space.
    private static func withoutComment(_ line: Substring) -> String {
        var before: Character = " "
        let content = line.prefix { character in
            defer { before = character }
            return !((character == "#" || character == ";") && before.isWhitespace)
        }
        return content.trimmingCharacters(in: .whitespaces)
    }

    /// The name of a section: `profile "my work"` becomes `profile my work`.
    private static func title(_ text: Substring) -> String {
        text.split(whereSeparator: \.isWhitespace).joined(separator: " ").filter { $0 != "\"" && $0 != "'" }
    }

    private static func assignment(_ line: String) -> (name: String, value: String)? {
        guard let equals = line.firstIndex(of: "="), equals > line.startIndex else { return nil }
        return (
            line[..<equals].trimmingCharacters(in: .whitespaces).lowercased(),
            line[line.index(after: equals)...].trimmingCharacters(in: .whitespaces)
        )
    }
}
