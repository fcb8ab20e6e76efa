internal import ClairoCore
internal import Libav

/// Decodes one audio track of a source and returns its samples on the output timeline, as many as are asked for.
///
/// Each track reads the source through its own demuxer. So two tracks that become one take bounded memory, however far
/// apart the source stores them.
final class SourceTrack {
    private let stream: Int
    private let plan: Plan
    private let track: AudioPlan
    private let control: JobControl
    private let conversion: AudioConversion
    private var packets: CorrectedPackets
    private var placement: AudioPlacement<Frame>
    private var buffer: SampleBuffer
    /// What was placed, but is not in the buffer yet: silence may last hours. A slice, because it removes its first
    /// element in constant time.
    private var steps: ArraySlice<AudioPlacement<Frame>.Step> = []
    private var decoders: TrackDecoder
    /// Where a frame without a time begins, in seconds.
    private var nextTime: Rational?
    private var partChanges = 0
    private var frames = 0
    private var decodedSamples = 0
    private var hasEnded = false

    /// - Parameters:
    ///   - stream: The index of the stream.
    ///   - channels: The number of channels to convert it to: 1 or 2.
    ///   - track: The rendition that it is a part of.
    init(
        stream: Int, channels: Int, of source: any ByteSource, limits: InputLimits, plan: Plan, track: AudioPlan,
        control: JobControl
    ) throws {
        self.stream = stream
        self.plan = plan
        self.track = track
        self.control = control
        let reader = try SourceReader(source, limits: limits, interrupt: control.interrupt, parts: plan.parts)
        reader.select(tracks: [stream])
        packets = CorrectedPackets(reader, track: stream, corrections: plan.corrections?[stream])
        decoders = TrackDecoder(reader, track: stream, of: plan.source.name)
        conversion = AudioConversion(channels: channels)
        placement = AudioPlacement(limit: track.sampleCount)
        buffer = SampleBuffer(channels: channels)
    }

    /// What was replaced in the samples so far, or nil.
    var warning: MediaWarning? { buffer.warning }

    /// Returns the next `count` samples of each channel. Silence follows the end of the stream.
    /// - Throws: `badInput` (65) if the end is reached and the stream is damaged or too short.
    func take(_ count: Int) throws -> [ArraySlice<Float>] {
        while buffer.count < count {
            if !steps.isEmpty {
                append(atMost: count - buffer.count)
            } else if hasEnded {
                break
            } else {
                try decodePacket()
            }
        }
        return buffer.take(count)
    }

    /// Appends the next block, or at most `count` samples of the silence before it.
    private func append(atMost count: Int) {
        let first = steps.startIndex
        let silence = min(steps[first].silence, count)
        if silence > 0 {
            buffer.append(silence: silence)
            steps[first].silence -= silence
        } else {
            let step = steps.removeFirst()
            buffer.append(step.block, range: step.range, extra: step.extra)
        }
    }

    private func decodePacket() throws {
        let next = try packets.next(control)
        let packet = next?.packet
        if let ended = decoders.ended(before: next) {
            try decode(nil, ended)
            try conversion.finish { place($0, $1) }
            partChanges += 1
        }
        try decode(packet, decoders.decoder(for: next))
        if packet == nil, !placement.isFull { try conversion.finish { place($0, $1) } }
        if packet == nil || placement.isFull { try end() }
    }

    private func decode(_ packet: Packet?, _ decoder: Decoder) throws {
        try control.clock.measure(.decode) { try decoder.send(packet) }
        func receive() throws -> Output<Frame> { try control.clock.measure(.decode) { try decoder.receive() } }
        while !placement.isFull, case .value(let frame) = try receive() { try convert(frame, decoder.timeBase) }
    }

    private func convert(_ frame: Frame, _ timeBase: Ratio) throws {
        guard frame.sampleCount > 0, frame.channels > 0, frame.sampleRate > 0 else { return }
        frames += 1
        let rate = Rational(Int64(frame.sampleRate))
        let ticks = Rational(timeBase) * rate
        let pts = frame.pts.map { (Rational($0) * ticks).rounded } ?? nextTime.map { ($0 * rate).rounded } ?? 0
        nextTime = pts.addingChecked(Int64(frame.sampleCount)).map { Rational($0) / rate }
        try conversion.convert(frame, pts: pts) { place($0, $1) }
    }

    /// - Parameter seconds: The time of the first sample in the source.
    private func place(_ block: Frame, _ seconds: Rational) {
        guard !placement.isFull else { return }
        decodedSamples += block.sampleCount
        let position = ((seconds - plan.origin) * Rational(Int64(AudioPlan.sampleRate))).rounded
        let start = Int(max(min(position, 1 << 40), -(1 << 40)))
        steps += placement.add(block, start: start, count: block.sampleCount)
    }

    private func end() throws {
        hasEnded = true
        control.countDecoded(samples: decodedSamples, stream: stream)
        steps += placement.finish()
        conversion.warnings.forEach { control.warn($0) }
        try check(DecodingDamage(frames: frames, errors: decoders.errorCount))
        let breaks = partChanges + (plan.corrections?[stream]?.count ?? 0)
        if placement.gaps > breaks {
            control.warn(
                MediaWarning(
                    .damaged, "audio track \(stream) has \(placement.gaps) gaps or overlaps; gaps became silence"))
        }
    }

    /// Refuses a track that is damaged or too short, or warns about it.
    private func check(_ damage: DecodingDamage) throws(ClairoError) {
        let name = "\(plan.source.name): its audio (track \(stream))"
        if let warning = try damage.warning(source: name, allowPartial: plan.settings.allowPartial) {
            control.warn(MediaWarning(warning.code, "audio track \(stream): \(warning.message)"))
        }
        guard placement.position < leastSamples else { return }
        let rate = Double(AudioPlan.sampleRate)
        throw .badMedia(
            "\(plan.source.name): its audio can be decoded for \(clock(Double(placement.position) / rate)) of at least "
                + clock(Double(leastSamples) / rate),
            advice: "Give --allow-partial (in a profile: allow-partial) to transcode what can be read.")
    }

    /// The number of samples that must be decoded. Silence replaces the rest, because containers declare slightly more
    /// than they hold.
    private var leastSamples: Int {
        guard !plan.settings.allowPartial, let promised = track.sourceSampleCount else { return 0 }
        return max(0, promised - max(AudioPlan.sampleRate / 2, promised / 50))
    }
}
