internal import ClairoCore
internal import Foundation
internal import Libav

/// Encodes one audio track in one pass and writes each segment when it is complete.
///
/// Timestamps place decoded audio on the output timeline. Silence fills a late start, a gap or a short end; overlapping
/// audio is dropped. The first segment contains the encoder's priming, and an edit list removes it, so sample 0 plays
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
        var placement = SamplePlacement(limit: track.sampleCount)
        try decode { frame, position in
            let step = placement.place(at: position, count: frame.sampleCount)
            try encode(silence: step.silence)
            buffer.append(frame, range: step.taken)
            try encode(final: false)
            return !placement.isFull
        }
        let covered = placement.position
        let leastSamples = leastSamples
        guard covered >= leastSamples else {
            let rate = Double(AudioPlan.sampleRate)
            throw ClairoError.badMedia(
                "\(plan.source.name): its audio can be decoded for \(clock(Double(covered) / rate)) of at least "
                    + clock(Double(leastSamples) / rate),
                advice: "Give --allow-partial (in a profile: allow-partial) to transcode what can be read.")
        }
        try encode(silence: track.sampleCount - covered)
        try encode(final: true)
        try control.clock.measure(.encode) { try encoder.send(nil) }
        try drain()
        try writer.finish()
    }

    /// The number of samples that must be decoded. Silence replaces the rest, because containers declare slightly more
    /// than they hold.
    private var leastSamples: Int {
        guard !plan.settings.allowPartial, let promised = track.sourceSampleCount else { return 0 }
        return max(0, promised - max(AudioPlan.sampleRate / 2, promised / 50))
    }

    /// Decodes the track and passes planar float blocks at 48 kHz to `body`, each with the position of its first sample
    /// on the output timeline. Stops when `body` returns false.
    private func decode(_ body: (Frame, Int) throws -> Bool) throws {
        let demuxer = try Demuxer(
            SourceBytes(source), options: limits.demuxerOptions, interrupt: control.interrupt)
        demuxer.select(streams: [track.streamIndex])
        let decoder = try demuxer.openDecoder(stream: track.streamIndex, of: plan.source.name)
        var converter: (graph: FilterGraph, channels: Int, rate: Int, format: Int32)?
        var nextPTS: Int64?
        var wantsMore = true

        func emit(_ graph: FilterGraph) throws {
            let base = Rational(graph.timeBase(output: 0))
            while wantsMore, case .value(let block) = try graph.pull() {
                let seconds = Rational(block.pts ?? 0) * base - plan.origin
                let position = (seconds * Rational(Int64(AudioPlan.sampleRate))).rounded
                wantsMore = try body(block, Int(max(min(position, 1 << 40), -(1 << 40))))
            }
        }

        func convert(_ frame: Frame) throws {
            guard frame.sampleCount > 0, frame.channels > 0, frame.sampleRate > 0 else { return }
            if let current = converter,
                current.channels != frame.channels || current.rate != frame.sampleRate || current.format != frame.format
            {
                try current.graph.push(nil)
                try emit(current.graph)
                converter = nil
            }
            let graph =
                try converter?.graph
                ?? FilterGraph(audio: conversion, like: frame, timeBase: Ratio(1, Int32(frame.sampleRate)))
            converter = (graph, frame.channels, frame.sampleRate, frame.format)
            let ticks = Rational(decoder.timeBase) * Rational(Int64(frame.sampleRate))
            let pts = frame.pts.map { (Rational($0) * ticks).rounded } ?? nextPTS ?? 0
            nextPTS = pts + Int64(frame.sampleCount)
            try graph.push(frame, pts: pts)
            try emit(graph)
        }

        var isAtEnd = false
        while wantsMore, !isAtEnd {
            let packet = try demuxer.nextReadable(control)
            if let packet, packet.streamIndex != track.streamIndex { continue }
            isAtEnd = packet == nil
            try control.clock.measure(.decode) { try decoder.send(packet) }
            while wantsMore, case .value(let frame) = try control.clock.measure(.decode, { try decoder.receive() }) {
                try convert(frame)
            }
        }
        if wantsMore, let graph = converter?.graph {
            try graph.push(nil)
            try emit(graph)
        }
    }

    /// Mixes surround audio down, with centre and surround channels at -3 dB, and scales it so that it cannot clip.
    private var conversion: String {
        "[in]aresample=\(AudioPlan.sampleRate):rematrix_maxval=1.0,"
            + "aformat=sample_fmts=fltp:channel_layouts=\(track.channels == 1 ? "mono" : "stereo")[out0]"
    }
}

/// Places blocks of audio at their timestamps by inserting silence and dropping overlap. Pure arithmetic on samples.
struct SamplePlacement {
    /// A block that starts this close to the end of the last one is appended without a gap. Container clocks are
    /// coarse, and 15 ms is shorter than a frame at 60 fps.
    static let tolerance = AudioPlan.sampleRate * 15 / 1000

    private let limit: Int
    /// Samples placed so far, including silence.
    private(set) var position = 0
    private var hasStarted = false

    init(limit: Int) { self.limit = limit }

    var isFull: Bool { position >= limit }

    /// - Returns: The number of silent samples to insert, and the part of the block to use after them.
    mutating func place(at start: Int, count: Int) -> (silence: Int, taken: Range<Int>) {
        let gap = start - position
        let isExact = !hasStarted || abs(gap) > Self.tolerance
        let silence = isExact ? min(max(gap, 0), limit - position) : 0
        let dropped = isExact ? min(max(-gap, 0), count) : 0
        let taken = dropped..<max(dropped, min(count, dropped + limit - position - silence))
        if !taken.isEmpty || silence > 0 { hasStarted = true }
        position += silence + taken.count
        return (silence, taken)
    }
}

/// Buffers samples until they fill an access unit.
struct SampleBuffer {
    private var channels: [[Float]]
    private var start = 0

    init(channels: Int) { self.channels = Array(repeating: [], count: channels) }

    var count: Int { (channels.first?.count ?? 0) - start }

    mutating func append(silence count: Int) {
        guard count > 0 else { return }
        for index in channels.indices { channels[index].append(contentsOf: repeatElement(0, count: count)) }
    }

    mutating func append(_ frame: Frame, range: Range<Int>) {
        guard !range.isEmpty else { return }
        for index in channels.indices {
            _ = frame.withSamples(channel: index) { channels[index].append(contentsOf: $0[range]) }
        }
    }

    /// Removes and returns the next `count` samples of each channel, padded with silence at the end.
    mutating func take(_ count: Int) -> [ArraySlice<Float>] {
        append(silence: count - self.count)
        let taken = channels.map { $0[start..<start + count] }
        start += count
        // Compact rarely, because it moves all remaining samples.
        if start > 1 << 16 {
            for index in channels.indices { channels[index].removeFirst(start) }
            start = 0
        }
        return taken
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
