internal import ClairoCore
internal import Libav

extension SourceContents {
    func describe(subtitle stream: StreamInfo) -> SubtitleStream {
        // A stream of captions becomes one track for each of its services.
        let format = TextFormat(stream)
        let isUsed = format != nil && format != .captions && (tally.streams[stream.index]?.count ?? 0) > 0
        return SubtitleStream(
            index: stream.index, codec: stream.codecName, language: stream.language, title: stream.title,
            role: stream.textRole, isDefault: stream.isDefault ? true : nil, isUsed: isUsed ? true : nil)
    }
}

extension SourceAnalyzer {
    /// The subtitles with the services of closed captions that show text. A service of CEA-608 and the one of CEA-708 with
    /// the same number have the same text, and the former is used because all captions have it.
    ///
    /// Only reading all captions tells what they hold: most services are announced and empty.
    func captions(
        _ contents: SourceContents, choice: TrackSelection.Choice, subtitles: [SubtitleStream]
    ) throws -> [SubtitleStream] {
        var result = subtitles
        let streams = contents.streams.filter { stream in
            stream.index == choice.video || TextFormat(stream) == .captions
        }
        for stream in streams {
            guard CaptionExtractor(codec: stream.codecName, extradata: stream.extradata) != nil else { continue }
            var found: Set<CaptionService> = []
            try CaptionReader(
                source: source, limits: limits, parts: contents.parts, corrections: contents.corrections[stream.index],
                interrupt: interrupt
            ).read(stream: stream.index, origin: .zero, control: JobControl()) { service, cue in
                if !cue.text.isEmpty { found.insert(service) }
            }
            result.removeAll { $0.index == stream.index && $0.codec == "eia_608" }
            for service in Self.distinct(found) {
                let codec = if case .cea608 = service { "eia_608" } else { "eia_708" }
                let language = stream.kind == .video ? nil : stream.language
                result.append(
                    SubtitleStream(
                        index: stream.index, codec: codec, language: language, role: .captions, service: service,
                        isUsed: true))
            }
        }
        return result
    }

    private static func distinct(_ services: Set<CaptionService>) -> [CaptionService] {
        let channels = (1...4).map { CaptionService.cea608(channel: $0) }.filter(services.contains)
        let digital = (1...63).map { CaptionService.cea708(service: $0) }.filter(services.contains)
        // Services 1 and 2 of CEA-708 repeat CC1 and CC3.
        let repeated: [CaptionService] = [
            channels.contains(.cea608(channel: 1)) ? .cea708(service: 1) : nil,
            channels.contains(.cea608(channel: 3)) ? .cea708(service: 2) : nil,
        ].compactMap { $0 }
        return channels + digital.filter { !repeated.contains($0) }
    }
}
