import ArgumentParser
import ClairoCore
import ClairoPipeline
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoCommands

/// The command line and profiles accept and refuse the same values, with the same messages.
@Suite struct SettingsOptionsTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func commandLine(_ arguments: [String]) throws -> TranscodeSettings {
        try SettingsOptions.parse(arguments).settings()
    }

    private func profile(_ settings: String) throws -> TranscodeSettings {
        try ProfilesFile.read(scratch.write("it: {\(settings)}\n", to: "profiles.yaml")).settings(of: "it")
    }

    @Test(arguments: [
        ("formats", "mp4,hls"), ("formats", "HLS"), ("codec", "av1,h264"), ("hdr", "keep"),
        ("hdr", "SDR"), ("heights", "480, 1080"), ("heights", "720p"), ("quality", "0"),
        ("quality", "51"), ("quality", "22.5"), ("preset", "veryslow"), ("segment-seconds", "1"),
        ("segment-seconds", "60"), ("audio", "aac,eac3-5.1"), ("audio-language", "eng,fra"), ("loudness", "-16.5"),
        ("chunk-cpu-seconds", "0.001"), ("chunk-cpu-seconds", "86400"),
        ("poster-at", "0"), ("poster-at", "12.5"), ("subtitles", "none"), ("segments", "single"),
    ])
    func optionsAndProfilesAcceptTheSameValues(name: String, text: String) throws {
        let field = try #require(TranscodeSettings.field(name))
        let settings = try commandLine(["--\(field.option)", text])
        #expect(settings != TranscodeSettings())
        #expect(try profile("\(name): \"\(text)\"") == settings)
        if !text.contains(",") { #expect(try profile("\(name): \(text)") == settings) }
    }

    @Test(arguments: [
        ("formats", "avi"), ("formats", ","), ("codec", "vp9"), ("codec", ","), ("hdr", "on"),
        ("heights", "big"), ("heights", "14"), ("heights", "721"),
        ("heights", "4322"), ("heights", "720,1"), ("quality", "51.5"), ("quality", "nan"), ("quality", "good"),
        ("preset", "warp"), ("segment-seconds", "0.5"), ("segment-seconds", "61"), ("segments", "many"),
        ("chunk-cpu-seconds", "0"), ("chunk-cpu-seconds", "86401"), ("chunk-cpu-seconds", "inf"), ("poster-at", "-1"),
        ("poster-at", "best"), ("encrypt", "rot13"), ("key-uri", "a b"),
        ("clear-lead", "601"), ("pssh", "AAAA"), ("drm-key-uris", "skd://x"),
    ])
    func optionsAndProfilesRefuseAValueWithTheSameMessage(name: String, text: String) throws {
        let field = try #require(TranscodeSettings.field(name))
        var settings = TranscodeSettings()
        let problem = #expect(throws: SettingProblem.self) { try field.set(text, in: &settings) }
        let words = try #require(problem)
        let usage = #expect(throws: ClairoError.self) { try commandLine(["--\(field.option)=\(text)"]) }
        #expect(usage?.message == "--\(field.option) \(words.problem)" && usage?.advice == words.advice)
        #expect(usage?.exitCode == .usage)
        let configuration = #expect(throws: ClairoError.self) { try profile("\(name): \"\(text)\"") }
        #expect(configuration?.message.hasSuffix(": \(name) \(words.problem)") == true, "\(configuration as Any)")
        #expect(configuration?.advice == words.advice && configuration?.exitCode == .configuration)
    }

    @Test func everyFieldHasAnOptionThatSetsIt() throws {
        let examples = [
            "formats": "hls", "codec": "hevc", "hdr": "sdr", "heights": "720", "quality": "30", "preset": "fast",
            "segment-seconds": "4", "segments": "single", "audio": "opus", "audio-language": "deu", "loudness": "-23",
            "chunk-cpu-seconds": "10", "start": "1", "duration": "2", "poster-at": "3", "subtitles": "none",
            "encrypt": "cbcs", "key-uri": "https://keys.example/{kid}", "clear-lead": "6",
            "pssh": "AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA=",
            "drm-key-uris": "com.apple.streamingkeydelivery=skd://{kid}",
        ]
        for field in TranscodeSettings.fields {
            let value = field.isFlag ? [] : [try #require(examples[field.name], "an example of \(field.name)")]
            let settings = try commandLine(["--\(field.option)"] + value)
            #expect(TranscodeSettings.differences(settings, TranscodeSettings()).map(\.name) == [field.name])
        }
        #expect(try commandLine([]) == TranscodeSettings())
        #expect(try Set(SettingsOptions.parse([]).texts.keys) == Set(TranscodeSettings.fields.map(\.name)))
    }

    @Test func anEncryptedOutputLeavesOutWhatItCannotBe() throws {
        #expect(try commandLine(["--encrypt", "cbcs"]).outputFormats == [.hls, .dash])
        #expect(try commandLine(["--encrypt", "aes-128"]).outputFormats == [.hls])
        #expect(try commandLine([]).outputFormats == [.hls, .dash, .mp4])
        for (scheme, formats) in [("cenc", "hls,mp4"), ("aes-128", "hls,dash"), ("cbcs", "mp4")] {
            let error = #expect(throws: ClairoError.self) {
                try commandLine(["--format", formats, "--encrypt", scheme])
            }
            #expect(error?.exitCode == .usage && error?.message.contains("not possible with \(scheme)") == true)
            #expect(throws: ClairoError.self) { try profile("formats: [\(formats)], encrypt: \(scheme)") }
        }
    }

    @Test func singleFilesAreEncryptedBySamplesFromTheStart() throws {
        #expect(try commandLine(["--segments", "single", "--encrypt", "cbcs"]).segments == .single)
        for more in [["--encrypt", "aes-128"], ["--encrypt", "cenc", "--clear-lead", "6"]] {
            let error = #expect(throws: ClairoError.self) { try commandLine(["--segments", "single"] + more) }
            #expect(error?.exitCode == .usage && error?.message.contains("single is not possible") == true)
        }
    }

    @Test func profilesAcceptYAMLListsAndBooleans() throws {
        #expect(try profile("storyboard: false") == TranscodeSettings(storyboard: false))
        let settings = try profile(
            "formats: [dash, hls], heights: [480, 720], allow-partial: true, copy-compatible: false")
        #expect(settings == TranscodeSettings(formats: [.hls, .dash], heights: [720, 480], allowPartial: true))
        #expect(try profile("") == TranscodeSettings())
    }

    @Test(arguments: [
        ("it: {start: 1}", "\"start\""), ("it: {crf: 1}", "\"crf\""), ("it: {quality: {a: 1}}", "quality"),
        ("it: {heights: [[1]]}", "heights"), ("it: 7", "it"), ("- it", "mapping"), ("it: [", "YAML"),
    ])
    func anInvalidProfileIsRefused(text: String, names: String) throws {
        let file = try scratch.write(text, to: "profiles.yaml")
        let error = #expect(throws: ClairoError.self) { try ProfilesFile.read(file) }
        #expect(error?.exitCode == .configuration && error?.message.contains(names) == true, "\(error as Any)")
    }
}
