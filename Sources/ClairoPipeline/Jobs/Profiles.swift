public import ClairoCore

/// Named settings for processing videos.
public struct Profiles: Sendable, Hashable {
    private let named: [String: TranscodeSettings]

    /// - Parameter named: Profiles in addition to the built-in `default`, which they may replace.
    public init(_ named: [String: TranscodeSettings] = [:]) {
        self.named = ["default": TranscodeSettings()].merging(named) { $1 }
    }

    /// Names of all profiles, sorted.
    public var names: [String] { named.keys.sorted() }

    /// - Throws: `configuration` (78) for an unknown name.
    public func settings(of name: String) throws(ClairoError) -> TranscodeSettings {
        guard let settings = named[name] else {
            throw .configuration(
                "Profile \(name) does not exist",
                advice:
                    "The profiles are \(names.joined(separator: ", ")). Define others in the file named by the setting profiles."
            )
        }
        return settings
    }
}
