internal import ClairoCore

/// Decides which audio renditions are made: which tracks of the source, in which formats, and under which ids. Pure
/// functions.
struct AudioPlanner {
    /// A track of the source.
    struct Source {
        var stream: AudioStream
        /// The right channel if the stream is the left one of two mono streams.
        var right: AudioStream?

        var role: TrackRole { stream.role ?? .main }
        var channels: Int { right == nil ? stream.channels : 2 }
        var end: Double { max(stream.end, right?.end ?? stream.end) }
        /// Whether it has 5.0 or more.
        var isSurround: Bool { right == nil && stream.isSurround }

        /// Whether another source is the main track of the same language: a mix of it for other loudspeakers.
        func isSameTrack(as other: Source) -> Bool {
            role == .main && other.role == .main
                && ISO639.code(stream.language) == ISO639.code(other.stream.language)
        }
    }

    /// What a format gives for a track.
    private struct Output {
        var format: AudioFormat
        var channels: Int
        var bitRate: Int64
    }

    /// A variant of a rung this small stays below 192 kbit/s only with less audio.
    private static let smallSide = 360
    /// The largest number of audio renditions of an output.
    private static let mostRenditions = 64
    /// The largest number of renditions that a format gives for a track.
    private static let mostPerFormat = 2

    let sources: [Source]
    let settings: TranscodeSettings
    /// The number of tracks that are left out because there are too many.
    private let surplus: Int

    /// The tracks that the settings select, the default one first.
    init(_ info: MediaInfo, pairs: [Int: Int], settings: TranscodeSettings) {
        let rightChannels = Set(pairs.values)
        let all = info.primaryAudio.filter { !rightChannels.contains($0.index) }.map { stream in
            Source(
                stream: stream, right: pairs[stream.index].flatMap { index in info.audio.first { $0.index == index } })
        }
        let wanted = Set((settings.audioLanguages ?? []).map(ISO639.threeLetters))
        let selected = all.filter { wanted.contains(ISO639.threeLetters(ISO639.code($0.stream.language))) }
        // A video in another language is better than one without sound.
        let used = (wanted.isEmpty || selected.isEmpty ? all : selected).filter { source in
            !Self.formats(of: source, among: all, settings: settings).isEmpty
        }
        sources = Array(used.prefix(Self.mostRenditions))
        surplus = used.count - sources.count
        self.settings = settings
    }

    /// Whether each track is made in its first format only, because there are so many tracks.
    private var isReduced: Bool {
        sources.count * Self.mostPerFormat * (settings.audio?.count ?? 2) > Self.mostRenditions && sources.count > 1
    }

    /// The streams of all selected tracks.
    var streams: [AudioStream] { sources.flatMap { [$0.stream] + [$0.right].compactMap { $0 } } }

    /// What was asked for and cannot be made.
    var warnings: [MediaWarning] {
        guard !sources.isEmpty else { return [] }
        var warnings: [MediaWarning] = []
        let present = Set(sources.map { ISO639.threeLetters(ISO639.code($0.stream.language)) })
        let missing = (settings.audioLanguages ?? []).filter { !present.contains(ISO639.threeLetters($0)) }
        if !missing.isEmpty {
            let isNone = missing.count == settings.audioLanguages?.count
            warnings.append(
                MediaWarning(
                    .audioUnavailable,
                    "the source has no audio in \(missing.joined(separator: ", "))"
                        + (isNone ? "; all its languages are used instead" : "")))
        }
        if let surround = settings.audio?.filter(\.isSurround), !surround.isEmpty,
            !sources.contains(where: \.isSurround)
        {
            let isAll = surround.count == settings.audio?.count
            warnings.append(
                MediaWarning(
                    .audioUnavailable,
                    "the source has no surround sound, so there is no audio in "
                        + surround.map(\.rawValue).joined(separator: ", ") + (isAll ? "; aac is made instead" : "")))
        }
        if isReduced {
            warnings.append(
                MediaWarning(
                    .audioUnavailable,
                    "the source has \(sources.count + surplus) audio tracks; each is made in one format only"
                        + (surplus > 0 ? ", and \(surplus) of them are left out" : ""),
                    advice: "Select languages with --audio-language (in a profile: audio-language)."))
        }
        return warnings
    }

