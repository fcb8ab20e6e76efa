public import ClairoCore

/// The named settings that videos are processed with.
public struct Profiles: Sendable, Hashable {
    private let named: [String: TranscodeSettings]

    /// - Parameter named: added to the built-in `default`, which it may replace.
    public init(_ named: [String: TranscodeSettings] = [:]) {
        self.named = ["default": TranscodeSettings()].merging(named) { $1 }
    }

    public var names: [String] { named.keys.sorted() }

    /// - Throws: `configuration` (78) for a name that nobody has defined.
    public func settings(of name: String) throws(ClairoError) -> TranscodeSettings {
        guard let settings = named[name] else {
            throw .configuration(
                "There is no profile \(name)",
                advice:
                    "The profiles are \(names.joined(separator: ", ")); others are defined in the file that the setting profiles names."
            )
        }
        return settings
    }
}
