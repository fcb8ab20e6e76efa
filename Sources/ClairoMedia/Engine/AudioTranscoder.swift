internal import ClairoCore
internal import Foundation
internal import Libav

/// Encodes one audio track in one pass and writes each segment when it is complete.
///
/// Timestamps place decoded audio on the output timeline (`AudioPlacement`). Silence fills a late start, a gap or a
/// short end; overlapping audio is dropped. The first segment contains the encoder's priming and the silence that
/// gives audio the delay of the video, and an edit list removes both, so sample 0 plays at time 0. Two mono streams
/// may be the left and the right channel of one track; each is decoded and placed by itself (`SourceTrack`).  The
/// loudness of the track is measured while it is encoded. If a loudness was asked for, the whole track is decoded
/// once more before, because its gain depends on all of it.
struct AudioTranscoder {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let track: AudioPlan
    let sink: SegmentSink
    let control: JobControl

    /// - Returns: What was measured, and the gain.
    /// - Throws: `badInput` (65) if less can be decoded than planned. Nothing after that point is written, so the next
    ///   run fails in the same way.
    func run() throws -> AudioLoudness {
        guard let target = plan.settings.loudness else { return try encode(gain: nil) }
        var meter = LoudnessMeter(channels: track.channels)
        try read { samples, _ in meter.add(samples) }
        let measured = meter.loudness
        let gain = measured.gain(to: target)
        if let integrated = measured.integrated, target - integrated - gain > Self.noticeable {
            control.warn(
                MediaWarning(
                    .loudnessLimited,
                    String(
                        format: "audio track %@: its loudness is %.1f LUFS instead of %.1f, because its peaks would "
                            + "exceed %.0f dBTP", track.id, integrated + gain, target, AudioLoudness.maxTruePeak)))
        }
        return try encode(gain: gain)
    }

    /// A difference in LU that is worth a warning.
    private static let noticeable = 0.5

    private func encode(gain: Double?) throws -> AudioLoudness {
        let encoder = try track.codec.coding.openEncoder(track)
        let initSegment = track.codec.coding.initSegment(of: encoder, track)
        try sink.write(initSegment: initSegment, at: track.initKey)

        var writer = AudioSegmentWriter(track: track, initSegment: initSegment, sink: sink)
        var meter = LoudnessMeter(channels: track.channels)
        let factor = Float(pow(10, (gain ?? 0) / 20))
        var sent = 0
        func drain() throws {
            while case .value(let packet) = try control.clock.measure(.encode, { try encoder.receive() }) {
                try writer.append(packet.data)
            }
        }
        func send(_ channels: [ArraySlice<Float>]) throws {
            let start = Int64(sent * track.frameSamples)
            sent += 1
            let frame = try Frame.audio(
                channels: channels, sampleRate: AudioPlan.sampleRate, pts: start, isInterleaved: encoder.isInterleaved)
            try control.clock.measure(.encode) { try encoder.send(frame, pts: start) }
            try drain()
        }
        let sources = try read(after: track.leadingSilence) { samples, leading in
            if leading < track.frameSamples { meter.add(samples.map { $0.dropFirst(leading) }) }
            try send(gain == nil ? samples : samples.map { $0.map { $0 * factor }[...] })
        }
        sources.compactMap(\.warning).forEach { control.warn($0) }
        // An encoder that holds nothing back gives the last samples, which its priming delays, only for more input.
        while !encoder.hasDelay, sent < track.packetCount {
            try send(Array(repeating: ArraySlice(repeating: 0, count: track.frameSamples), count: track.channels))
        }
        try control.clock.measure(.encode) { try encoder.send(nil) }
        try drain()
        try writer.finish()
        var loudness = meter.loudness
        loudness.gain = gain
        return loudness
    }

    /// Decodes the track and passes its samples on, as many as an access unit has at a time.
    /// - Parameters:
    ///   - silence: Samples of silence to pass on first.
    ///   - body: Gets the samples, and how many of them are of this silence.
    @discardableResult
    private func read(
        after silence: Int = 0, _ body: (_ samples: [ArraySlice<Float>], _ leading: Int) throws -> Void
    ) throws -> [SourceTrack] {
        let sources = try openSources()
        for start in stride(from: 0, to: silence + track.sampleCount, by: track.frameSamples) {
            try control.noteLongStep()
            let leading = min(max(silence - start, 0), track.frameSamples)
            let samples = try sources.flatMap { source in
                try source.take(track.frameSamples - leading).map {
                    leading == 0 ? $0 : ArraySlice(repeating: 0, count: leading) + $0
                }
            }
            try body(samples, leading)
        }
        return sources
    }

    /// The stream of the source with all channels, or those of the left and the right channel.
    private func openSources() throws -> [SourceTrack] {
        let streams = [track.streamIndex] + [track.pairedStreamIndex].compactMap { $0 }
        return try streams.map {
            try SourceTrack(
                stream: $0, channels: streams.count == 1 ? track.channels : 1, of: source, limits: limits, plan: plan,
                track: track, control: control)
        }
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
            Sample(data: data, duration: UInt32(track.frameSamples), compositionOffset: 0, isSync: true))
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
                decodeTime: Int64(packets.lowerBound * track.frameSamples)
            )
            try sink.write(bytes, index: segment, of: track, initSegment: initSegment)
        }
        samples.removeAll(keepingCapacity: true)
        segment += 1
    }

    func finish() throws(ClairoError) {
        guard segment == track.segmentCount, samples.isEmpty else {
            throw .defect(
                "\(track.id): the encoder gave \(packetIndex) access units instead of \(track.packetCount)")
        }
    }
}
