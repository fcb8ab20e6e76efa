import ClairoCore

/// Writes HLS playlists. All functions are pure functions of the measurements.
///
/// Sources: RFC 8216bis,
/// https://developer.apple.com/documentation/http-live-streaming/hls-authoring-specification-for-apple-devices
///
/// The multivariant playlist is at the root of the output, media playlists are beside their segments, and all URIs are
/// relative. Rates are measured on the written segments, so players never underestimate them. Titles and languages are
/// untrusted: every quoted string passes through `quoted`.
enum HLSPlaylist {
    /// The target rate of the default variant, for an unknown network, from Apple's guidelines: 2000 kbit/s.
    private static let defaultRate: Int64 = 2_000_000

    // MARK: Multivariant playlist

    /// Makes the multivariant playlist: one variant for each rung and audio group. The default variant is first; the others
    /// follow group by group, from the largest to the smallest.
    static func master(_ presentation: Presentation) -> String {
        let target = targetDuration(of: presentation)
        let groups = presentation.audioGroups
        // A single audio track without video offers no choice and needs no group.
        let hasGroups = !groups.isEmpty && (!presentation.video.isEmpty || presentation.audio.count > 1)
        var lines = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"]
        if hasGroups { lines += audioGroupLines(groups) }
        lines += textGroupLines(presentation.text)
        let subtitles = presentation.text.isEmpty ? [] : ["SUBTITLES=\(quoted(textGroup))"]

        let video = defaultFirst(presentation.video)
        if video.isEmpty {
            for group in groups {
                lines += variant(nil, group, hasGroups: hasGroups, also: subtitles, targetDuration: target)
            }
        } else if groups.isEmpty {
            for rendition in video {
                lines += variant(rendition, nil, hasGroups: false, also: subtitles, targetDuration: target)
            }
        } else {
            let combinations = video.map { rendition in
                (rendition, presentation.audioGroups(of: rendition, among: groups))
            }
            for index in 0..<(combinations.map(\.1.count).max() ?? 0) {
                for (rendition, groups) in combinations where index < groups.count {
                    lines += variant(
                        rendition, groups[index], hasGroups: true, also: subtitles, targetDuration: target)
                }
            }
        }
        lines += presentation.video.compactMap(iframeStreamLine)
        lines += presentation.images.map(imageStreamLine)
        return text(lines)
    }

    /// The lines of a variant: a rung with a group of audio, or one of both.
    private static func variant(
        _ video: VideoRendition?, _ audio: AudioGroup?, hasGroups: Bool, also others: [String], targetDuration: Int
    ) -> [String] {
        guard let key = video?.rung.playlistKey ?? audio?.members.first?.track.playlistKey else { return [] }
        let peak = video.map { peakRate(of: $0.segments, targetDuration: targetDuration) } ?? 0
        let average = video?.segments.averageRate ?? 0
        var attributes = [
            "BANDWIDTH=\(peak + (audio?.peakRate(targetDuration: targetDuration) ?? 0))",
            "AVERAGE-BANDWIDTH=\(average + (audio?.averageRate ?? 0))",
            "CODECS=\(codecs([video?.codec].compactMap { $0 } + (audio?.codecs ?? [])))",
        ]
        if let video {
            attributes += [
                "RESOLUTION=\(video.rung.size)",
                "FRAME-RATE=\(decimal(video.frameRate, places: 3))",
                "VIDEO-RANGE=\(video.videoRange)",
            ]
        }
        if let audio, hasGroups { attributes.append("AUDIO=\(quoted(audio.id))") }
        attributes += others
        if video != nil { attributes.append("CLOSED-CAPTIONS=NONE") }
        return ["#EXT-X-STREAM-INF:" + attributes.joined(separator: ","), key.rawValue]
    }

