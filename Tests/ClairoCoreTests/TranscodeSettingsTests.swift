import ClairoCore
import Foundation
import Testing

/// The table of settings: the accepted values, from text and in documents.
@Suite struct TranscodeSettingsTests {
    private func settings(_ name: String, _ text: String) throws -> TranscodeSettings {
        var settings = TranscodeSettings()
        try #require(TranscodeSettings.field(name)).set(text, in: &settings)
        return settings
    }

    @Test func everySettingIsSetFromText() throws {
        #expect(try settings("formats", "mp4, HLS").formats == [.hls, .mp4])
        #expect(try settings("codec", "AV1,h264").codecs == [.h264, .av1])
        #expect(try settings("hdr", "keep").hdr == .keep)
        #expect(try settings("heights", "480,1080p,480").heights == [1080, 480])
        #expect(try settings("quality", "18.5").quality == 18.5)
        #expect(try settings("preset", "fast").preset == "fast")
        #expect(try settings("segment-seconds", "4").segmentSeconds == 4)
        #expect(try settings("chunk-cpu-seconds", "0.001").chunkCPUSeconds == 0.001)
        #expect(try settings("subtitles", "none").subtitles == "none")
        #expect(try settings("audio", "opus, AAC,eac3-5.1").audio == [.aac, .eac351, .opus])
        #expect(try settings("audio-language", "fra,EN").audioLanguages == ["en", "fra"])
        #expect(try settings("loudness", "-16").loudness == -16)
        #expect(try settings("start", "1.5").start == Rational(3, 2))
        #expect(try settings("duration", "2").duration == Rational(2))
        #expect(try settings("allow-partial", "true").allowPartial)
        #expect(try settings("copy-compatible", "yes").copyCompatible)
    }

    @Test(arguments: [
        ("codec", "vp9", "vp9 is not known"), ("hdr", "on", "on is not known"), ("hdr", "", "is empty"),
        ("formats", "avi", "avi is not known"), ("formats", "", "is empty"), ("heights", "big", "big is not valid"),
        ("heights", "721", "721 is out of range"), ("heights", "720,99999", "99999 is out of range"),
        ("heights", "", "is empty"), ("quality", "52", "52 is out of range"),
        ("quality", "-0.5", "-0.5 is out of range"),
        ("quality", "nan", "nan is out of range"), ("quality", "good", "good is not a number"),
        ("quality", "1,2", "takes one value"), ("preset", "warp", "warp is not known"), ("preset", "", "is empty"),
        ("segment-seconds", "0.9", "0.9 is out of range"), ("segment-seconds", "inf", "inf is out of range"),
        ("chunk-cpu-seconds", "0", "0 is out of range"), ("chunk-cpu-seconds", "86401", "86401 is out of range"),
        ("audio", "mp3", "mp3 is not valid"), ("audio", "", "is empty"),
        ("audio-language", "english", "english is not valid"), ("audio-language", "e1", "e1 is not valid"),
        ("loudness", "0", "0 is out of range"), ("loudness", "loud", "loud is not a number"),
        ("start", "-1", "-1 is out of range"), ("start", "1e300", "1e+300 is out of range"),
        ("duration", "0", "0 is out of range"), ("duration", "nan", "nan is out of range"),
        ("allow-partial", "maybe", "maybe is neither true nor false"),
    ])
    func anInvalidTextIsRefused(name: String, text: String, problem: String) throws {
        do {
            _ = try settings(name, text)
            Issue.record("\(name) accepted \(text)")
        } catch let error as SettingProblem {
            #expect(error.field == name && error.problem == problem, "\(error)")
            #expect(error.advice.hasPrefix("Give ") && error.advice.hasSuffix("."))
        }
    }

    @Test func defaultsAreValidAndDescribed() throws {
        try TranscodeSettings().validate()
        for field in TranscodeSettings.fields where !field.isFlag {
            var settings = TranscodeSettings()
            // Optional settings have no value that means "none".
            if (try? field.set(field.defaultText, in: &settings)) != nil, field.name != "start" {
                #expect(settings == TranscodeSettings(), "\(field.name)")
            }
        }
    }

