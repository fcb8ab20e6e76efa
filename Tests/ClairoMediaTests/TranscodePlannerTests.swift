import ClairoCore
import Testing

@testable import ClairoMedia

@Suite struct TranscodePlannerTests {
    /// A source without streams, which cannot be transcoded with any settings.
    private static func plan(_ settings: TranscodeSettings) throws(ClairoError) -> Plan {
        let info = MediaInfo(
            container: "wav", containerName: "WAV", size: 0, duration: 0, declaredDuration: nil, bitRate: 0, video: [],
            audio: [], subtitles: [], otherStreams: [], selectedVideo: nil, selectedAudio: [], truncation: nil,
            isSeekable: true, warnings: [])
        return try TranscodePlanner.plan(
            scan: SourceScan(info: info, video: nil, copy: nil),
            fingerprint: SourceFingerprint(name: "a.wav", size: 0, identity: "00"), settings: settings)
    }

    /// A job's document, which another program may have written, contains the settings.
    @Test(arguments: [
        (TranscodeSettings(formats: []), "formats is empty"),
        (TranscodeSettings(codecs: []), "codec is empty"),
        (TranscodeSettings(heights: [721]), "heights 721 is out of range"),
        (TranscodeSettings(quality: 51.5), "quality 51.5 is out of range"),
        (TranscodeSettings(preset: "placebo"), "preset placebo is not known"),
        (TranscodeSettings(segmentSeconds: 0.5), "segment-seconds 0.5 is out of range"),
        (TranscodeSettings(chunkCPUSeconds: 86_401), "chunk-cpu-seconds 86401 is out of range"),
        (TranscodeSettings(start: Rational(-1)), "start -1 is out of range"),
        (TranscodeSettings(duration: .zero), "duration 0 is out of range"),
    ])
    func anOutOfRangeSettingIsRefusedBeforeTheSource(settings: TranscodeSettings, problem: String) {
        let error = #expect(throws: ClairoError.self) { try Self.plan(settings) }
        #expect(error?.exitCode == .configuration)
        #expect(error?.message == "The settings of the job: \(problem)")
        #expect(error?.advice?.hasPrefix("Give ") == true)
    }

    @Test func aSourceWithoutStreamsIsRefused() {
        let error = #expect(throws: ClairoError.self) { try Self.plan(TranscodeSettings()) }
        #expect(error?.kind == .badInput)
        #expect(error?.message.contains("neither video nor audio") == true)
    }
}