    private static func audioGroupLines(_ groups: [AudioGroup]) -> [String] {
        groups.flatMap { group -> [String] in
            // The same track has the same name in every group, though another stream may have its surround sound.
            let titles = groups[0].members.map(\.track.title)
            var names: Set<String> = []
            var selectable: Set<[String]> = []
            return group.members.enumerated().map { index, rendition in
                let track = rendition.track
                let language = LanguageTag(track.language)
                // The viewer, not the player, selects a commentary or a second track of a language: RFC 8216bis requires
                // that members with AUTOSELECT are distinct.
                let isDistinct = selectable.insert([language.text, track.hlsCharacteristics ?? ""]).inserted
                let isSelectable = isDistinct && (index == 0 || track.role != .commentary)
                var attributes = [
                    "TYPE=AUDIO",
                    "GROUP-ID=\(quoted(group.id))",
                    "NAME=\(quoted(unusedName(titles[index], or: language.name ?? "Audio", among: &names)))",
                    "LANGUAGE=\(quoted(language.text))",
                    "DEFAULT=\(index == 0 ? "YES" : "NO")",
                    "AUTOSELECT=\(isSelectable ? "YES" : "NO")",
                ]
                if let characteristics = track.hlsCharacteristics {
                    attributes.append("CHARACTERISTICS=\(quoted(characteristics))")
                }
                attributes += [
                    "CHANNELS=\(quoted(String(track.channels)))",
                    "URI=\(quoted(track.playlistKey.rawValue))",
                ]
                return "#EXT-X-MEDIA:" + attributes.joined(separator: ",")
            }
        }
    }

    /// The group of all text tracks.
    private static let textGroup = "text"

    private static func textGroupLines(_ text: [TextRendition]) -> [String] {
        var names: Set<String> = []
        var selectable: Set<[String]> = []
        return text.map { rendition in
            let track = rendition.track
            let language = LanguageTag(track.language)
            let isForced = track.role == .forced
            let name = (language.name ?? "Subtitles") + (track.role.flatMap { roleNames[$0] } ?? "")
            let characteristics = track.role == .captions ? captionCharacteristics : nil
            let isDistinct = selectable.insert([language.text, characteristics ?? "", isForced ? "forced" : ""])
                .inserted
            // A player selects by language, and the viewer a commentary.
            let isSelectable = track.isDefault || isDistinct && track.role != .commentary
            var attributes = [
                "TYPE=SUBTITLES",
                "GROUP-ID=\(quoted(textGroup))",
                "NAME=\(quoted(unusedName(track.title, or: name, among: &names)))",
                "LANGUAGE=\(quoted(language.text))",
                "DEFAULT=\(track.isDefault ? "YES" : "NO")",
                "AUTOSELECT=\(isSelectable ? "YES" : "NO")",
                "FORCED=\(isForced ? "YES" : "NO")",
            ]
            if let characteristics { attributes.append("CHARACTERISTICS=\(quoted(characteristics))") }
            attributes.append("URI=\(quoted(track.playlistKey.rawValue))")
            return "#EXT-X-MEDIA:" + attributes.joined(separator: ",")
        }
    }

    /// What distinguishes tracks of the same language in a menu.
    private static let roleNames: [TrackRole: String] = [
        .captions: " (SDH)", .forced: " (forced)", .commentary: " (commentary)", .description: " (description)",
    ]

    /// Apple's rule 4.5.
    private static let captionCharacteristics =
        "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"

    /// Returns a track's title or its name, made unique, because NAME must be unique within a group.
    private static func unusedName(_ title: String?, or name: String, among names: inout Set<String>) -> String {
        let title = printable(title ?? "")
        let name = title.isEmpty ? name : title
        var candidate = name
        var number = 1
        while !names.insert(candidate).inserted {
            number += 1
            candidate = "\(name) \(number)"
        }
        return candidate
    }

    private static func iframeStreamLine(_ rendition: VideoRendition) -> String? {
        let frames = keyFrames(of: rendition.segments)
        guard !frames.isEmpty else { return nil }
        let attributes = [
            "BANDWIDTH=\(peakRate(of: frames, targetDuration: targetDuration(of: frames)))",
            "AVERAGE-BANDWIDTH=\(frames.averageRate)",
            "CODECS=\(codecs([rendition.codec]))",
            "RESOLUTION=\(rendition.rung.size)",
            "VIDEO-RANGE=\(rendition.videoRange)",
            "URI=\(quoted(rendition.rung.iframePlaylistKey.rawValue))",
        ]
        return "#EXT-X-I-FRAME-STREAM-INF:" + attributes.joined(separator: ",")
    }

