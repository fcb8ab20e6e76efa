import ClairoCore

/// Parses HLS playlists as a player would, for `clairo verify`.
///
/// A violation of RFC 8216's syntax is an error with its line. Unknown tags and attributes are ignored, as the RFC
/// requires of clients. Tags that change playback and that Clairo never writes (discontinuities, partial segments) are
/// rejected. Keys are checked elsewhere, because the segments are read decrypted. The caller checks whether the values are consistent (EXTINF within the target duration,
/// existing files). The text is untrusted: sizes are limited, arithmetic is checked, and URIs are returned as written,
/// not resolved.
enum HLSParser {
    static let maximumBytes = 32 << 20
    static let maximumEntries = 1_000_000
    private static let maximumLineBytes = 16_384
    private static let maximumAttributes = 64

    private static let mediaTags: Set<Substring> = [
        "#EXTINF", "#EXT-X-TARGETDURATION", "#EXT-X-MEDIA-SEQUENCE", "#EXT-X-PLAYLIST-TYPE", "#EXT-X-MAP",
        "#EXT-X-BYTERANGE", "#EXT-X-ENDLIST", "#EXT-X-I-FRAMES-ONLY", "#EXT-X-IMAGES-ONLY", "#EXT-X-TILES",
        "#EXT-X-KEY",
    ]
    private static let masterTags: Set<Substring> = [
        "#EXT-X-MEDIA", "#EXT-X-STREAM-INF", "#EXT-X-I-FRAME-STREAM-INF", "#EXT-X-SESSION-DATA", "#EXT-X-SESSION-KEY",
        "#EXT-X-IMAGE-STREAM-INF",
    ]
    private static let refusedTags: Set<Substring> = [
        "#EXT-X-DISCONTINUITY", "#EXT-X-DISCONTINUITY-SEQUENCE", "#EXT-X-GAP",
        "#EXT-X-PART", "#EXT-X-SKIP", "#EXT-X-DEFINE",
    ]

    // MARK: Multivariant playlist

    /// Parses a multivariant playlist from UTF-8 text.
    static func master(_ utf8: some BidirectionalCollection<UInt8>) throws(HLSParseError) -> HLSMaster {
        var master = HLSMaster()
        var once: Set<Substring> = []
        var pending: HLSAttributes?
        for line in try lines(utf8) {
            guard let tag = line.tag else {
                guard let attributes = pending else {
                    throw line.error("a URI without EXT-X-STREAM-INF before it")
                }
                pending = nil
                master.variants.append(try HLSVariant(attributes, uri: String(line.text)))
                continue
            }
            if let pending { throw pending.line.error("EXT-X-STREAM-INF is not followed by a URI") }
            try refuse(tag, mediaTags, line, "a tag of media playlists in a multivariant playlist")
            switch tag {
            case "#EXT-X-VERSION":
                master.version = try line.onlyOnce(&once).integer(1...99)
            case "#EXT-X-INDEPENDENT-SEGMENTS":
                try line.onlyOnce(&once).expectNoValue()
                master.hasIndependentSegments = true
            case "#EXT-X-MEDIA":
                master.media.append(try HLSMedia(try attributes(line)))
            case "#EXT-X-STREAM-INF":
                pending = try attributes(line)
            case "#EXT-X-I-FRAME-STREAM-INF":
                master.iframeStreams.append(try HLSIFrameStream(try attributes(line)))
            case "#EXT-X-IMAGE-STREAM-INF":
                master.imageStreams.append(try HLSImageStream(try attributes(line)))
            case "#EXT-X-SESSION-KEY":
                guard try attributes(line).enumerated("METHOD") != "NONE" else {
                    throw line.error("a key of the session without a method")
                }
            default:
                break
            }
        }
        if let pending { throw pending.line.error("EXT-X-STREAM-INF is not followed by a URI") }
        guard !master.variants.isEmpty else { throw HLSParseError(line: 1, text: "", reason: "no variant") }
        let groups = Set(master.media.map { [$0.type, $0.groupID] })
        for variant in master.variants {
            for (type, group) in [("AUDIO", variant.audioGroup), ("SUBTITLES", variant.subtitlesGroup)] {
                guard let group, !groups.contains([type, group]) else { continue }
                throw HLSParseError(
                    line: variant.line, text: group, reason: "no EXT-X-MEDIA defines this \(type.lowercased()) group")
            }
        }
        return master
    }

