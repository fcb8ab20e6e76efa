/// A rendition of a plan that is made of segments: a rung of the ladder or an audio track.
///
/// Code that needs the objects or the duration of renditions loops over `Plan.renditions`, independently of their kind.
/// `ClairoMedia` adds the operations that depend on the kind.
public protocol SegmentedRendition: RenditionKeys {
    /// Number of segments.
    var segmentCount: Int { get }
    /// Presented length in seconds.
    var duration: Rational { get }
    /// Ticks per second of the timestamps in its segments.
    var timescale: Int64 { get }
    /// The duration of a frame or an access unit in seconds, which is the resolution of all measurements.
    var unitDuration: Rational { get }
    /// Every object that must exist before playlists may be written: the init segment if there is one, then the
    /// segments in order, and what else the rendition is made of.
    var objectKeys: [ObjectKey] { get }
}

/// A rendition that one task makes as a whole.
public protocol TrackPlan: SegmentedRendition {
    /// The attempt that made the track, if not the first; see `Rung.laterAttempts`.
    var laterAttempt: Int? { get set }
}

extension SegmentedRendition {
    /// Keys of its segments, in order.
    public var segmentKeys: [ObjectKey] { (0..<segmentCount).map(segmentKey) }

    public var objectKeys: [ObjectKey] { (kind.hasInitSegment ? [initKey] : []) + segmentKeys }

    /// Whether all segment names depend on the index alone, because first attempts made all segments.
    public var hasPlainNames: Bool { (0..<segmentCount).allSatisfy { attempt(ofSegment: $0) == 1 } }
}

/// A rung with its video plan, which has the grid.
public struct PlannedRung: SegmentedRendition, Hashable {
    /// The rung.
    public var rung: Rung
    /// The plan of the video, which all rungs share.
    public var video: VideoPlan

    public init(_ rung: Rung, of video: VideoPlan) {
        self.rung = rung
        self.video = video
    }

    /// Always video.
    public var kind: RenditionKind { rung.kind }
    /// Id of the rung.
    public var id: String { rung.id }
    public func attempt(ofSegment index: Int) -> Int { rung.attempt(ofSegment: index) }
    /// Number of segments.
    public var segmentCount: Int { video.grid.segmentCount }
    /// Duration that is presented.
    public var duration: Rational { video.grid.duration }
    /// Ticks per second of the timestamps in its segments.
    public var timescale: Int64 { video.grid.timescale }
    /// Duration of a frame.
    public var unitDuration: Rational { video.grid.frameRate.inverse }
}

extension VideoPlan {
    /// The rungs, wave by wave.
    public var renditions: [PlannedRung] { rungs.map { PlannedRung($0, of: self) } }
}

extension Plan {
    /// All segmented renditions: the rungs, then the tracks.
    public var renditions: [any SegmentedRendition] { (video?.renditions ?? []) + tracks.map { $0 } }

    /// The folders that hold nothing but the objects of renditions.
    public var folders: [String] {
        // The whole files of text are beside the folders of their segments.
        renditions.filter { $0.kind != .text }.map(\.folder)
            + ((text ?? []).isEmpty ? [] : [OutputLayout.folder(of: .text)])
    }

    /// The tracks, each of which one `track` task makes. The task's index is the index here.
    public var tracks: [any TrackPlan] { audio + (text ?? []) }

    /// Whether segments are a part of the output. Progressive files replace them if nothing refers to them.
    public var publishesSegments: Bool { publishesStreams && settings.segments == .files }

    /// Whether each rendition of media segments is published as one file.
    public var publishesSingleFiles: Bool { publishesStreams && settings.segments == .single }

    /// Whether a playlist or a manifest refers to segments, wherever they are.
    public var publishesStreams: Bool { settings.formats != [.mp4] }

    /// The objects of tasks that are a part of the output. Text is, in any case.
    public var publishedKeys: [ObjectKey] {
        if publishesSegments { return segmentKeys }
        return (text ?? []).flatMap { publishesStreams ? $0.objectKeys : [$0.wholeKey] }
    }

    /// Every object that must exist before playlists may be written.
    public var segmentKeys: [ObjectKey] { renditions.flatMap(\.objectKeys) }

    /// Init segments that every chunk's encoders write, and that must be the same in all of them.
    public var sharedInitKeys: Set<ObjectKey> { Set((video?.rungs ?? []).map(\.initKey)) }

    /// Whether a task stores the init segments that it makes: each wave's first chunk does so for all chunks.
    public func storesInits(_ kind: WorkTask.Kind, index: Int) -> Bool {
        kind != .chunk || !chunks.indices.contains(index) || chunks[index].segments.lowerBound == 0
    }

    /// Notes what was measured of a track of audio.
    public mutating func note(_ loudness: AudioLoudness, ofTrack index: Int) {
        guard audio.indices.contains(index) else { return }
        audio[index].loudness = loudness
    }

    /// Notes the attempt that made a task's segments, which are named after it. The first chunk of a wave makes all of
    /// its rungs that are copied.
    public mutating func note(attempt: Int, of kind: WorkTask.Kind, index: Int) {
        guard attempt > 1 else { return }
        switch kind {
        case .plan, .finish: break
        case .chunk: video?.note(attempt: attempt, of: chunks[index])
        case .track where index < audio.count: audio[index].laterAttempt = attempt
        case .track: text?[index - audio.count].laterAttempt = attempt
        }
    }
}

extension VideoPlan {
    fileprivate mutating func note(attempt: Int, of chunk: Chunk) {
        for index in rungs(ofWave: chunk.wave) where !rungs[index].isCopy || chunk.segments.lowerBound == 0 {
            let segments = rungs[index].isCopy ? 0..<grid.segmentCount : chunk.segments
            rungs[index].laterAttempts =
                (rungs[index].laterAttempts ?? []) + [SegmentAttempt(segments: segments, attempt: attempt)]
        }
    }
}
