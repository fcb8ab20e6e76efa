internal import ClairoCore
internal import Foundation
internal import Libav

/// Encodes one audio track in one pass and writes each segment when it is complete.
///
/// Timestamps place decoded audio on the output timeline (`AudioPlacement`). Silence fills a late start, a gap or a
/// short end; overlapping audio is dropped. The first segment contains the encoder's priming and the silence that gives
/// audio the delay of the video, and an edit list removes both, so sample 0 plays at time 0. Two mono streams may be the left and the right channel of one track; each is
/// decoded and placed by itself (`SourceTrack`).
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
        let encoder = try track.codec.coding.openEncoder(track)
        let initSegment = track.codec.coding.initSegment(of: encoder, track)
        try sink.write(initSegment: initSegment, at: track.initKey)

        var writer = AudioSegmentWriter(track: track, initSegment: initSegment, sink: sink)
        func drain() throws {
            while case .value(let packet) = try control.clock.measure(.encode, { try encoder.receive() }) {
                try writer.append(packet.data)
            }
        }
        let sources = try openSources()
        let silence = track.leadingSilence
        for start in stride(from: 0, to: silence + track.sampleCount, by: track.frameSamples) {
            try control.checkCancellation()
            let leading = min(max(silence - start, 0), track.frameSamples)
            let samples: [ArraySlice<Float>] = try sources.flatMap { source in
                try source.take(track.frameSamples - leading).map {
                    leading == 0 ? $0 : repeatElement(0, count: leading) + $0
                }
            }
            let frame = try Frame.audio(channels: samples, sampleRate: AudioPlan.sampleRate, pts: Int64(start))
            try control.clock.measure(.encode) { try encoder.send(frame, pts: Int64(start)) }
            try drain()
        }
        sources.compactMap(\.warning).forEach { control.warn($0) }
        try control.clock.measure(.encode) { try encoder.send(nil) }
        try drain()
        try writer.finish()
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