    // MARK: Media playlist

    /// Parses a media playlist, or an I-frame playlist, from UTF-8 text.
    static func media(_ utf8: some BidirectionalCollection<UInt8>) throws(HLSParseError) -> HLSMediaPlaylist {
        var playlist = HLSMediaPlaylist()
        var once: Set<Substring> = []
        var duration: (text: String, value: Rational, line: Line)?
        var range: (length: Int64, offset: Int64?, line: Line)?
        var tiles: HLSTiles?
        for line in try lines(utf8) {
            guard let tag = line.tag else {
                guard let extinf = duration else { throw line.error("a segment without EXTINF before it") }
                var segment = HLSSegment(
                    uri: String(line.text), durationText: extinf.text, duration: extinf.value, byteRange: nil,
                    line: line.number)
                if let range {
                    segment.byteRange = try byteRange(range, of: segment.uri, after: playlist.segments.last)
                }
                segment.tiles = tiles
                guard playlist.segments.count < maximumEntries else { throw line.error("too many segments") }
                playlist.segments.append(segment)
                (duration, range, tiles) = (nil, nil, nil)
                continue
            }
            try refuse(tag, masterTags, line, "a tag of multivariant playlists in a media playlist")
            switch tag {
            case "#EXT-X-VERSION":
                playlist.version = try line.onlyOnce(&once).integer(1...99)
            case "#EXT-X-TARGETDURATION":
                playlist.targetDuration = try line.onlyOnce(&once).integer(1...1_000_000)
            case "#EXT-X-MEDIA-SEQUENCE":
                guard playlist.segments.isEmpty else { throw line.error("must come before the first segment") }
                playlist.mediaSequence = try line.onlyOnce(&once).integer(0...Int.max)
            case "#EXT-X-PLAYLIST-TYPE":
                let type = String(try line.onlyOnce(&once).value())
                guard type == "VOD" || type == "EVENT" else { throw line.error("neither VOD nor EVENT") }
                playlist.type = type
            case "#EXT-X-INDEPENDENT-SEGMENTS":
                try line.onlyOnce(&once).expectNoValue()
                playlist.hasIndependentSegments = true
            case "#EXT-X-I-FRAMES-ONLY":
                try line.onlyOnce(&once).expectNoValue()
                playlist.isIFramesOnly = true
            case "#EXT-X-IMAGES-ONLY":
                try line.onlyOnce(&once).expectNoValue()
                playlist.isImagesOnly = true
            case "#EXT-X-TILES":
                tiles = try HLSTiles(try attributes(line))
            case "#EXT-X-ENDLIST":
                try line.onlyOnce(&once).expectNoValue()
                playlist.hasEndList = true
            case "#EXT-X-MAP":
                guard playlist.segments.isEmpty else { throw line.error("must come before the first segment") }
                let map = try attributes(line.onlyOnce(&once))
                playlist.map = try map.required("URI", map.quoted("URI"))
                if let text = try map.quoted("BYTERANGE") {
                    let range = try rangeValue(text[...], line)
                    guard range.offset == 0 else { throw line.error("EXT-X-MAP is not the front of a file") }
                    playlist.mapLength = range.length
                }
            case "#EXTINF":
                guard duration == nil else { throw line.error("two EXTINF for one segment") }
                duration = try extinf(line)
            case "#EXT-X-BYTERANGE":
                guard range == nil else { throw line.error("two EXT-X-BYTERANGE for one segment") }
                range = try rangeValue(line.value(), line)
            default:
                break
            }
        }
        if let line = duration?.line ?? range?.line { throw line.error("no segment follows") }
        guard playlist.targetDuration > 0 else {
            throw HLSParseError(line: 1, text: "", reason: "EXT-X-TARGETDURATION is missing")
        }
        return playlist
    }

    private static func extinf(_ line: Line) throws(HLSParseError) -> (text: String, value: Rational, line: Line) {
        let value = try line.value()
        guard let comma = value.firstIndex(of: ",") else { throw line.error("no comma after the duration") }
        guard let duration = StrictNumber.decimal(value[..<comma]) else {
            throw line.error("the duration is not a decimal number of at most nine digits on each side")
        }
        return (String(value[..<comma]), duration, line)
    }

