internal import ClairoCore

/// Plans the text tracks: one for each subtitle stream that can be read, each service of captions, and each file beside
/// the source.
enum TextPlanner {
    /// - Parameters:
    ///   - streams: The subtitles of the source.
    ///   - audioLanguage: The language of the default audio, which captions without one have.
    ///   - files: The files that came with the request.
    ///   - boundaries: The segment boundaries of the video.
    ///   - duration: The duration of the output.
    static func plan(
        _ streams: [SubtitleStream], audioLanguage: String, files: [SubtitleFile], boundaries: [Rational],
        duration: Rational, settings: TranscodeSettings
    ) -> [TextPlan] {
        var tracks: [TextPlan] = []
        func add(
            _ source: TextPlan.Source, language: String, role: TrackRole?, title: String?, isDefault: Bool
        ) {
            let id = TextPlan.id(language: language, role: role, taken: tracks.map(\.id))
            // Players take the first of several defaults, and show forced text anyway.
            let isFirst = isDefault && role != .forced && !tracks.contains(where: \.isDefault)
            tracks.append(
                TextPlan(
                    id: id, source: source, language: language, role: role, title: title, isDefault: isFirst,
                    duration: duration, segmentBoundaries: boundaries.filter { $0 < duration }))
        }
        for file in files {
            let title = file.language == nil ? file.name : nil
            add(
                file.source, language: file.language ?? "und", role: file.role, title: title, isDefault: false)
        }
        guard settings.subtitles != "none" else { return tracks }
        for stream in streams where stream.isUsed ?? false {
            let known = ISO639.code(stream.language)
            if let service = stream.service {
                add(
                    .captions(stream: stream.index, service: service),
                    language: known == "und" ? audioLanguage : known, role: .captions, title: service.name,
                    isDefault: false)
            } else {
                add(
                    .stream(index: stream.index), language: known, role: stream.role, title: stream.title,
                    isDefault: stream.isDefault ?? false)
            }
        }
        return tracks
    }
}