    /// Moves the rung with the average rate nearest to `defaultRate` to the front, of those in H.264 and SDR if there are
    /// any, which every player can begin with.
    private static func defaultFirst(_ video: [VideoRendition]) -> [VideoRendition] {
        let common = video.indices.filter { video[$0].rung.codec == .h264 && video[$0].rung.dynamicRange == .sdr }
        func distance(_ index: Int) -> Int64 { abs(video[index].segments.averageRate - defaultRate) }
        guard
            let nearest = (common.isEmpty ? Array(video.indices) : common)
                .min(by: { distance($0) < distance($1) })
        else { return [] }
        return [video[nearest]] + video.indices.filter { $0 != nearest }.map { video[$0] }
    }

    // MARK: Media playlists

    /// Makes the media playlist of one rendition.
    /// - Parameters:
    ///   - targetDuration: The target duration in seconds, the same for all renditions: see `targetDuration(of:)`.
    ///   - initName: The name of the init segment, relative to the playlist; nil for text, which has none.
    ///   - file: The one file of the rendition, which both names are the name of; nil if segments have files of their own.
    ///   - fileName: Returns the name of a segment, relative to the playlist, from its index.
    static func media(
        segments: [MeasuredSegment], targetDuration: Int, initName: String?, file: SingleFile? = nil,
        fileName: (Int) -> String
    ) -> String {
        // Numbers start at 1, as in file names and in the DASH manifest, so that a player's log matches the file.
        var lines = [
            "#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:\(targetDuration)", "#EXT-X-MEDIA-SEQUENCE:1",
            "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-INDEPENDENT-SEGMENTS",
        ]
        if let initName { lines.append(map(initName, file)) }
        var clock = MicrosecondClock()
        for (index, segment) in segments.enumerated() {
            lines.append("#EXTINF:\(clock.advance(by: segment.duration)),")
            if let range = file?.segments[index] { lines.append("#EXT-X-BYTERANGE:\(range.count)@\(range.lowerBound)") }
            lines.append(fileName(index))
        }
        lines.append("#EXT-X-ENDLIST")
        return text(lines)
    }

    /// Makes the I-frame playlist of one rung: each key frame is a byte range of its segment and is shown until the
    /// next.
    static func iframes(
        segments: [MeasuredSegment], initName: String, file: SingleFile? = nil, fileName: (Int) -> String
    ) -> String {
        var lines = [
            "#EXTM3U", "#EXT-X-VERSION:7",
            "#EXT-X-TARGETDURATION:\(targetDuration(of: keyFrames(of: segments)))", "#EXT-X-MEDIA-SEQUENCE:1",
            "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-I-FRAMES-ONLY", map(initName, file),
        ]
        var clock = MicrosecondClock()
        for (index, segment) in segments.enumerated() {
            for frame in segment.keyFrames {
                lines.append("#EXTINF:\(clock.advance(by: frame.duration)),")
                let offset = file?.offset(of: frame.offset, inSegment: index) ?? frame.offset
                lines.append("#EXT-X-BYTERANGE:\(frame.length)@\(offset)")
                lines.append(fileName(index))
            }
        }
        lines.append("#EXT-X-ENDLIST")
        return text(lines)
    }

    private static func map(_ name: String, _ file: SingleFile?) -> String {
        "#EXT-X-MAP:URI=\(quoted(name))" + (file.map { ",BYTERANGE=\"\($0.initBytes)@0\"" } ?? "")
    }

    // MARK: Images

    /// The line for a storyboard, from the specification of image media playlists, which Roku and shaka-player read
    /// (https://github.com/image-media-playlist/spec). Others ignore it. RESOLUTION is the size of a tile.
    private static func imageStreamLine(_ rendition: ImageRendition) -> String {
        let attributes = [
            "BANDWIDTH=\(peakRate(of: rendition.sheets, targetDuration: targetDuration(of: rendition.sheets)))",
            "RESOLUTION=\(rendition.plan.tile)",
            "CODECS=\(quoted("jpeg"))",
            "URI=\(quoted(rendition.plan.playlistKey.rawValue))",
        ]
        return "#EXT-X-IMAGE-STREAM-INF:" + attributes.joined(separator: ",")
    }

