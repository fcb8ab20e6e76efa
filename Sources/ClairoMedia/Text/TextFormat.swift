internal import ClairoCore
internal import Foundation
internal import Libav

/// The formats of text that a source may have as a stream.
enum TextFormat: Hashable, Sendable {
    case subRip
    case subStationAlpha
    case movText
    case webVTT
    /// WebVTT in the samples of MP4.
    case webVTTSample
    /// CEA-608 in a stream of its own, as in QuickTime.
    case captions

    /// Nil if Clairo does not read the format.
    init?(_ stream: StreamInfo) {
        guard let format = Self.byName[stream.codecName] else { return nil }
        self = format == .webVTT && stream.codecTag == "wvtt" ? .webVTTSample : format
    }

    /// By libav's names of codecs.
    private static let byName: [String: TextFormat] = [
        "subrip": .subRip, "srt": .subRip, "text": .subRip, "ass": .subStationAlpha, "ssa": .subStationAlpha,
        "mov_text": .movText, "webvtt": .webVTT, "wvtt": .webVTTSample, "eia_608": .captions,
    ]

    /// libav's names of the codecs that are text.
    static let names = Set(byName.keys)

    /// The codecs whose subtitles are pictures.
    static let pictures: Set = ["hdmv_pgs_subtitle", "dvd_subtitle", "dvb_subtitle", "xsub"]
}

extension StreamInfo {
    /// Whether it is a text or a picture of it. libav does not know WebVTT in MP4 as a kind.
    var isSubtitle: Bool { kind == .subtitle || codecName == "wvtt" }

    /// What its flags, or else its title, say that it is for.
    var textRole: TrackRole? {
        if isForced { return .forced }
        if isForHearingImpaired { return .captions }
        if isCommentary { return .commentary }
        let words = Set((title ?? "").lowercased().split { !$0.isLetter }.map(String.init))
        if words.contains("forced") { return .forced }
        if !words.isDisjoint(with: ["sdh", "cc", "captions", "hearing", "hoh", "hi"]) { return .captions }
        return words.contains("commentary") ? .commentary : nil
    }
}

/// Text of an unknown format, as files beside a source are.
enum SubtitleFileReader {
    /// The cues of a file, and the character set that was guessed, if any.
    /// - Throws: `badInput` if it is in no known format.
    static func cues(_ file: SubtitleFile) throws(ClairoError) -> (cues: [Cue], guessed: TextCharset?) {
        var decoder = TrackText(language: file.language ?? "und")
        let text = decoder.decode(file.content)
        guard let cues = WebVTT.cues(text) ?? SubStationAlpha.cues(text) ?? SubRip.cues(text) else {
            throw .badMedia(
                "\(file.name) has no subtitles that Clairo can read", advice: "Give a file in SRT, ASS, SSA or WebVTT.")
        }
        return (cues, decoder.guessed)
    }
}
