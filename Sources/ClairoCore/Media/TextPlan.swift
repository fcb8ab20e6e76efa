public import Foundation

/// A text rendition: subtitles or captions as WebVTT, in segments on the video's boundaries and as a whole file.
public struct TextPlan: Sendable, Codable, Hashable {
    /// Where the text comes from.
    public enum Source: Sendable, Codable, Hashable {
        /// A subtitle stream of the source.
        case stream(index: Int)
        /// Captions within the pictures of a video stream.
        case captions(stream: Int, service: CaptionService)
        /// A file beside the source, which came with the request. The name is for people.
        case file(name: String, sha256: String)
    }

    /// Language and role, such as `eng`, `eng-sdh` or `fra-forced`. Also the name of the folder.
    public var id: String
    /// Where the text comes from.
    public var source: Source
    /// A BCP 47 or ISO 639-2 code; `und` if the source has none.
    public var language: String
    /// What the track is for; nil for subtitles of all that is said.
    public var role: TrackRole?
    /// The title from the source.
    public var title: String?
    /// Whether players show it unless a viewer chooses otherwise.
    public var isDefault: Bool
    /// Presented length in seconds.
    public var duration: Rational
    /// The video's segment boundaries.
    public var segmentBoundaries: [Rational]
    /// The attempt that made the track, if not the first; see `Rung.laterAttempts`.
    public var laterAttempt: Int?

    public init(
        id: String, source: Source, language: String, role: TrackRole? = nil, title: String? = nil,
        isDefault: Bool = false, duration: Rational, segmentBoundaries: [Rational]
    ) {
        self.id = id
        self.source = source
        self.language = language
        self.role = role
        self.title = title
        self.isDefault = isDefault
        self.duration = duration
        self.segmentBoundaries = segmentBoundaries
    }

    /// The id of a track: `eng`, `eng-sdh`. Tracks that would have the same one are numbered: `eng_2`.
    /// - Parameter taken: The ids of the tracks before.
    public static func id(language: String, role: TrackRole?, taken: [String]) -> String {
        let suffix =
            switch role {
            case nil, .main: ""
            case .captions: "-sdh"
            case .commentary, .description, .forced: "-\(role?.rawValue ?? "")"
            }
        let id = language.lowercased() + suffix
        // A hyphen and a number follow the name of a file of a later attempt.
        let numbered = [id] + (2..<taken.count + 2).map { "\(id)_\($0)" }
        return numbered.first { !taken.contains($0) } ?? id
    }

    /// The times of a segment in seconds.
    public func times(ofSegment index: Int) -> Range<Rational> {
        let start = index == 0 ? .zero : segmentBoundaries[index - 1]
        let end = index < segmentBoundaries.count ? segmentBoundaries[index] : duration
        return start..<max(start, end)
    }

    /// The key of the whole file.
    public var wholeKey: ObjectKey { OutputLayout.wholeText(id, attempt: laterAttempt ?? 1) }
}

extension TextPlan: TrackPlan {
    /// Always text.
    public var kind: RenditionKind { .text }
    public func attempt(ofSegment index: Int) -> Int { laterAttempt ?? 1 }
    /// Number of segments.
    public var segmentCount: Int { segmentBoundaries.count + 1 }
    /// WebVTT has milliseconds.
    public var timescale: Int64 { 1000 }
    /// A millisecond.
    public var unitDuration: Rational { Rational(1, 1000) }
    /// The segments in order, then the whole file.
    public var objectKeys: [ObjectKey] { segmentKeys + [wholeKey] }
}

/// A service of closed captions.
public enum CaptionService: Sendable, Codable, Hashable {
    /// A channel of CEA-608, from 1 for CC1 to 4.
    case cea608(channel: Int)
    /// A service of CEA-708, from 1 to 63.
    case cea708(service: Int)

    /// The name in the standards: `CC1`, `SERVICE1`.
    public var name: String {
        switch self {
        case .cea608(let channel): "CC\(channel)"
        case .cea708(let service): "SERVICE\(service)"
        }
    }
}

/// A subtitle file that was given to a command with the source. The request holds its content, so that the task needs no
/// other file.
public struct SubtitleFile: Sendable, Codable, Hashable {
    /// The maximum size in bytes.
    public static let largest = 8 << 20
    /// The maximum number of files.
    public static let most = 32

    /// The file's name without its folder, for people.
    public var name: String
    /// The content.
    public var content: Data
    /// The language as it was given; nil for unknown.
    public var language: String?
    /// The role as it was given.
    public var role: TrackRole?

    public init(name: String, content: Data, language: String? = nil, role: TrackRole? = nil) {
        self.name = name
        self.content = content
        self.language = language
        self.role = role
    }

    /// What a plan says of the file.
    public var source: TextPlan.Source { .file(name: name, sha256: Checksum.sha256(content)) }
}