    /// Makes the image playlist of a storyboard.
    static func images(_ rendition: ImageRendition) -> String {
        let plan = rendition.plan
        var lines = [
            "#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-TARGETDURATION:\(targetDuration(of: rendition.sheets))",
            "#EXT-X-MEDIA-SEQUENCE:1", "#EXT-X-PLAYLIST-TYPE:VOD", "#EXT-X-IMAGES-ONLY",
        ]
        let tiles = [
            "RESOLUTION=\(plan.tile)", "LAYOUT=\(plan.columns)x\(plan.rows)",
            "DURATION=\(decimal(plan.tileDuration, places: 6))",
        ]
        var clock = MicrosecondClock()
        for (sheet, key) in zip(rendition.sheets, plan.sheetKeys) {
            lines.append("#EXTINF:\(clock.advance(by: sheet.duration)),")
            // Players look for the layout at each segment.
            lines.append("#EXT-X-TILES:" + tiles.joined(separator: ","))
            lines.append(OutputLayout.fileName(of: key))
        }
        lines.append("#EXT-X-ENDLIST")
        return text(lines)
    }

    /// The EXT-X-TARGETDURATION of all media playlists, in seconds. Apple requires audio and video to agree.
    static func targetDuration(of presentation: Presentation) -> Int {
        targetDuration(of: presentation.renditions.flatMap(\.segments))
    }

    /// The longest segment rounded to the nearest second, at least 1.
    static func targetDuration(of segments: [MeasuredSegment]) -> Int {
        let longest = segments.map(\.duration).max() ?? .zero
        // Rounds the printed EXTINF, which may be above the exact value by less than a microsecond.
        let printed = Rational((longest * Rational(1_000_000)).ceil, 1_000_000)
        return max(1, Int(printed.rounded))
    }

    // MARK: Rates

    /// The peak segment bit rate as RFC 8216 section 4.1 defines it, in bits per second: the largest rate of any run of
    /// segments that lasts between half and one and a half target durations.
    ///
    /// This excludes a short last segment on its own: an IDR picture in very little time says little about the network.
    static func peakRate(of segments: [MeasuredSegment], targetDuration: Int) -> Int64 {
        let shortest = Rational(Int64(targetDuration), 2)
        let longest = Rational(Int64(targetDuration) * 3, 2)
        var peak: Int64 = 0
        for first in segments.indices {
            var duration = Rational.zero
            var bytes = 0
            for segment in segments[first...] {
                duration = duration + segment.duration
                bytes += segment.bytes
                guard duration <= longest else { break }
                if duration >= shortest { peak = max(peak, (Rational(Int64(bytes) * 8) / duration).ceil) }
            }
        }
        // The whole rendition is shorter than half a target duration: use all of it as one run.
        return peak > 0 ? peak : segments.averageRate
    }

    /// The byte ranges of an I-frame playlist as segments.
    private static func keyFrames(of segments: [MeasuredSegment]) -> [MeasuredSegment] {
        segments.flatMap(\.keyFrames).map { MeasuredSegment(duration: $0.duration, bytes: $0.length) }
    }

    // MARK: Text

    private static func text(_ lines: [String]) -> String { lines.joined(separator: "\n") + "\n" }

    /// Makes a CODECS value: each codec once, in the given order.
    private static func codecs(_ codecs: [String]) -> String {
        var seen: Set<String> = []
        return quoted(codecs.filter { seen.insert($0).inserted }.joined(separator: ","))
    }

    /// Makes a quoted-string (RFC 8216, 4.2). It has no escapes, so forbidden characters are replaced or dropped.
    private static func quoted(_ text: String) -> String {
        let scalars = text.unicodeScalars.filter { $0.properties.generalCategory != .control }
        return "\"" + String(String.UnicodeScalarView(scalars.map { $0 == "\"" ? "'" : $0 })) + "\""
    }

    /// Makes an untrusted title printable: no control characters or line breaks, at most 100 code points.
    static func printable(_ title: String) -> String {
        let scalars = title.unicodeScalars.prefix(1000).map { scalar -> Unicode.Scalar in
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: " "
            default: scalar
            }
        }
        let words = scalars.split { $0.properties.isWhitespace }.joined(separator: [" "])
        return String(String.UnicodeScalarView(words.prefix(100)))
    }

    /// Formats a non-negative number with a fixed number of decimals, rounded to the nearest.
    static func decimal(_ value: Rational, places: Int) -> String {
        let unit = (0..<places).reduce(Int64(1)) { unit, _ in unit * 10 }
        return decimal((value * Rational(unit)).rounded, unit: unit, places: places)
    }

    fileprivate static func decimal(_ count: Int64, unit: Int64, places: Int) -> String {
        let fraction = String(count % unit)
        return "\(count / unit)." + String(repeating: "0", count: places - fraction.count) + fraction
    }
}

