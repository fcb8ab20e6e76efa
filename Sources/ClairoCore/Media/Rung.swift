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
    /// Set where the source's own coded pictures are taken and not encoded again: frames by which their decoding order runs ahead
    /// of the order of presentation.
    public var copyReorderDelay: Int?
    /// Segments that a later attempt than the first made, where several workers shared the job: their names say so, so
    /// that a worker whose claim has passed to another cannot change them. Nil where every first attempt went well.
    public var laterAttempts: [SegmentAttempt]?

    public init(name: String, size: FrameSize, maxRate: Int64, bufferSize: Int64, copyReorderDelay: Int? = nil) {
        self.name = name
        self.size = size
        self.maxRate = maxRate
        self.bufferSize = bufferSize
        self.copyReorderDelay = copyReorderDelay
    }

    /// Whether the source's video is taken without encoding it.
    public var isCopy: Bool { copyReorderDelay != nil }
}

extension Rung: RenditionKeys {
    /// Always video.
    public var kind: RenditionKind { .video }
    /// Its HLS playlist of key frames.
    public var iframePlaylistKey: ObjectKey { OutputLayout.iframePlaylist(kind, name) }

    public func attempt(ofSegment index: Int) -> Int {
        laterAttempts?.first { $0.segments.contains(index) }?.attempt ?? 1
    }
}

/// The attempt that made a range of segments.
public struct SegmentAttempt: Sendable, Codable, Hashable {
    /// Segments, from 0.
    public var segments: Range<Int>
    /// Attempt that made them; it is part of their names.
    public var attempt: Int

    public init(segments: Range<Int>, attempt: Int) {
        self.segments = segments
        self.attempt = attempt
    }
}

/// A rung that was considered, and why it was kept or not.
public struct LadderDecision: Sendable, Codable, Hashable {
    /// What became of a rung.
    public enum Verdict: String, Sendable, Codable, Hashable {
        /// Encoded; encoded with the rate of the source; taken without encoding; left out.
        case kept, capped, copied, dropped
    }

    /// Name of the rung, such as `720p`.
    public var name: String
    /// Width and height.
    public var size: FrameSize
    /// What became of it.
    public var verdict: Verdict
    /// Why, for people.
    public var reason: String

    public init(name: String, size: FrameSize, verdict: Verdict, reason: String) {
        self.name = name
        self.size = size
        self.verdict = verdict
        self.reason = reason
    }
}