    /// The renditions, those of the default track first.
    /// - Parameters:
    ///   - rungs: The rungs of the video; empty without video.
    ///   - length: The length of the output in seconds.
    ///   - origin: The time in the source that becomes 0.
    ///   - boundaries: The ends of all segments except for the last.
    ///   - slack: How much longer than the output audio may be.
    ///   - video: The video, whose delay the renditions get, and after which they do not end.
    func plan(
        rungs: [Rung], length: Rational, origin: Rational, boundaries: [Rational], slack: Rational,
        video: VideoPlan? = nil
    ) -> [AudioPlan] {
        var numbers: [String: Int] = [:]
        return sources.flatMap { source in
            let language = ISO639.code(source.stream.language)
            // The surround sound of a main track is no second track.
            let isOtherMix = source.isSurround && sources.contains { !$0.isSurround && $0.isSameTrack(as: source) }
            let kind = "\(language) \(source.role.rawValue)\(isOtherMix ? " surround" : "")"
            let number = numbers[kind, default: 0] + 1
            numbers[kind] = number
            return outputs(of: source, rungs: rungs).map { output in
                track(
                    of: source, as: output, number: number, length: length, origin: origin, boundaries: boundaries,
                    slack: slack, video: video)
            }
        }
    }

    /// The formats that are made of a track. Where a language has a main track in stereo and one in surround sound, each
    /// gives the formats of its kind; none are left if others were asked for.
    private static func formats(of source: Source, among all: [Source], settings: TranscodeSettings) -> [AudioFormat] {
        let formats = settings.audio ?? (source.isSurround ? [.aac, .aac51] : [.aac])
        let hasOtherKind = all.contains { $0.isSurround != source.isSurround && $0.isSameTrack(as: source) }
        let own = formats.filter { source.isSurround ? $0.isSurround || !hasOtherKind : !$0.isSurround }
        // Only surround formats were asked for, and this track has none.
        return own.isEmpty && !hasOtherKind ? [.aac] : own
    }

    private func outputs(of source: Source, rungs: [Rung]) -> [Output] {
        let formats = Self.formats(of: source, among: sources, settings: settings)
        let isMono = source.channels == 1
        let hasSmallRungs = rungs.contains { rung in
            rung.size.shortSide <= Self.smallSide
                && rungs.contains {
                    $0.codec == rung.codec && $0.dynamicRange == rung.dynamicRange && $0.size.pixels > rung.size.pixels
                }
        }
        let outputs = formats.flatMap { format -> [Output] in
            switch format {
            case .aac:
                let usual = Output(format: format, channels: isMono ? 1 : 2, bitRate: isMono ? 64_000 : 128_000)
                return isMono || !hasSmallRungs
                    ? [usual] : [usual, Output(format: format, channels: 2, bitRate: 64_000)]
            case .opus: return [Output(format: format, channels: isMono ? 1 : 2, bitRate: isMono ? 48_000 : 96_000)]
            case .aac51: return [Output(format: format, channels: 6, bitRate: 320_000)]
            case .ac351: return [Output(format: format, channels: 6, bitRate: 448_000)]
            case .eac351: return [Output(format: format, channels: 6, bitRate: 384_000)]
            }
        }
        return isReduced ? Array(outputs.prefix(1)) : outputs
    }

    private func track(
        of source: Source, as output: Output, number: Int, length: Rational, origin: Rational, boundaries: [Rational],
        slack: Rational, video: VideoPlan?
    ) -> AudioPlan {
        // Shorter audio is padded with silence.
        let own = Rational(seconds: source.end) - origin
        let covered = settings.duration == nil && own > length && own - length <= slack ? own : length
        let rate = Rational(Int64(AudioPlan.sampleRate))
        let language = ISO639.code(source.stream.language)
        // The channels of a pair may be named left and right.
        let title = source.right == nil || source.right?.title == source.stream.title ? source.stream.title : nil
        var track = AudioPlan(
            id: AudioPlan.id(
                language: language, role: source.role, number: number, format: output.format, bitRate: output.bitRate),
            format: output.format, role: source.stream.role, streamIndex: source.stream.index,
            pairedStreamIndex: source.right?.index, language: language, title: title, channels: output.channels,
            bitRate: output.bitRate, sampleCount: Int((covered * rate).ceil),
            sourceSampleCount: Int(max(0, (min(own, covered) * rate).floor)), segmentBoundaries: boundaries)
        if let video { track.accompany(video) }
        track.sourceSampleCount = min(track.sourceSampleCount ?? 0, track.sampleCount)
        // A last segment of one or two frames may be too short for an access unit. Its audio ends with the segment
        // before.
        while !track.segmentBoundaries.isEmpty, track.packets(ofSegment: track.segmentCount - 1).isEmpty {
            track.segmentBoundaries.removeLast()
        }
        return track
    }
}

extension AudioStream {
    /// Whether it has 5.0 or more. Sound fields and channels without a layout become stereo.
    var isSurround: Bool {
        channels >= 5 && !layout.hasPrefix("ambisonic") && !(channels > 8 && layout.hasSuffix(" channels"))
    }
}
