internal import ClairoCore
internal import Libav

/// Finds streams of one kind that follow each other in a source, so that they are one track. Fed with the packets of
/// all audio and video streams, with the byte of the source at which each begins.
///
/// Bytes decide, not times: the clock may restart with the new streams. In a transport stream the last packets of a
/// stream arrive when the container ends, long after those of its successor. Streams that are sent at the same time, as
/// those of two languages, never follow each other. They may be sent in turns, many packets at a time: then the clock of
/// each goes on after the other's turn.
struct StreamSuccession {
    /// A run of packets of a stream without a pause in which another stream of its kind took over.
    private struct Span {
        var bytes: ClosedRange<Int64>
        /// The numbers of its first and its last packet among those of all streams.
        var arrivals: ClosedRange<Int>
        var packets = 1
    }

    private struct Stream {
        var kind: StreamInfo.Kind
        var spans: [Span]
        /// The time of its last packet in seconds.
        var time: Double?
    }

    /// A stream takes over from another one with this many packets. Fewer may be damage.
    private static let fewPackets = 5
    /// The clock of a stream goes on if it moves by less than this from one packet to the next, in seconds.
    private static let steps = -0.5...1.0
    /// More spans of a stream than this are no longer told apart.
    private static let mostSpans = 500
    /// With more streams that follow each other than this, the source is taken as it is.
    private static let mostStreams = 500

    private var streams: [Int: Stream] = [:]
    private var arrivals = 0

    /// Takes the next packet.
    /// - Parameters:
    ///   - position: The byte at which it begins; nil if that is unknown, as for later parts of a unit.
    ///   - time: Its time in seconds; nil if that is unknown.
    mutating func take(stream index: Int, kind: StreamInfo.Kind, position: Int64?, time: Double? = nil) {
        arrivals += 1
        defer { if let time { streams[index]?.time = time } }
        guard var last = streams[index]?.spans.last else {
            guard let position else { return }
            let span = Span(bytes: position...position, arrivals: arrivals...arrivals)
            streams[index] = Stream(kind: kind, spans: [span])
            return
        }
        let position = max(position ?? 0, last.bytes.upperBound)
        let spans = streams[index]?.spans.count ?? 0
        if !Self.goesOn(from: streams[index]?.time, to: time), spans < Self.mostSpans,
            hasSuccessor(of: index, kind, between: last.bytes.upperBound, and: position)
        {
            let span = Span(bytes: position...position, arrivals: arrivals...arrivals)
            streams[index]?.spans.append(span)
            return
        }
        last.bytes = last.bytes.lowerBound...position
        last.arrivals = last.arrivals.lowerBound...arrivals
        last.packets += 1
        streams[index]?.spans[spans - 1] = last
    }

    private static func goesOn(from last: Double?, to time: Double?) -> Bool {
        guard let last, let time else { return false }
        return steps.contains(time - last)
    }

    /// Whether another stream of the kind began after one byte and before another.
    private func hasSuccessor(of index: Int, _ kind: StreamInfo.Kind, between start: Int64, and end: Int64) -> Bool {
        guard streams.count > 1, start < end else { return false }
        return streams.contains { other, stream in
            guard other != index, stream.kind == kind, let span = stream.spans.last else { return false }
            return span.bytes.lowerBound > start && span.bytes.lowerBound < end && span.packets >= Self.fewPackets
        }
    }

    /// What joins the streams that follow each other, or nil if none do.
    /// - Parameters:
    ///   - infos: The streams of the source.
    ///   - files: The files that the source consists of.
    func parts(of infos: [StreamInfo], files: [SourceParts.File]) -> SourceParts? {
        let usable = infos.filter { info in
            info.canDecode && !info.isAttachedPicture && streams[info.index].map { $0.kind == info.kind } ?? false
        }
        func begin(_ info: StreamInfo) -> Int64 { streams[info.index]?.spans.first?.bytes.lowerBound ?? 0 }
        var tracks: [[StreamInfo]] = []
        for info in usable.sorted(by: { (begin($0), $0.index) < (begin($1), $1.index) }) {
            let candidates = tracks.indices.filter { canContinue(tracks[$0], with: info, among: infos) }
            // The first of the best.
            let best = candidates.max { (similarity(tracks[$0], info), -$0) < (similarity(tracks[$1], info), -$1) }
            if let best { tracks[best].append(info) } else { tracks.append([info]) }
        }
        var continued: [Int: Int] = [:]
        for track in tracks {
            for info in track.dropFirst() { continued[info.index] = track[0].index }
        }
        guard !continued.isEmpty, continued.count <= Self.mostStreams else { return nil }
        let boundaries = files.count > 1 ? [] : boundaries(tracks.map { $0.map(\.index) })
        return SourceParts(files: files, boundaries: boundaries, continuedTracks: continued)
    }

    private func canContinue(_ track: [StreamInfo], with next: StreamInfo, among infos: [StreamInfo]) -> Bool {
        guard track[0].kind == next.kind, let spans = streams[next.index]?.spans else { return false }
        let known = track.compactMap { streams[$0.index] }.flatMap(\.spans)
        guard known.allSatisfy({ span in spans.allSatisfy { !$0.bytes.overlaps(span.bytes) } }) else { return false }
        let languages = track.map { ISO639.code($0.language) }
        let language = ISO639.code(next.language)
        guard next.kind == .video || language == "und" || languages.allSatisfy({ $0 == language || $0 == "und" }) else {
            return false
        }
        return track.allSatisfy { isSameOrLaterProgram($0, next, among: infos) }
    }

    /// Whether two streams are of one programme, or of programmes that follow each other.
    private func isSameOrLaterProgram(
        _ first: StreamInfo, _ second: StreamInfo, among infos: [StreamInfo]
    ) -> Bool {
        if first.programs.isEmpty || second.programs.isEmpty { return true }
        if !Set(first.programs).isDisjoint(with: second.programs) { return true }
        func spans(_ programs: [Int]) -> [Span] {
            infos.filter { !Set($0.programs).isDisjoint(with: programs) }.compactMap { streams[$0.index] }
                .flatMap(\.spans)
        }
        let others = spans(second.programs)
        return spans(first.programs).allSatisfy { span in others.allSatisfy { !$0.bytes.overlaps(span.bytes) } }
    }

    /// How much a stream is like the last one of a track.
    private func similarity(_ track: [StreamInfo], _ next: StreamInfo) -> Int {
        guard let last = track.last else { return 0 }
        let isSameLanguage = ISO639.code(last.language) == ISO639.code(next.language)
        let isSameFormat = last.codecName == next.codecName && last.channels == next.channels
        return (isSameLanguage ? 2 : 0) + (isSameFormat ? 1 : 0)
    }

    /// The bytes before which packets must be read first: as few as separate all spans whose packets arrive out of order.
    private func boundaries(_ tracks: [[Int]]) -> [Int64] {
        var intervals: [(after: Int64, at: Int64)] = []
        for track in tracks where track.count > 1 {
            let spans = track.flatMap { index in (streams[index]?.spans ?? []).map { (index, $0) } }
                .sorted { $0.1.bytes.lowerBound < $1.1.bytes.lowerBound }
            for (first, second) in zip(spans, spans.dropFirst())
            where first.0 != second.0 && first.1.arrivals.upperBound > second.1.arrivals.lowerBound {
                intervals.append((first.1.bytes.upperBound, second.1.bytes.lowerBound))
            }
        }
        return intervals.sorted { $0.at < $1.at }.reduce(into: []) { chosen, interval in
            if chosen.last ?? -1 <= interval.after { chosen.append(interval.at) }
        }
    }
}
