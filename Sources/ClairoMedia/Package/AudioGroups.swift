import ClairoCore

/// The tracks that a player can choose from together with a variant: every track of the source once, in one format and
/// rate. All groups have the same tracks, as HLS requires (RFC 8216, 4.3.4.2.1), so a track that does not have the format
/// of a group is in it in another one.
struct AudioGroup: Hashable {
    /// The format, and the rate of a group of a lower one: `aac`, `aac-64`, `eac3-5.1`.
    var id: String
    /// The tracks in the order of the presentation, the default track first.
    var members: [AudioRendition]
    /// Whether small rungs have this group instead of the first one, because its rate is lower.
    var isForSmallRungs: Bool

    /// The rate of the member with the highest one, in bits per second.
    func peakRate(targetDuration: Int) -> Int64 {
        members.map { HLSPlaylist.peakRate(of: $0.segments, targetDuration: targetDuration) }.max() ?? 0
    }

    /// The rate of the member with the highest average, in bits per second.
    var averageRate: Int64 { members.map(\.segments.averageRate).max() ?? 0 }

    /// The codecs of its members, each once.
    var codecs: [String] {
        var seen: Set<String> = []
        return members.map(\.codec).filter { seen.insert($0).inserted }
    }
}

extension Presentation {
    /// The renditions of each track of the source, in the order of the presentation.
    var audioTracks: [[AudioRendition]] {
        var order: [AudioPlan.SourceTrack] = []
        var tracks: [AudioPlan.SourceTrack: [AudioRendition]] = [:]
        for rendition in audio {
            let source = rendition.track.sourceTrack
            if tracks[source] == nil { order.append(source) }
            tracks[source, default: []].append(rendition)
        }
        return order.compactMap { tracks[$0] }
    }

    /// The groups, that of the first format first. One that no variant would have is left out.
    var audioGroups: [AudioGroup] {
        let tracks = audioTracks
        var formats: [AudioFormat] = []
        for rendition in audio where !formats.contains(rendition.track.format) {
            formats.append(rendition.track.format)
        }
        return formats.flatMap { format -> [AudioGroup] in
            // The renditions of each track in this format, from the highest rate to the lowest.
            let ladders = tracks.map { track in
                track.filter { $0.track.format == format }.sorted { $0.track.bitRate > $1.track.bitRate }
            }
            return (0..<(ladders.map(\.count).max() ?? 0)).map { tier in
                let members = zip(ladders, tracks).compactMap { ladder, track in
                    ladder.isEmpty ? track.first : ladder[min(tier, ladder.count - 1)]
                }
                let rate = ladders.compactMap { tier < $0.count ? $0[tier].track.bitRate : nil }.max() ?? 0
                return AudioGroup(
                    id: format.rawValue + (tier == 0 ? "" : "-\(rate / 1000)"), members: members,
                    isForSmallRungs: tier > 0)
            }
        }
    }

    /// The groups with which a rung is offered. A small rung has the lowest rate of the first format: stereo at 128 kbit/s
    /// would be a third of the variant or more, and Apple wants one variant below 192 kbit/s (9.21). The largest rung of a
    /// ladder is never small, so every group is used.
    func audioGroups(of rendition: VideoRendition, among groups: [AudioGroup]) -> [AudioGroup] {
        guard let first = groups.first else { return [] }
        let ladder = video.filter {
            $0.rung.codec == rendition.rung.codec && $0.rung.dynamicRange == rendition.rung.dynamicRange
        }.map(\.rung.size.pixels)
        let pixels = rendition.rung.size.pixels
        let isSmall =
            pixels != ladder.max()
            && (pixels == ladder.min() || rendition.segments.averageRate < 2 * first.averageRate)
        let lowest = groups.last {
            $0.isForSmallRungs && $0.members.first?.track.format == first.members.first?.track.format
        }
        let base = isSmall ? lowest ?? first : first
        return [base] + groups.dropFirst().filter { !$0.isForSmallRungs }
    }
}

extension AudioPlan {
    /// The characteristics in EXT-X-MEDIA (RFC 8216bis).
    var hlsCharacteristics: String? { role == .description ? "public.accessibility.describes-video" : nil }

    /// The value in DASH's role scheme (ISO/IEC 23009-1, 5.8.5.5).
    func dashRole(isDefault: Bool) -> String {
        switch role {
        case .commentary: "commentary"
        case .description: "description"
        case .main, .captions, .forced, nil: isDefault ? "main" : "alternate"
        }
    }
}

extension TextPlan {
    /// The value in DASH's role scheme (ISO/IEC 23009-1, 5.8.5.5).
    var dashRole: String {
        switch role {
        case .captions: "caption"
        case .forced: "forced-subtitle"
        case .commentary: "commentary"
        case .description: "description"
        case .main, nil: "subtitle"
        }
    }
}