    private static func rangeValue(
        _ text: Substring, _ line: Line
    ) throws(HLSParseError) -> (length: Int64, offset: Int64?, line: Line) {
        let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
        guard let length = StrictNumber.integer(parts[0]), length > 0 else { throw line.error("not length@offset") }
        guard parts.count == 2 else { return (length, nil, line) }
        guard let offset = StrictNumber.integer(parts[1]) else { throw line.error("not length@offset") }
        return (length, offset, line)
    }

    /// Parses a byte range. Without an offset it continues the previous range of the same file.
    private static func byteRange(
        _ range: (length: Int64, offset: Int64?, line: Line), of uri: String, after previous: HLSSegment?
    ) throws(HLSParseError) -> Range<Int64> {
        var start = range.offset
        if start == nil, let previous, previous.uri == uri { start = previous.byteRange?.upperBound }
        guard let start else { throw range.line.error("no offset, and no range of the same file before it") }
        let (end, overflow) = start.addingReportingOverflow(range.length)
        guard !overflow else { throw range.line.error("the range ends beyond any file") }
        return start..<end
    }

    // MARK: Lines and attribute lists

    /// A line that is neither empty nor a comment.
    struct Line {
        var number: Int
        var text: Substring

        /// The name of the tag including `#`, or nil for a URI.
        var tag: Substring? { text.hasPrefix("#EXT") ? text.prefix { $0 != ":" } : nil }

        func error(_ reason: String) -> HLSParseError {
            HLSParseError(line: number, text: String(text.prefix(200)), reason: reason)
        }

        /// The text after the colon.
        func value() throws(HLSParseError) -> Substring {
            guard let colon = text.firstIndex(of: ":") else { throw error("no value") }
            return text[text.index(after: colon)...]
        }

        func expectNoValue() throws(HLSParseError) {
            guard !text.contains(":") else { throw error("this tag has no value") }
        }

        func integer(_ range: ClosedRange<Int>) throws(HLSParseError) -> Int {
            guard let number = StrictNumber.integer(try value()), let value = Int(exactly: number),
                range.contains(value)
            else { throw error("not a whole number from \(range.lowerBound) to \(range.upperBound)") }
            return value
        }

        @discardableResult
        func onlyOnce(_ seen: inout Set<Substring>) throws(HLSParseError) -> Line {
            guard let tag, seen.insert(tag).inserted else { throw error("this tag may appear once only") }
            return self
        }
    }

    private static func refuse(
        _ tag: Substring, _ wrong: Set<Substring>, _ line: Line, _ reason: String
    ) throws(HLSParseError) {
        if wrong.contains(tag) { throw line.error(reason) }
        if refusedTags.contains(tag) { throw line.error("a tag that Clairo does not write and does not read") }
    }

    /// Splits a playlist into tags and URIs after checking its size, encoding and first line.
    private static func lines(_ utf8: some BidirectionalCollection<UInt8>) throws(HLSParseError) -> [Line] {
        func failure(_ number: Int, _ reason: String) -> HLSParseError {
            HLSParseError(line: number, text: "", reason: reason)
        }
        guard utf8.count <= maximumBytes else { throw failure(1, "larger than \(maximumBytes) bytes") }
        var lines: [Line] = []
        var number = 0
        // Slices of an array are much cheaper than slices of Data.
        var rest = Array(utf8)[...]
        repeat {
            number += 1
            var bytes = rest.prefix { $0 != UInt8(ascii: "\n") }
            rest = rest[bytes.endIndex...].dropFirst()
            if bytes.last == UInt8(ascii: "\r") { bytes = bytes.dropLast() }
            guard bytes.count <= maximumLineBytes else {
                throw failure(number, "longer than \(maximumLineBytes) bytes")
            }
            guard let text = String(validating: bytes, as: UTF8.self) else { throw failure(number, "not UTF-8") }
            if number == 1 {
                guard text == "#EXTM3U" else { throw failure(1, "the first line is not #EXTM3U") }
                continue
            }
            let line = Line(number: number, text: text[...])
            guard text.unicodeScalars.allSatisfy({ $0.properties.generalCategory != .control }) else {
                throw line.error("a control character")
            }
            guard !text.isEmpty, !text.hasPrefix("#") || text.hasPrefix("#EXT") else { continue }
            guard text != "#EXTM3U" else { throw line.error("this tag may appear once only") }
            guard line.tag != nil || !text.contains(where: \.isWhitespace) else { throw line.error("a space in a URI") }
            guard lines.count < 3 * maximumEntries else { throw line.error("too many lines") }
            lines.append(line)
        } while !rest.isEmpty
        return lines
    }