    @Test func theJSONFormatIsUnchanged() throws {
        let settings = TranscodeSettings(
            formats: [.hls], heights: [720], quality: 20, preset: "slow", segmentSeconds: 4, chunkCPUSeconds: 30,
            start: Rational(3, 2), duration: Rational(10), copyCompatible: true, allowPartial: true,
            codecs: [.hevc], hdr: .sdr)
        let json = try JSON.encode(settings, pretty: false)
        #expect(
            String(decoding: json, as: UTF8.self) == """
                {"allowPartial":true,"chunkCPUSeconds":30,"clearLead":0,"codec":["hevc"],"copyCompatible":true,"duration":"10/1",\
                "formats":["hls"],"hdr":"sdr","heights":[720],"preset":"slow","quality":20,"segmentSeconds":4,\
                "segments":"files","start":"3/2","storyboard":true,"subtitles":"auto"}
                """)
        #expect(try JSONDecoder().decode(TranscodeSettings.self, from: json) == settings)
        let plain = try JSON.encode(TranscodeSettings(), pretty: false)
        #expect(
            String(decoding: plain, as: UTF8.self) == """
                {"allowPartial":false,"chunkCPUSeconds":60,"clearLead":0,"codec":["h264"],"copyCompatible":false,\
                "formats":["hls","dash","mp4"],"hdr":"auto","preset":"medium","quality":23,"segmentSeconds":6,\
                "segments":"files","storyboard":true,"subtitles":"auto"}
                """)
        #expect(try JSONDecoder().decode(TranscodeSettings.self, from: plain) == TranscodeSettings())
    }

    @Test func aSettingMissingFromADocumentHasItsDefault() throws {
        let json = Data(#"{"quality": 30, "heights": null, "unheardOf": 1}"#.utf8)
        #expect(try JSONDecoder().decode(TranscodeSettings.self, from: json) == TranscodeSettings(quality: 30))
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode(TranscodeSettings.self, from: Data(#"{"quality": "good"}"#.utf8))
        }
    }

    @Test func anOutOfRangeDocumentIsReadAndThenRefusedByValidation() throws {
        let json = Data(#"{"quality": 99}"#.utf8)
        let settings = try JSONDecoder().decode(TranscodeSettings.self, from: json)
        #expect { try settings.validate() } throws: { ($0 as? SettingProblem)?.problem == "99 is out of range" }
        for wrong in [
            TranscodeSettings(formats: []), TranscodeSettings(heights: []), TranscodeSettings(heights: [7]),
            TranscodeSettings(preset: "x:y"), TranscodeSettings(segmentSeconds: .infinity),
            TranscodeSettings(chunkCPUSeconds: -1), TranscodeSettings(start: Rational(-1)),
            TranscodeSettings(duration: .zero),
        ] {
            #expect(throws: SettingProblem.self) { try wrong.validate() }
        }
    }

    // MARK: Limits

    /// Values of one setting: the extreme valid ones, and the nearest invalid ones.
    struct Limits: Sendable, CustomTestStringConvertible {
        var field: String
        var good: [TranscodeSettings]
        var bad: [TranscodeSettings]
        var testDescription: String { field }

        /// - Parameter settings: The defaults with one value of the field.
        static func of<Value>(
            _ field: String, good: [Value], bad: [Value], settings: (Value) -> TranscodeSettings
        ) -> Limits {
            Limits(field: field, good: good.map(settings), bad: bad.map(settings))
        }

        static func number(
            _ field: String, _ range: ClosedRange<Double>, settings: (Double) -> TranscodeSettings
        ) -> Limits {
            of(
                field, good: [range.lowerBound, range.upperBound],
                bad: [range.lowerBound.nextDown, range.upperBound.nextUp, -.infinity, .infinity, .nan],
                settings: settings)
        }
    }

    /// A `pssh` box of version 0 without data, in base64.
    private static let emptyBox = Data([0, 0, 0, 32] + Array("pssh".utf8) + [UInt8](repeating: 0, count: 24))
        .base64EncodedString()

    private static let limits: [Limits] = [
        .of("codec", good: [[.av1], VideoCodec.allCases], bad: [[]]) { (codecs: [VideoCodec]) in
            TranscodeSettings(codecs: codecs)
        },
        .of("formats", good: [[.mp4], OutputFormat.allCases], bad: [[]]) { (formats: [OutputFormat]) in
            TranscodeSettings(formats: formats)
        },
        .of(
            "heights", good: [[16], [4320]], bad: [[], [14], [17], [4319], [4322], [720, 14], [-720]]
        ) { (heights: [Int]) in TranscodeSettings(heights: heights) },
        .number("quality", 0...51) { TranscodeSettings(quality: $0) },
        .of("preset", good: TranscodeSettings.presets, bad: ["", "Medium", "placebo"]) { (preset: String) in
            TranscodeSettings(preset: preset)
        },
        .number("clear-lead", 0...600) { seconds in
            var settings = TranscodeSettings()
            settings.clearLead = seconds
            return settings
        },
        .of("key-uri", good: ["https://a.example/{kid}"], bad: ["", "a b"]) { (uri: String) in
            var settings = TranscodeSettings()
            settings.keyURI = uri
            return settings
        },
        .of("pssh", good: [[Self.emptyBox]], bad: [["AAAA"]]) { (boxes: [String]) in
            var settings = TranscodeSettings()
            settings.systemBoxes = boxes
            return settings
        },
        .of("drm-key-uris", good: [["com.example=skd://{kid}"]], bad: [["skd"]]) { (uris: [String]) in
            var settings = TranscodeSettings()
            settings.drmKeyURIs = uris
            return settings
        },
        .number("segment-seconds", 1...60) { TranscodeSettings(segmentSeconds: $0) },
        .number("chunk-cpu-seconds", 0.001...86_400) { TranscodeSettings(chunkCPUSeconds: $0) },
        .of("subtitles", good: ["auto", "none"], bad: ["", "Auto", "all"]) { (subtitles: String) in
            var settings = TranscodeSettings()
            settings.subtitles = subtitles
            return settings
        },
        .of("audio", good: [[.opus], AudioFormat.allCases], bad: [[]]) { (audio: [AudioFormat]) in
            var settings = TranscodeSettings()
            settings.audio = audio
            return settings
        },
        .of("audio-language", good: [["en"], ["eng", "fra"]], bad: [[], [""], ["e"], ["engl"]]) {
            (languages: [String]) in
            var settings = TranscodeSettings()
            settings.audioLanguages = languages
            return settings
        },
        .number("loudness", -40 ... -5) { loudness in
            var settings = TranscodeSettings()
            settings.loudness = loudness
            return settings
        },
        .of(
            "start", good: [.zero, Rational(9_999_999)], bad: [Rational(-1, 1000), Rational(9_999_999_001, 1000)]
        ) { (start: Rational) in TranscodeSettings(start: start) },
        .of(
            "duration", good: [Rational(1, 1000), Rational(9_999_999)],
            bad: [Rational(1, 1001), .zero, Rational(-1), Rational(9_999_999_001, 1000)]
        ) { (duration: Rational) in TranscodeSettings(duration: duration) },
        .of(
            "poster-at", good: [.zero, Rational(9_999_999)], bad: [Rational(-1, 1000), Rational(9_999_999_001, 1000)]
        ) { (time: Rational) in TranscodeSettings(posterAt: time) },
    ]

    @Test(arguments: limits)
    func aSettingIsValidUpToItsLimits(limits: Limits) {
        for settings in limits.good {
            #expect(throws: Never.self, "\(settings)") { try settings.validate() }
        }
        for settings in limits.bad {
            let problem = #expect(throws: SettingProblem.self, "\(settings)") { try settings.validate() }
            #expect(problem?.field == limits.field)
        }
    }

    @Test func everySettingHasLimitsOrIsAFlag() {
        // Typed choices have no invalid values.
        let unlimited = TranscodeSettings.fields.filter(\.isFlag).map(\.name) + ["hdr", "segments", "encrypt"]
        #expect(Set(Self.limits.map(\.field) + unlimited) == Set(TranscodeSettings.fields.map(\.name)))
    }

    @Test func differencesAreListedByName() {
        let other = TranscodeSettings(formats: [.hls], quality: 30, start: Rational(1))
        #expect(TranscodeSettings.differences(other, other).isEmpty)
        #expect(
            TranscodeSettings.differences(TranscodeSettings(), other).map(\.option) == ["format", "quality", "start"])
    }
}
