internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import Yams

/// The profiles file: a mapping of profile names to settings. `TranscodeSettings.fields` defines the settings and
/// parses their values, as for the options of `clairo transcode`.
///
/// ```yaml
/// mobile:
///   heights: [720, 480]
///   preset: fast
///   formats: [hls]
/// ```
enum ProfilesFile {
    /// - Throws: `configuration` (78) for a file that cannot be read, or a setting that does not exist or is out of
    ///   range.
    static func read(_ file: String) throws(ClairoError) -> Profiles {
        guard let data = SystemFile.contents(file), let text = String(data: data, encoding: .utf8)
        else { throw .configuration("The profiles file \(file) cannot be read") }
        let document: Node?
        do {
            document = try Yams.compose(yaml: text)
        } catch {
            throw .configuration("The profiles file \(file) is not valid YAML")
        }
        return Profiles(try profiles(document, file: file))
    }

    private static func profiles(_ document: Node?, file: String) throws(ClairoError) -> [String: TranscodeSettings] {
        guard let document else { return [:] }
        guard let mapping = document.mapping else {
            throw .configuration("The profiles file \(file) is not a mapping of names to settings")
        }
        var profiles: [String: TranscodeSettings] = [:]
        for (name, entry) in mapping {
            guard let name = name.string, let entry = entry.mapping else {
                throw .configuration("The profile \(name.string ?? "") in \(file) is not a mapping of settings")
            }
            profiles[name] = try settings(entry, of: name, file: file)
        }
        return profiles
    }

    private static func settings(
        _ entry: Node.Mapping, of name: String, file: String
    ) throws(ClairoError) -> TranscodeSettings {
        var settings = TranscodeSettings()
        for (key, node) in entry {
            guard let field = TranscodeSettings.field(key.string ?? ""), field.isInProfiles else {
                let known = TranscodeSettings.fields.filter(\.isInProfiles).map(\.name).sorted()
                throw .configuration(
                    "The profile \(name) in \(file) has a setting \"\(key.string ?? "")\", which does not exist",
                    advice: "The settings are \(known.joined(separator: ", ")).")
            }
            // A key without a value means the default.
            if node.null != nil { continue }
            do throws(SettingProblem) {
                if let scalar = node.scalar {
                    try field.set(scalar.string, in: &settings)
                } else {
                    // An item that is not text is never valid.
                    try field.set((node.sequence ?? []).map { $0.scalar?.string ?? "?" }, in: &settings)
                }
            } catch {
                throw error.configurationError(in: "The profile \(name) in \(file)")
            }
        }
        do throws(SettingProblem) { try settings.validate() } catch {
            throw error.configurationError(in: "The profile \(name) in \(file)")
        }
        return settings
    }
}
