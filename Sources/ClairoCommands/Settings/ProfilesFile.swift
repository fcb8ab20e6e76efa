internal import ClairoCore
internal import ClairoMedia
internal import ClairoPipeline
internal import Foundation
internal import Yams

/// The file that names settings for processing: a mapping of names to settings, each as `clairo transcode` has options.
///
/// ```yaml
/// mobile:
///   heights: [720, 480]
///   preset: fast
///   formats: [hls]
/// ```
enum ProfilesFile {
    private struct Entry: Decodable {
        var formats: [OutputFormat]?
        var heights: [Int]?
        var quality: Double?
        var preset: String?
        var segmentSeconds: Double?
        var chunkCPUSeconds: Double?
        var copyCompatible: Bool?
        var allowPartial: Bool?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case formats, heights, quality, preset
            case segmentSeconds = "segment-seconds"
            case chunkCPUSeconds = "chunk-cpu-seconds"
            case copyCompatible = "copy-compatible"
            case allowPartial = "allow-partial"
        }
    }

    /// - Throws: `configuration` (78) for a file that cannot be read, or a setting that is none.
    static func read(_ file: String) throws(ClairoError) -> Profiles {
        guard let data = FileManager.default.contents(atPath: file), let text = String(data: data, encoding: .utf8)
        else { throw .configuration("The profiles file \(file) cannot be read") }
        let entries: [String: Entry]
        do {
            try refuseUnknown(text, file)
            entries = try YAMLDecoder().decode([String: Entry].self, from: text)
        } catch let error as ClairoError {
            throw error
        } catch let error as DecodingError {
            throw .configuration("The profiles file \(file) is not valid: \(place(of: error))")
        } catch {
            throw .configuration("The profiles file \(file) is not valid YAML")
        }
        var profiles: [String: TranscodeSettings] = [:]
        for (name, entry) in entries { profiles[name] = try settings(entry, of: name) }
        return Profiles(profiles)
    }

    private static func settings(_ entry: Entry, of name: String) throws(ClairoError) -> TranscodeSettings {
        var settings = TranscodeSettings()
        settings.formats = entry.formats ?? settings.formats
        settings.heights = entry.heights ?? settings.heights
        settings.quality = entry.quality ?? settings.quality
        settings.preset = entry.preset ?? settings.preset
        settings.segmentSeconds = entry.segmentSeconds ?? settings.segmentSeconds
        settings.chunkCPUSeconds = entry.chunkCPUSeconds ?? settings.chunkCPUSeconds
        settings.copyCompatible = entry.copyCompatible ?? settings.copyCompatible
        settings.allowPartial = entry.allowPartial ?? settings.allowPartial
        guard TranscodePlanner.presets.contains(settings.preset) else {
            throw .configuration(
                "The profile \(name) has an unknown preset \(settings.preset)",
                advice: "The presets are \(TranscodePlanner.presets.joined(separator: ", ")).")
        }
        guard (0...51).contains(settings.quality), (1...60).contains(settings.segmentSeconds),
            settings.chunkCPUSeconds > 0, settings.heights?.allSatisfy({ $0 >= 2 }) ?? true
        else {
            throw .configuration(
                "The profile \(name) has a number that is out of range",
                advice: "quality goes from 0 to 51, segment-seconds from 1 to 60, heights are pixels.")
        }
        return settings
    }

    private static func refuseUnknown(_ text: String, _ file: String) throws {
        let known = Set(Entry.CodingKeys.allCases.map(\.rawValue))
        for (name, entry) in try Yams.compose(yaml: text)?.mapping ?? [:] {
            for (key, _) in entry.mapping ?? [:] where !known.contains(key.string ?? "") {
                throw ClairoError.configuration(
                    "The profile \(name.string ?? "") in \(file) has a setting \"\(key.string ?? "")\", which does not exist",
                    advice: "The settings are \(known.sorted().joined(separator: ", ")).")
            }
        }
    }

    private static func place(of error: DecodingError) -> String {
        switch error {
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
            .dataCorrupted(let context):
            context.codingPath.map(\.stringValue).joined(separator: ".") + " is not what it should be"
        @unknown default: "its content is not what it should be"
        }
    }
}