    /// Parses an attribute list (RFC 8216, 4.2).
    static func attributes(_ line: Line) throws(HLSParseError) -> HLSAttributes {
        var attributes = HLSAttributes(line: line, values: [:])
        var rest = try line.value().utf8[...]
        while true {
            let name = rest.prefix { isNameByte($0) }
            rest = rest.dropFirst(name.count)
            guard !name.isEmpty, rest.popFirst() == UInt8(ascii: "=") else { throw line.error("no NAME=value") }
            var value: HLSAttributes.Value
            if rest.first == UInt8(ascii: "\"") {
                rest.removeFirst()
                let text = rest.prefix { $0 != UInt8(ascii: "\"") }
                rest = rest.dropFirst(text.count)
                guard rest.popFirst() != nil else { throw line.error("a quoted string has no end") }
                value = HLSAttributes.Value(text: String(Substring(text)), isQuoted: true)
            } else {
                let text = rest.prefix { $0 != UInt8(ascii: ",") }
                rest = rest.dropFirst(text.count)
                guard !text.isEmpty, text.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") }) else {
                    throw line.error("\(Substring(name)) has no value, or one with quotes or spaces inside")
                }
                value = HLSAttributes.Value(text: String(Substring(text)), isQuoted: false)
            }
            guard attributes.values.updateValue(value, forKey: String(Substring(name))) == nil else {
                throw line.error("\(Substring(name)) appears twice")
            }
            guard attributes.values.count <= maximumAttributes else { throw line.error("too many attributes") }
            guard let separator = rest.popFirst() else { return attributes }
            guard separator == UInt8(ascii: ",") else { throw line.error("no comma after \(Substring(name))") }
        }
    }

    /// Whether a byte is `A`…`Z`, `0`…`9` or `-`.
    private static func isNameByte(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
            || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
    }
}

/// A violation of the rules in a playlist, with its line.
struct HLSParseError: Error, Equatable, CustomStringConvertible {
    /// Counted from 1.
    var line: Int
    /// The line as written, cut to 200 characters; empty if the problem is not in a single line.
    var text: String
    var reason: String

    var description: String { "line \(line): \(reason)" + (text.isEmpty ? "" : " (\(text))") }
}

/// A parsed multivariant playlist.
struct HLSMaster: Equatable {
    /// The version; 1 if the tag is missing (RFC 8216, 4.3.1.2).
    var version = 1
    var hasIndependentSegments = false
    var media: [HLSMedia] = []
    var variants: [HLSVariant] = []
    var iframeStreams: [HLSIFrameStream] = []
    var imageStreams: [HLSImageStream] = []
}

/// An EXT-X-MEDIA tag.
struct HLSMedia: Equatable {
    /// `AUDIO`, `VIDEO`, `SUBTITLES` or `CLOSED-CAPTIONS`.
    var type: String
    var groupID: String
    var name: String
    var language: String?
    var isDefault: Bool
    var isAutoselect: Bool
    var channels: String?
    var characteristics: String?
    var isForced: Bool
    var uri: String?
    var line: Int

    init(_ attributes: HLSAttributes) throws(HLSParseError) {
        type = try attributes.required("TYPE", attributes.enumerated("TYPE"))
        guard ["AUDIO", "VIDEO", "SUBTITLES", "CLOSED-CAPTIONS"].contains(type) else {
            throw attributes.line.error("TYPE is not AUDIO, VIDEO, SUBTITLES or CLOSED-CAPTIONS")
        }
        groupID = try attributes.required("GROUP-ID", attributes.quoted("GROUP-ID"))
        name = try attributes.required("NAME", attributes.quoted("NAME"))
        language = try attributes.quoted("LANGUAGE")
        isDefault = try attributes.flag("DEFAULT")
        isAutoselect = try attributes.flag("AUTOSELECT")
        channels = try attributes.quoted("CHANNELS")
        characteristics = try attributes.quoted("CHARACTERISTICS")
        isForced = try attributes.flag("FORCED")
        uri = try attributes.quoted("URI")
        line = attributes.line.number
        // RFC 8216, 4.3.4.1.
        guard !isDefault || isAutoselect else { throw attributes.line.error("DEFAULT=YES with AUTOSELECT=NO") }
    }
}

