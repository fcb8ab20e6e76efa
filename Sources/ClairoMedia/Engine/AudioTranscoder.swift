internal import ClairoCore
internal import Foundation
internal import Libav

/// Encodes one audio track in one pass and writes each segment when it is complete.
///
/// Timestamps place decoded audio on the output timeline (`AudioPlacement`). Silence fills a late start, a gap or a short
/// end; overlapping audio is dropped. The first segment contains the encoder's priming, and an edit list removes it, so sample 0 plays
/// at time 0.
struct AudioTranscoder {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let track: AudioPlan
    let sink: SegmentSink
    let control: JobControl

    /// - Throws: `badInput` (65) if less can be decoded than planned. Nothing after that point is written, so the next
    ///   run fails in the same way.
    func run() throws {
        let encoder = try AAC.openEncoder(track)
        let initSegment = AAC.initSegment(of: encoder, track)
        try sink.write(initSegment: initSegment, at: track.initKey)

        var writer = AudioSegmentWriter(track: track, initSegment: initSegment, sink: sink)
        var buffer = SampleBuffer(channels: track.channels)
        var encodedSamples = 0
        func drain() throws {
            while case .value(let packet) = try control.clock.measure(.encode, { try encoder.receive() }) {
                try writer.append(packet.data)
            }
        }
        func encode(final: Bool) throws {
            while buffer.count >= AudioPlan.frameSamples || (final && buffer.count > 0) {
                try control.checkCancellation()
                let frame = try Frame.audio(
                    channels: buffer.take(AudioPlan.frameSamples), sampleRate: AudioPlan.sampleRate,
                    pts: Int64(encodedSamples))
                try control.clock.measure(.encode) { try encoder.send(frame, pts: Int64(encodedSamples)) }
                encodedSamples += AudioPlan.frameSamples
                try drain()
            }
        }
        func encode(silence count: Int) throws {
            // In small blocks, because there may be hours of silence.
            for start in stride(from: 0, to: count, by: 1 << 14) {
                buffer.append(silence: min(1 << 14, count - start))
                try encode(final: false)
            }
        }
        var placement = AudioPlacement<Frame>(limit: track.sampleCount)
        func write(_ steps: [AudioPlacement<Frame>.Step]) throws {
            for step in steps {
                try encode(silence: step.silence)
                buffer.append(step.block, range: step.range, extra: step.extra)
                try encode(final: false)
            }
        }
        let damage = try decode { frame, position in
            try write(placement.add(frame, start: position, count: frame.sampleCount))
            return !placement.isFull
        }
        try write(placement.finish())
        let covered = placement.position
        try check(damage, covered: covered)
        let breaks = plan.corrections?[track.streamIndex]?.count ?? 0
        if placement.gaps > breaks {
            control.warn(
                MediaWarning(
                    .damaged,
                    "audio track \(track.streamIndex) has \(placement.gaps) gaps or overlaps; gaps became silence"))
        }
        if let warning = buffer.warning { control.warn(warning) }
        try encode(silence: track.sampleCount - covered)
        try encode(final: true)
        try control.clock.measure(.encode) { try encoder.send(nil) }
        try drain()
        try writer.finish()
    }

    /// Refuses a track that is damaged or too short, or warns about it.
    private func check(_ damage: DecodingDamage, covered: Int) throws(ClairoError) {
        let name = "\(plan.source.name): its audio (track \(track.streamIndex))"
        if let warning = try damage.warning(source: name, allowPartial: plan.settings.allowPartial) {
            control.warn(MediaWarning(warning.code, "audio track \(track.streamIndex): \(warning.message)"))
        }
        guard covered < leastSamples else { return }
        let rate = Double(AudioPlan.sampleRate)
        throw .badMedia(
            "\(plan.source.name): its audio can be decoded for \(clock(Double(covered) / rate)) of at least "
                + clock(Double(leastSamples) / rate),
            advice: "Give --allow-partial (in a profile: allow-partial) to transcode what can be read.")
    }