/// Prints durations to the microsecond without accumulating rounding errors: each duration ends at the rounded exact
/// instant, so a remainder carries over to the next one.
private struct MicrosecondClock {
    private var exact = Rational.zero
    private var printed: Int64 = 0

    mutating func advance(by duration: Rational) -> String {
        exact = exact + duration
        let instant = (exact * Rational(1_000_000)).rounded
        defer { printed = instant }
        return HLSPlaylist.decimal(max(0, instant - printed), unit: 1_000_000, places: 6)
    }
}

/// A BCP 47 (RFC 5646) language tag: the shortest available code, `en` and not `eng`.
///
/// Containers carry terminological (`deu`) or bibliographic (`ger`) ISO 639-2 codes, or arbitrary text. Anything that
/// is not a tag becomes `und`.
struct LanguageTag {
    let text: String
    /// The language's own name for a common language, otherwise the tag; nil if the language is unknown.
    let name: String?

    init(_ code: String) {
        let subtags = code.split(omittingEmptySubsequences: false) { $0 == "-" || $0 == "_" }
        let isWellFormed = subtags.allSatisfy { subtag in
            (1...8).contains(subtag.utf8.count) && subtag.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber) }
        }
        guard isWellFormed, code.utf8.count <= 35, let first = subtags.first?.lowercased(),
            (2...3).contains(first.count), first.allSatisfy(\.isLetter), first != "und"
        else {
            (text, name) = ("und", nil)
            return
        }
        let known = Self.common.first { $0.codes.contains(first) }
        text = ([known?.codes.first ?? first] + subtags.dropFirst().map(String.init)).joined(separator: "-")
        name = known?.name ?? text
    }

    /// The ISO 639-1 code comes first, then the ISO 639-2 codes.
    private static let common: [(codes: [String], name: String)] = [
        (["ar", "ara"], "العربية"), (["bg", "bul"], "Български"), (["bn", "ben"], "বাংলা"), (["ca", "cat"], "Català"),
        (["cs", "ces", "cze"], "Čeština"), (["cy", "cym", "wel"], "Cymraeg"), (["da", "dan"], "Dansk"),
        (["de", "deu", "ger"], "Deutsch"), (["el", "ell", "gre"], "Ελληνικά"), (["en", "eng"], "English"),
        (["es", "spa"], "Español"), (["et", "est"], "Eesti"), (["eu", "eus", "baq"], "Euskara"),
        (["fa", "fas", "per"], "فارسی"), (["fi", "fin"], "Suomi"), (["fr", "fra", "fre"], "Français"),
        (["ga", "gle"], "Gaeilge"), (["gl", "glg"], "Galego"), (["he", "heb"], "עברית"), (["hi", "hin"], "हिन्दी"),
        (["hr", "hrv"], "Hrvatski"), (["hu", "hun"], "Magyar"), (["id", "ind"], "Bahasa Indonesia"),
        (["is", "isl", "ice"], "Íslenska"), (["it", "ita"], "Italiano"), (["ja", "jpn"], "日本語"),
        (["ko", "kor"], "한국어"), (["lt", "lit"], "Lietuvių"), (["lv", "lav"], "Latviešu"),
        (["ms", "msa", "may"], "Bahasa Melayu"), (["nb", "nob"], "Norsk bokmål"), (["nl", "nld", "dut"], "Nederlands"),
        (["nn", "nno"], "Norsk nynorsk"), (["no", "nor"], "Norsk"), (["pl", "pol"], "Polski"),
        (["pt", "por"], "Português"), (["ro", "ron", "rum"], "Română"), (["ru", "rus"], "Русский"),
        (["sk", "slk", "slo"], "Slovenčina"), (["sl", "slv"], "Slovenščina"), (["sr", "srp"], "Српски"),
        (["sv", "swe"], "Svenska"), (["ta", "tam"], "தமிழ்"), (["te", "tel"], "తెలుగు"), (["th", "tha"], "ไทย"),
        (["tr", "tur"], "Türkçe"), (["uk", "ukr"], "Українська"), (["ur", "urd"], "اردو"),
        (["vi", "vie"], "Tiếng Việt"), (["zh", "zho", "chi"], "中文"),
    ]
}