/// An EXT-X-STREAM-INF tag and its URI.
struct HLSVariant: Equatable {
    var uri: String
    /// Bits per second.
    var bandwidth: Int64
    var averageBandwidth: Int64?
    var codecs: [String]
    var resolution: FrameSize?
    var frameRate: Rational?
    var videoRange: String?
    var audioGroup: String?
    var subtitlesGroup: String?
    var line: Int

    init(_ attributes: HLSAttributes, uri: String) throws(HLSParseError) {
        self.uri = uri
        bandwidth = try attributes.required("BANDWIDTH", attributes.rate("BANDWIDTH"))
        averageBandwidth = try attributes.rate("AVERAGE-BANDWIDTH")
        codecs = try attributes.codecs()
        resolution = try attributes.resolution()
        frameRate = try attributes.frameRate()
        videoRange = try attributes.enumerated("VIDEO-RANGE")
        audioGroup = try attributes.quoted("AUDIO")
        subtitlesGroup = try attributes.quoted("SUBTITLES")
        line = attributes.line.number
    }
}

/// An EXT-X-I-FRAME-STREAM-INF tag.
struct HLSIFrameStream: Equatable {
    var uri: String
    /// Bits per second.
    var bandwidth: Int64
    var averageBandwidth: Int64?
    var codecs: [String]
    var resolution: FrameSize?
    var videoRange: String?
    var line: Int

    init(_ attributes: HLSAttributes) throws(HLSParseError) {
        uri = try attributes.required("URI", attributes.quoted("URI"))
        bandwidth = try attributes.required("BANDWIDTH", attributes.rate("BANDWIDTH"))
        averageBandwidth = try attributes.rate("AVERAGE-BANDWIDTH")
        codecs = try attributes.codecs()
        resolution = try attributes.resolution()
        videoRange = try attributes.enumerated("VIDEO-RANGE")
        line = attributes.line.number
    }
}

/// An EXT-X-IMAGE-STREAM-INF tag.
struct HLSImageStream: Equatable {
    var uri: String
    /// Bits per second.
    var bandwidth: Int64
    var codecs: [String]
    /// The size of a tile.
    var resolution: FrameSize?
    var line: Int

    init(_ attributes: HLSAttributes) throws(HLSParseError) {
        uri = try attributes.required("URI", attributes.quoted("URI"))
        bandwidth = try attributes.required("BANDWIDTH", attributes.rate("BANDWIDTH"))
        codecs = try attributes.codecs()
        resolution = try attributes.resolution()
        line = attributes.line.number
    }
}

/// A parsed media playlist.
struct HLSMediaPlaylist: Equatable {
    /// The version; 1 if the tag is missing (RFC 8216, 4.3.1.2).
    var version = 1
    /// Seconds.
    var targetDuration = 0
    var mediaSequence = 0
    /// `VOD`, `EVENT` or nil.
    var type: String?
    var hasIndependentSegments = false
    var isIFramesOnly = false
    var isImagesOnly = false
    var hasEndList = false
    /// URI of the initialization segment.
    var map: String?
    /// The size of the initialization segment at the front of a file that has more; nil for the whole file.
    var mapLength: Int64?
    var segments: [HLSSegment] = []
}

/// A segment of a media playlist.
struct HLSSegment: Equatable {
    var uri: String
    /// The duration in EXTINF as written.
    var durationText: String
    /// Seconds.
    var duration: Rational
    /// The byte range in the file, or nil for the whole file.
    var byteRange: Range<Int64>?
    /// The line of the URI.
    var line: Int
    /// The pictures in it, if it is a sheet of several.
    var tiles: HLSTiles?
}

