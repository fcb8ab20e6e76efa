internal import ClairoCore
internal import Foundation
internal import Libav

/// Reads the cues of a text track from its source, on the output timeline.
struct TextReader {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let track: TextPlan
    let files: [SubtitleFile]
    let control: JobControl

    /// The end of a cue without one, in milliseconds after its start, if no other cue follows before.
    private static let longestGuess: Int64 = 10_000

    /// What was read.
    struct Result {
        var cues: [Cue]
        /// The character set that was guessed for text that is not UTF-8.
        var guessed: TextCharset?
    }

    /// - Throws: `badInput` if the text cannot be read.
    func read() throws -> Result {
        switch track.source {
        case .stream(let index): return try read(stream: index)
        case .captions(let stream, let service):
            var cues: [Cue] = []
            try CaptionReader(
                source: source, limits: limits, parts: plan.parts, corrections: plan.corrections?[stream],
                interrupt: control.interrupt
            ).read(stream: stream, origin: plan.origin, control: control) { found, cue in
                if found == service, cues.count <= CueList.mostCues { cues.append(cue) }
            }
            return Result(cues: cues)
        case .file(let name, _):
            guard let file = files.first(where: { $0.source == track.source }) else {
                throw ClairoError.defect("The task was not given the file \(name)")
            }
            let (cues, guessed) = try SubtitleFileReader.cues(file)
            // Its times are those of the source, as it is played.
            let start = (plan.settings.start.map { $0 * Rational(1000) } ?? .zero).rounded
            return Result(
                cues: cues.map { cue in
                    var moved = cue
                    (moved.start, moved.end) = (cue.start - start, cue.end - start)
                    return moved
                }, guessed: guessed)
        }
    }

    private func read(stream index: Int) throws -> Result {
        let reader = try SourceReader(source, limits: limits, interrupt: control.interrupt, parts: plan.parts)
        guard let info = reader.streams.first(where: { $0.index == index }), let format = TextFormat(info) else {
            throw ClairoError.badMedia("\(plan.source.name): stream \(index) has no text that can be read")
        }
        var clock = CueClock(plan: plan, reader: reader, text: index)
        reader.select(tracks: clock.tracks)
        var text = TrackText(language: track.language)
        var script: SubStationAlpha?
        var cues: [Cue] = []
        /// The cues that end when the next one begins.
        var open: [Int] = []
        /// The size of all texts. What is beyond the limits of a list is not read.
        var bytes = 0
        while cues.count <= CueList.mostCues, bytes <= CueList.mostBytes, let next = try reader.nextReadable(control) {
            try control.noteLongStep()
            let packet = next.packet
            guard next.track == index else {
                clock.pass(packet, of: next.track)
                continue
            }
            guard let pts = packet.pts ?? packet.dts else { continue }
            let start = clock.milliseconds(pts)
            let end = packet.duration > 0 ? clock.milliseconds(pts.addingChecked(packet.duration) ?? pts) : nil
            for number in open where cues[number].start < start { cues[number].end = min(cues[number].end, start) }
            open.removeAll { cues[$0].start < start }
            let first = cues.count
            let shownUntil = end ?? start + Self.longestGuess
            switch format {
            case .subRip: cues.append(SubRip.cue(text.decode(packet.data), from: start, to: shownUntil))
            case .subStationAlpha:
                let known = script ?? SubStationAlpha(header: text.decode(Data(info.extradata)))
                script = known
                known.cue(packet: text.decode(packet.data), from: start, to: shownUntil).map { cues.append($0) }
            case .movText:
                MovText.cue(packet.data, from: start, to: shownUntil) { text.decode($0) }.map { cues.append($0) }
            case .webVTT:
                cues.append(
                    Cue(
                        start: start, end: shownUntil,
                        settings: WebVTT.settings(packet.sideData(.webVTTSettings).map { text.decode($0) } ?? ""),
                        text: WebVTT.cueText(TextLine.split(text.decode(packet.data)))))
            case .webVTTSample:
                cues += WebVTTSample.cues(packet.data, from: start, to: shownUntil) { text.decode($0) }
            case .captions: break
            }
            bytes += cues[first...].reduce(0) { $0 + $1.text.utf8.count }
            if end == nil { open += Array(first..<cues.count) }
        }
        return Result(cues: format == .webVTTSample ? WebVTTSample.joined(cues) : cues, guessed: text.guessed)
    }
}

/// Converts the times of a text stream to the output timeline.
///
/// A source whose clock breaks has corrections for its video and audio. Those of text are too few to show the break, so
/// text gets the correction of the packets that are stored beside it.
private struct CueClock {
    private let origin: Rational
    private let text: Int
    private let timeBase: Rational
    private var reference: (track: Int, timeBase: Rational, cursor: CorrectionCursor, packets: Int)?
    private var shift = Rational.zero