    /// The number of samples that must be decoded. Silence replaces the rest, because containers declare slightly more
    /// than they hold.
    private var leastSamples: Int {
        guard !plan.settings.allowPartial, let promised = track.sourceSampleCount else { return 0 }
        return max(0, promised - max(AudioPlan.sampleRate / 2, promised / 50))
    }

    /// Decodes the track and passes planar float blocks at 48 kHz to `body`, each with the position of its first sample
    /// on the output timeline. Stops when `body` returns false.
    private func decode(_ body: (Frame, Int) throws -> Bool) throws -> DecodingDamage {
        let demuxer = try Demuxer.open(source, limits: limits, interrupt: control.interrupt)
        demuxer.select(streams: [track.streamIndex])
        var packets = CorrectedPackets(
            demuxer, stream: track.streamIndex, corrections: plan.corrections?[track.streamIndex])
        let conversion = AudioConversion(channels: track.channels)
        // Opened at the first packet, because a track may begin late.
        var opened: Decoder?
        var nextPTS: Int64?
        var frames = 0
        var wantsMore = true

        func emit(_ block: Frame, _ seconds: Rational) throws {
            guard wantsMore else { return }
            let position = ((seconds - plan.origin) * Rational(Int64(AudioPlan.sampleRate))).rounded
            wantsMore = try body(block, Int(max(min(position, 1 << 40), -(1 << 40))))
        }

        func convert(_ frame: Frame, _ timeBase: Ratio) throws {
            guard frame.sampleCount > 0, frame.channels > 0, frame.sampleRate > 0 else { return }
            frames += 1
            let ticks = Rational(timeBase) * Rational(Int64(frame.sampleRate))
            let pts = frame.pts.map { (Rational($0) * ticks).rounded } ?? nextPTS ?? 0
            nextPTS = pts.addingChecked(Int64(frame.sampleCount))
            try conversion.convert(frame, pts: pts, emit)
        }

        var isAtEnd = false
        while wantsMore, !isAtEnd {
            let packet = try packets.next(control)
            let decoder = try opened ?? demuxer.openDecoder(stream: track.streamIndex, of: plan.source.name)
            opened = decoder
            isAtEnd = packet == nil
            try control.clock.measure(.decode) { try decoder.send(packet) }
            while wantsMore, case .value(let frame) = try control.clock.measure(.decode, { try decoder.receive() }) {
                try convert(frame, decoder.timeBase)
            }
        }
        if wantsMore { try conversion.finish(emit) }
        conversion.warnings.forEach { control.warn($0) }
        return DecodingDamage(frames: frames, errors: opened?.errorCount ?? 0)
    }
}

/// Groups access units into the planned segments and writes those that do not exist yet.
private struct AudioSegmentWriter {
    let track: AudioPlan
    let initSegment: Data
    let sink: SegmentSink
    private var segment = 0
    private var packetIndex = 0
    private var samples: [Sample] = []

    init(track: AudioPlan, initSegment: Data, sink: SegmentSink) {
        self.track = track
        self.initSegment = initSegment
        self.sink = sink
    }

    mutating func append(_ data: Data) throws {
        guard packetIndex < track.packetCount else { return }
        samples.append(
            Sample(data: data, duration: UInt32(AudioPlan.frameSamples), compositionOffset: 0, isSync: true))
        packetIndex += 1
        while segment < track.segmentCount, packetIndex == track.packets(ofSegment: segment).upperBound {
            try writeSegment()
        }
    }

    private mutating func writeSegment() throws {
        let key = track.segmentKey(segment)
        let packets = track.packets(ofSegment: segment)
        if try !samples.isEmpty && sink.wants(key) {
            let bytes = FragmentWriter.segment(
                fragments: [samples], firstSequence: packets.lowerBound + 1,
                decodeTime: Int64(packets.lowerBound * AudioPlan.frameSamples)
            )
            try sink.write(bytes, index: segment, of: track, initSegment: initSegment)
        }
        samples.removeAll(keepingCapacity: true)
        segment += 1
    }

    func finish() throws(ClairoError) {
        guard segment == track.segmentCount, samples.isEmpty else {
            throw .defect(
                "\(track.name): the encoder gave \(packetIndex) access units instead of \(track.packetCount)")
        }
    }
}
