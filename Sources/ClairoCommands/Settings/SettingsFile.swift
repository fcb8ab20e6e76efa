internal import ClairoCore
internal import Foundation
internal import Yams

/// Checks a `clairo.yaml`, which is a mapping of settings to text or numbers.
enum SettingsFile {
    /// Whether the file has any settings. A mistyped name is an error.
    /// - Throws: `configuration` (78) with the name, or for a file that is not a mapping.
    static func hasSettings(in file: String) throws(ClairoError) -> Bool {
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
        guard let node, node.null == nil else { return false }
        guard let mapping = node.mapping else {
            throw .configuration(
                "The configuration file \(file) is not a list of settings",
                advice: "Write lines such as: raw-store: s3://bucket/raw")
        }
        for (key, value) in mapping {
            let name = key.string ?? ""
            guard Settings.Key(rawValue: name) != nil else {
                throw .configuration(
                    "The configuration file \(file) has a setting \"\(name)\", which does not exist",
                    advice: "The settings are \(Settings.Key.allCases.map(\.rawValue).joined(separator: ", ")).")
            }
            guard value.scalar != nil else {
                throw .configuration("In the configuration file \(file), \(name) is not a single value")
            }
        }
        return !mapping.isEmpty
    }

    /// Returns only the line of a parser error, because the rest quotes the file, which may contain a password.
    private static func line(of error: any Error) -> String {
        switch error as? YamlError {
        case .scanner(_, _, let mark, _), .parser(_, _, let mark, _), .composer(_, _, let mark, _): "line \(mark.line)"
        default: "it cannot be parsed"
        }
    }
}
