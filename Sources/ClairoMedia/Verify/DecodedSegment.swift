internal import ClairoCore
internal import Foundation
internal import Libav

/// A video segment as libav demuxes and decodes it.
struct VideoContent {
    /// The presentation times of the decoded frames, in the decoder's output order.
    private(set) var times: [Rational] = []
    private(set) var size: FrameSize?
    private(set) var beginsWithKeyFrame = false
    private(set) var errors = 0
    private let smallestPacketTime: Rational?

    /// - Parameters:
    ///   - data: An init segment followed by one media segment.
    ///   - onFrame: Called for each decoded frame.
    init(_ data: Data, codec: VideoCodec, interrupt: Interrupt, onFrame: () throws -> Void) throws {
        let demuxer = try Demuxer(
            InMemoryBytes(data), options: InputLimits().demuxerOptions, interrupt: interrupt)
        guard !demuxer.streams.isEmpty else { throw AVError.invalidData }
        let decoder = try demuxer.makeDecoder(stream: 0)
        let base = Rational(decoder.timeBase)
        var isFirst = true
        var smallest: Rational?
        func take(_ times: inout [Rational], _ size: inout FrameSize?) throws {
            while case .value(let frame) = try decoder.receive() {
                times.append(Rational(frame.pts ?? -1) * base)
                size = FrameSize(width: frame.width, height: frame.height)
                try onFrame()
            }
        }
        while let packet = try demuxer.read() {
            if isFirst { beginsWithKeyFrame = packet.isKey && codec.coding.isKeyFrame(sample: packet.data) }
            isFirst = false
            let time = Rational(packet.pts ?? -1) * base
            smallest = min(smallest ?? time, time)
            try decoder.send(packet)
            try take(&times, &size)
        }
        try decoder.send(nil)
        try take(&times, &size)
        errors = decoder.errorCount
        smallestPacketTime = smallest
    }

    /// The problem with the segment if it should hold `frames` of this size, or nil.
    func problem(frames: Range<Int>, rate: Rational, size wanted: FrameSize) -> String? {
        if errors > 0 { return "\(errors) decoding errors" }
        if !beginsWithKeyFrame { return "it does not begin with a key frame" }
        if times.count != frames.count { return "\(times.count) frames instead of \(frames.count)" }
        for (frame, time) in zip(frames, times) where time != Rational(Int64(frame)) / rate {
            return "frame \(frame) is at \(time) s instead of \(Rational(Int64(frame)) / rate) s"
        }
        if let size, size != wanted { return "its frames are \(size) instead of \(wanted)" }
        return nil
    }
}

/// An audio segment as libav demuxes and decodes it.
struct AudioContent {
    private(set) var start: Rational?
    /// The number of decoded blocks, one for each access unit.
    private(set) var blocks = 0
    private(set) var errors = 0
    private var gaps = 0
    private let codec: AudioCodec

    /// - Parameters:
    ///   - data: An init segment followed by one media segment.
    ///   - onFrame: Called for each decoded frame.
    init(_ data: Data, codec: AudioCodec, interrupt: Interrupt, onFrame: () throws -> Void) throws {
        self.codec = codec
        let demuxer = try Demuxer(
            InMemoryBytes(data), options: InputLimits().demuxerOptions, interrupt: interrupt)
        // Without this, FFmpeg 7 drops the priming of the first segment; 5.1 returns it.
        let decoder = try demuxer.makeDecoder(stream: 0, keepsPadding: true)
        let base = Rational(decoder.timeBase)
        func take(_ content: inout AudioContent) throws {
            while case .value(let frame) = try decoder.receive() {
                let time = Rational(frame.pts ?? 0) * base
                let first = content.start ?? time
                if time != first + content.length(ofSamples: content.blocks * codec.frameSamples) { content.gaps += 1 }
                content.start = first
                content.blocks += 1
                try onFrame()
            }
        }
        while let packet = try demuxer.read() {
            try decoder.send(packet)
            try take(&self)
        }
        try decoder.send(nil)
        try take(&self)
        errors = decoder.errorCount
    }

    private func length(ofSamples count: Int) -> Rational { Rational(Int64(count), Int64(AudioPlan.sampleRate)) }

    /// The problem with the segment if it should hold these access units of its track, or nil.
    /// - Parameter delay: The samples before the first presented one.
    func problem(packets: Range<Int>, delay: Int) -> String? {
        if errors > 0 { return "\(errors) decoding errors" }
        if blocks != packets.count { return "\(blocks) access units instead of \(packets.count)" }
        // A track starts with its delay, before zero.
        let wanted = length(ofSamples: packets.lowerBound * codec.frameSamples - delay)
        if let start, start != wanted { return "it begins at \(start) s instead of \(wanted) s" }
        return gaps > 0 ? "\(gaps) gaps" : nil
    }
}