/// An EXT-X-TILES tag.
struct HLSTiles: Equatable {
    /// The size of a tile.
    var size: FrameSize
    var columns: Int
    var rows: Int
    /// The seconds from one tile to the next.
    var duration: Rational

    init(_ attributes: HLSAttributes) throws(HLSParseError) {
        size = try attributes.required("RESOLUTION", attributes.size("RESOLUTION"))
        // The layout has the form of a size.
        let layout = try attributes.required("LAYOUT", attributes.size("LAYOUT"))
        (columns, rows) = (layout.width, layout.height)
        let text = try attributes.required("DURATION", attributes.enumerated("DURATION"))
        guard let seconds = StrictNumber.decimal(text), seconds > .zero else {
            throw attributes.line.error("DURATION is not a time")
        }
        duration = seconds
    }
}

/// An attribute list and its line. The accessors check an attribute's type and return nil for a missing one.
struct HLSAttributes {
    struct Value: Equatable {
        var text: String
        var isQuoted: Bool
    }

    var line: HLSParser.Line
    var values: [String: Value]

    func required<T>(_ name: String, _ value: T?) throws(HLSParseError) -> T {
        guard let value else { throw line.error("\(name) is missing") }
        return value
    }

    func quoted(_ name: String) throws(HLSParseError) -> String? {
        guard let value = values[name] else { return nil }
        guard value.isQuoted, !value.text.isEmpty else { throw line.error("\(name) is not a quoted string") }
        return value.text
    }

    func enumerated(_ name: String) throws(HLSParseError) -> String? {
        guard let value = values[name] else { return nil }
        guard !value.isQuoted else { throw line.error("\(name) must not be quoted") }
        return value.text
    }

    /// Reads `YES` or `NO`; a missing attribute means no.
    func flag(_ name: String) throws(HLSParseError) -> Bool {
        switch try enumerated(name) {
        case "YES": return true
        case "NO", nil: return false
        default: throw line.error("\(name) is neither YES nor NO")
        }
    }

    func rate(_ name: String) throws(HLSParseError) -> Int64? {
        guard let text = try enumerated(name) else { return nil }
        guard let rate = StrictNumber.integer(text), rate > 0 else { throw line.error("\(name) is not a rate") }
        return rate
    }

    func codecs() throws(HLSParseError) -> [String] {
        guard let text = try quoted("CODECS") else { return [] }
        let codecs = text.split(separator: ",", omittingEmptySubsequences: false)
        guard codecs.allSatisfy({ !$0.isEmpty && !$0.contains(where: \.isWhitespace) }) else {
            throw line.error("CODECS is not a list separated by commas")
        }
        return codecs.map(String.init)
    }

    func resolution() throws(HLSParseError) -> FrameSize? { try size("RESOLUTION") }

    func size(_ name: String) throws(HLSParseError) -> FrameSize? {
        guard let text = try enumerated(name) else { return nil }
        let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { StrictNumber.integer($0) }
        guard sides.count == 2, let width = sides[0], let height = sides[1],
            (1...65_536).contains(width), (1...65_536).contains(height)
        else { throw line.error("\(name) is not <width>x<height>") }
        return FrameSize(width: Int(width), height: Int(height))
    }

    func frameRate() throws(HLSParseError) -> Rational? {
        guard let text = try enumerated("FRAME-RATE") else { return nil }
        guard let rate = StrictNumber.decimal(text), rate > .zero else { throw line.error("FRAME-RATE is not a rate") }
        return rate
    }
}

/// Parses numbers of playlists and manifests: ASCII digits only, no sign, no overflow.
enum StrictNumber {
    static func integer(_ text: some StringProtocol) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
            return nil
        }
        return Int64(text)
    }

    /// Parses `6` or `6.006`, with at most nine digits before the point and nine after it.
    static func decimal(_ text: some StringProtocol) -> Rational? {
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ (1...9).contains($0.utf8.count) }),
            let first = parts.first, let whole = integer(first)
        else { return nil }
        guard parts.count == 2 else { return Rational(whole) }
        guard let fraction = integer(parts[1]) else { return nil }
        let unit = (0..<parts[1].utf8.count).reduce(Int64(1)) { unit, _ in unit * 10 }
        return Rational(whole * unit + fraction, unit)
    }
}