    init(plan: Plan, reader: SourceReader, text: Int) {
        origin = plan.origin
        self.text = text
        func timeBase(_ track: Int) -> Rational {
            reader.streams.first { $0.index == track }.map { Rational($0.timeBase) } ?? .zero
        }
        self.timeBase = timeBase(text)
        let track = plan.video?.streamIndex ?? plan.audio.first?.streamIndex
        if let track, let corrections = plan.corrections?[track], !corrections.isEmpty {
            reference = (track, timeBase(track), CorrectionCursor(corrections), 0)
        }
    }

    /// The tracks to read.
    var tracks: Set<Int> { Set([text] + (reference.map { [$0.track] } ?? [])) }

    /// Takes a packet of another track.
    mutating func pass(_ packet: Packet, of track: Int) {
        guard reference?.track == track, let number = reference?.packets else { return }
        reference?.packets = number + 1
        if let ticks = reference?.cursor.shift(ofPacket: number) ?? nil, let base = reference?.timeBase {
            shift = Rational(ticks) * base
        }
    }

    func milliseconds(_ ticks: Int64) -> Int64 {
        let time = (Rational(ticks) * timeBase + shift - origin) * Rational(1000)
        return max(min(time.rounded, 1 << 40), -(1 << 40))
    }
}

/// Reads the closed captions of a stream: of the pictures of a video, or CEA-608 in a stream of its own.
struct CaptionReader {
    let source: any ByteSource
    let limits: InputLimits
    let parts: SourceParts?
    let corrections: [ClockCorrection]?
    let interrupt: Interrupt

    /// The pictures at the start of a video without any captions after which it is taken to have none. Encoders that
    /// write captions mark every picture, also while nobody speaks.
    private static let picturesWithout = 16

    /// Passes each cue of each service to `emit`.
    /// - Parameter origin: The time in seconds that becomes 0.
    func read(
        stream: Int, origin: Rational, control: JobControl, emit: (CaptionService, Cue) -> Void
    ) throws {
        let reader = try SourceReader(source, limits: limits, interrupt: interrupt, parts: parts)
        reader.select(tracks: [stream])
        var packets = CorrectedPackets(reader, track: stream, corrections: corrections)
        var extractors: [Int: CaptionExtractor] = [:]
        var order = CaptionOrder()
        var decoder = CaptionDecoder()
        let timeBase = reader.streams.first { $0.index == stream }.map { Rational($0.timeBase) } ?? .zero
        func milliseconds(_ time: Rational) -> Int64 {
            max(min(((time - origin) * Rational(1000)).rounded, 1 << 40), -(1 << 40))
        }
        var pictures = 0
        var hasCaptions = false
        while let next = try packets.next(control) {
            if interrupt.isTriggered { throw ClairoError.cancelled }
            try control.noteLongStep()
            if extractors[next.stream] == nil {
                reader.refreshStreams()
                extractors[next.stream] = reader.streams.first { $0.index == next.stream }.flatMap {
                    CaptionExtractor(codec: $0.codecName, extradata: $0.extradata)
                }
            }
            guard let extractor = extractors[next.stream], let pts = next.packet.pts ?? next.packet.dts else {
                continue
            }
            pictures += 1
            let found = next.packet.withBytes { extractor.triplets(in: $0) }
            hasCaptions = hasCaptions || found != nil
            if !hasCaptions, pictures >= Self.picturesWithout { return }
            guard let found, !found.isEmpty else { continue }
            if let ready = order.take(found, at: Rational(pts) * timeBase) {
                decoder.take(ready.triplets, at: milliseconds(ready.time), emit: emit)
            }
        }
        let rest = order.finish()
        for ready in rest { decoder.take(ready.triplets, at: milliseconds(ready.time), emit: emit) }
        // What nothing ends is shown for as long as a caption may be.
        decoder.finish(emit: emit)
    }
}

/// Decodes all services of closed captions.
struct CaptionDecoder {
    /// Captions that nothing ends are taken off after this time, in milliseconds, as receivers do.
    private static let longest: Int64 = 16_000

    private var fields = [CEA608Field(field: 0), CEA608Field(field: 1)]
    private var digital = CEA708Decoder()
    private var last: Int64 = 0

    mutating func take(_ triplets: [CaptionTriplet], at time: Int64, emit: (CaptionService, Cue) -> Void) {
        last = time
        for triplet in triplets {
            switch triplet.kind {
            case .field1, .field2:
                fields[triplet.kind == .field1 ? 0 : 1].take(triplet.first, triplet.second, at: time) { channel, cue in
                    emit(.cea608(channel: channel), cue)
                }
            case .packetStart, .packetData:
                digital.take(triplet, at: time) { service, cue in emit(.cea708(service: service), cue) }
            }
        }
    }

    mutating func finish(emit: (CaptionService, Cue) -> Void) {
        for field in fields.indices {
            fields[field].finish(at: last + Self.longest) { emit(.cea608(channel: $0), $1) }
        }
        digital.finish(at: last + Self.longest) { emit(.cea708(service: $0), $1) }
    }
}
