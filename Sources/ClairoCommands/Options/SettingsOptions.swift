internal import ArgumentParser
internal import ClairoCore

/// The output settings of `plan` and `transcode`: one option for each field of `TranscodeSettings`, which defines name,
/// help, default and range. Tests compare the names in this file with the table.
struct SettingsOptions: ParsableArguments {
    @Option(setting: "formats") var format: String?
    @Option(setting: "codec") var codec: String?
    @Option(setting: "hdr") var hdr: String?
    @Option(setting: "heights") var heights: String?
    @Option(setting: "quality") var quality: String?
    @Option(setting: "preset") var preset: String?
    @Option(setting: "segment-seconds") var segmentSeconds: String?
    @Option(setting: "segments") var segments: String?
    @Option(setting: "chunk-cpu-seconds") var chunkCPUSeconds: String?
    @Option(setting: "audio") var audio: String?
    @Option(setting: "audio-language") var audioLanguage: String?
    @Option(setting: "loudness", parsing: .unconditional) var loudness: String?
    @Option(setting: "subtitles") var subtitles: String?
    @Option(setting: "start") var start: String?
    @Option(setting: "duration") var duration: String?
    @Flag(setting: "allow-partial") var allowPartial = false
    @Flag(setting: "copy-compatible") var copyCompatible = false
    @Flag(setting: "storyboard") var noStoryboard = false
    @Option(setting: "poster-at") var posterAt: String?
    @Option(setting: "encrypt") var encrypt: String?
    @Option(setting: "key-uri") var keyURI: String?
    @Option(setting: "clear-lead") var clearLead: String?
    @Option(setting: "pssh") var pssh: String?
    @Option(setting: "drm-key-uris") var drmKeyURIs: String?

    /// The given values, by the name of the field.
    var texts: [String: String?] {
        [
            "formats": format, "codec": codec, "hdr": hdr, "heights": heights, "quality": quality, "preset": preset,
            "audio": audio, "audio-language": audioLanguage, "loudness": loudness, "subtitles": subtitles,
            "segment-seconds": segmentSeconds, "segments": segments, "chunk-cpu-seconds": chunkCPUSeconds,
            "start": start,
            "duration": duration, "allow-partial": allowPartial ? "true" : nil,
            "copy-compatible": copyCompatible ? "true" : nil,
            "storyboard": noStoryboard ? "false" : nil, "poster-at": posterAt,
            "encrypt": encrypt, "key-uri": keyURI, "clear-lead": clearLead, "pssh": pssh,
            "drm-key-uris": drmKeyURIs,
        ]
    }

    func settings() throws(ClairoError) -> TranscodeSettings {
        var settings = TranscodeSettings()
        let texts = texts
        do throws(SettingProblem) {
            for field in TranscodeSettings.fields {
                if let text = texts[field.name] ?? nil { try field.set(text, in: &settings) }
            }
            try settings.validate()
        } catch {
            throw error.usageError
        }
        return settings
    }
}

extension Option {
    /// The option for a field of `TranscodeSettings`. Its value is text, which the field parses.
    /// - Parameter parsing: `.unconditional` for negative numbers, which look like options.
    fileprivate init(setting name: String, parsing: SingleValueParsingStrategy = .next) where Value == String? {
        let field = TranscodeSettings.field(name)
        self.init(name: .customLong(field?.option ?? name), parsing: parsing, help: field?.argumentHelp)
    }
}

extension Flag where Value == Bool {
    fileprivate init(wrappedValue: Bool, setting name: String) {
        let field = TranscodeSettings.field(name)
        self.init(wrappedValue: wrappedValue, name: .customLong(field?.option ?? name), help: field?.argumentHelp)
    }
}

extension SettingField {
    /// `Constant rate factor; lower is better and larger. Give a number from 0 to 51. (default: 23)`
    fileprivate var argumentHelp: ArgumentHelp {
        if isFlag { return ArgumentHelp(stringLiteral: help) }
        return ArgumentHelp("\(help) Give \(words). (default: \(defaultText))", valueName: valueName)
    }
}
