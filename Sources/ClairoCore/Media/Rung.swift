/// A planned video rendition.
public struct Rung: Sendable, Codable, Hashable {
    /// The short side and `p`, such as `1080p`. Also the name of its folder.
    public var name: String
    /// Width and height.
    public var size: FrameSize
    /// The maximum bit rate in bits per second (x264's VBV maxrate).
    public var maxRate: Int64
    /// The VBV buffer in bits.
    public var bufferSize: Int64
    /// Set if the source's coded pictures are copied: the number of frames by which decoding order is ahead of
    /// presentation order.
    public var copyReorderDelay: Int?
    /// Segments made by a later attempt than the first. Their names contain the attempt, so that a worker that lost its
    /// claim cannot change them. Nil if all first attempts succeeded.
    public var laterAttempts: [SegmentAttempt]?

    public init(name: String, size: FrameSize, maxRate: Int64, bufferSize: Int64, copyReorderDelay: Int? = nil) {
        self.name = name
        self.size = size
        self.maxRate = maxRate
        self.bufferSize = bufferSize
        self.copyReorderDelay = copyReorderDelay
    }

    /// Whether the source's video is copied without encoding.
    public var isCopy: Bool { copyReorderDelay != nil }
}

extension Rung: RenditionKeys {
    /// Always video.
    public var kind: RenditionKind { .video }
    /// The key of its I-frame playlist.
    public var iframePlaylistKey: ObjectKey { OutputLayout.iframePlaylist(kind, name) }

    public func attempt(ofSegment index: Int) -> Int {
        laterAttempts?.first { $0.segments.contains(index) }?.attempt ?? 1
    }
}

/// The attempt that made a range of segments.
public struct SegmentAttempt: Sendable, Codable, Hashable {
    /// The indexes of the segments.
    public var segments: Range<Int>
    /// The attempt that made them, which is part of their names.
    public var attempt: Int

    public init(segments: Range<Int>, attempt: Int) {
        self.segments = segments
        self.attempt = attempt
    }
}

/// A rung that was considered, and the reason for keeping or dropping it.
public struct LadderDecision: Sendable, Codable, Hashable {
    /// The decision about a rung.
    public enum Verdict: String, Sendable, Codable, Hashable {
        /// Encoded; encoded with the rate of the source; copied without encoding; not made.
        case kept, capped, copied, dropped
    }

    /// Name of the rung, such as `720p`.
    public var name: String
    /// Width and height.
    public var size: FrameSize
    /// The decision.
    public var verdict: Verdict
    /// The reason, for people.
    public var reason: String

    public init(name: String, size: FrameSize, verdict: Verdict, reason: String) {
        self.name = name
        self.size = size
        self.verdict = verdict
        self.reason = reason
    }
}
