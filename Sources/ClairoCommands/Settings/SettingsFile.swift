internal import ClairoCore
internal import Foundation
internal import Yams

/// Reads a `clairo.yaml`, which is a mapping of settings to text or numbers.
enum SettingsFile {
    /// The settings of the file, as they are written. A mistyped name is an error.
    /// - Throws: `configuration` (78) with the name, or for a file that is not a mapping.
    static func read(_ file: String) throws(ClairoError) -> [Settings.Key: String] {
        guard let data = SystemFile.contents(file), let text = String(data: data, encoding: .utf8)
        else {
            throw .configuration("The configuration file \(file) cannot be read")
        }
        let node: Node?
        do {
            node = try Yams.compose(yaml: text)
        } catch {
            throw .configuration("The configuration file \(file) is not valid YAML: \(line(of: error))")
        }
        guard let node, node.null == nil else { return [:] }
        guard let mapping = node.mapping else {
            throw .configuration(
                "The configuration file \(file) is not a list of settings",
                advice: "Write lines such as: raw-store: s3://bucket/raw")
        }
        var settings: [Settings.Key: String] = [:]
        for (name, value) in mapping {
            let name = name.string ?? ""
            guard let key = Settings.Key(rawValue: name) else {
                throw .configuration(
                    "The configuration file \(file) has a setting \"\(name)\", which does not exist",
                    advice: "The settings are \(Settings.Key.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            guard let scalar = value.scalar else {
                throw .configuration("In the configuration file \(file), \(name) is not a single value")
            }
            settings[key] = scalar.string
        }
        return settings
    }

    /// Returns only the line of a parser error, because the rest quotes the file, which may contain a password.
    private static func line(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): "line \(mark.line)"
        default: "it cannot be parsed"
        }
    }
}
