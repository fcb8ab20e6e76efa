internal import ArgumentParser
internal import ClairoCore

/// What is to be made, for `plan` and `transcode` alike: an option for each field of `TranscodeSettings`, which has their
/// names, help, defaults and ranges.
struct SettingsOptions: ParsableArguments {
    @Option(setting: "formats") var format: String?
    @Option(help: "Video codecs, comma-separated; h264 is the one there is.") var codec: String = "h264"
    @Option(setting: "heights") var heights: String?
    @Option(setting: "quality") var quality: String?
    @Option(setting: "preset") var preset: String?
    @Option(setting: "segment-seconds") var segmentSeconds: String?
    @Option(setting: "chunk-cpu-seconds") var chunkCPUSeconds: String?
    @Option(setting: "start") var start: String?
    @Option(setting: "duration") var duration: String?
    @Flag(setting: "allow-partial") var allowPartial = false
    @Flag(setting: "copy-compatible") var copyCompatible = false

    /// What was given, by the names of the fields.
    private var texts: [String: String?] {
        [
            "formats": format, "heights": heights, "quality": quality, "preset": preset,
            "segment-seconds": segmentSeconds, "chunk-cpu-seconds": chunkCPUSeconds, "start": start,
            "duration": duration, "allow-partial": allowPartial ? "true" : nil,
            "copy-compatible": copyCompatible ? "true" : nil,
        ]
    }

    func settings() throws(ClairoError) -> TranscodeSettings {
        let codecs = codec.split(separator: ",").map { $0.lowercased().filter { $0 != " " } }.filter { !$0.isEmpty }
        if let other = codecs.first(where: { $0 != "h264" }) {
            throw .usage("--codec \(other) is not there yet", advice: "This version encodes h264 only.")
        }
        guard !codecs.isEmpty else { throw .usage("--codec is empty", advice: "Give h264.") }
        var settings = TranscodeSettings()
        let texts = texts
        do throws(SettingProblem) {
            for field in TranscodeSettings.fields {
                if let text = texts[field.name] ?? nil { try field.set(text, in: &settings) }
            }
        } catch {
            throw error.usageError
        }
        return settings
    }
}

extension Option {
    /// The option of a field of `TranscodeSettings`. It is text: the field reads it, in the words it has everywhere.
    fileprivate init(setting name: String) where Value == String? {
        let field = SettingField.known(name)
        self.init(name: .customLong(field.option), help: field.argumentHelp)
    }
}

extension Flag where Value == Bool {
    fileprivate init(wrappedValue: Bool, setting name: String) {
        let field = SettingField.known(name)
        self.init(wrappedValue: wrappedValue, name: .customLong(field.option), help: field.argumentHelp)
    }
}

extension SettingField {
    /// Called when the command line is put together, with names that stand in this file.
    fileprivate static func known(_ name: String) -> SettingField {
        guard let field = TranscodeSettings.field(name) else { fatalError("Unknown setting \(name)") }
        return field
    }

    /// `Constant rate factor; lower is better and larger. Give a number from 0 to 51. (default: 23)`
    fileprivate var argumentHelp: ArgumentHelp {
        if isFlag { return ArgumentHelp(stringLiteral: help) }
        return ArgumentHelp("\(help) Give \(words). (default: \(defaultText))", valueName: valueName)
    }
}
