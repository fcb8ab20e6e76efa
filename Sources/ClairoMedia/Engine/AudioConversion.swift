internal import ClairoCore
internal import Libav

/// Converts decoded audio to planar float samples at 48 kHz: mono, stereo or 5.1.
///
/// Channels are mixed as `ChannelMapping` says; a mix that may be louder than its source passes a `PeakLimiter`. A filter
/// graph takes one format. When the rate, the channels or the type of the samples change, the samples in the graph are
/// returned first, and another graph is made.
final class AudioConversion {
    private struct Format: Equatable {
        var rate: Int
        var samples: Int32
        var order: Frame.ChannelOrder
        var positions: [Int32]

        init(_ frame: Frame) {
            rate = frame.sampleRate
            samples = frame.format
            order = frame.channelOrder
            positions = frame.channelPositions
        }
    }

    private struct Converter {
        var format: Format
        var layout: String
        var mapping: ChannelMapping
        var graph: FilterGraph
        /// Its blocks have the time of their first sample. Nil if it is not needed.
        var limiter: PeakLimiter<Rational>?
    }

    private let channels: Int
    private var converter: Converter?
    /// What was guessed so far about the channels. Each guess occurs once.
    private(set) var warnings: [MediaWarning] = []

    /// - Parameter channels: The number of channels of the output: 1, 2, or 6 for 5.1.
    init(channels: Int) { self.channels = channels }

    /// Converts a frame.
    /// - Parameters:
    ///   - pts: The time of its first sample, in samples of the frame's rate.
    ///   - emit: Takes converted samples and the time of the first one in seconds.
    /// - Throws: `badInput` (65) if this format cannot be converted, or the error of `emit`.
    func convert(_ frame: Frame, pts: Int64, _ emit: (Frame, Rational) throws -> Void) throws {
        guard frame.sampleCount > 0, frame.channels > 0, frame.sampleRate > 0 else { return }
        let format = Format(frame)
        if converter?.format != format {
            let last = converter
            try finish(emit)
            let next = try makeConverter(for: frame, format)
            if let last, last.format.positions != format.positions || last.format.order != format.order {
                warn(.formatChanges, "the channels of the audio change from \(last.layout) to \(next.layout)")
            }
            converter = next
        }
        guard let current = converter else { return }
        try current.graph.push(try Self.select(current.mapping, of: frame), pts: pts)
        try drain(emit)
    }

    /// Returns the samples that are still in the graph and the limiter.
    func finish(_ emit: (Frame, Rational) throws -> Void) throws {
        guard let graph = converter?.graph else { return }
        try graph.push(nil)
        try drain(emit)
        for block in converter?.limiter?.finish() ?? [] { try Self.emit(block.channels, at: block.tag, emit) }
        converter = nil
    }

    private func drain(_ emit: (Frame, Rational) throws -> Void) throws {
        guard let current = converter else { return }
        let base = Rational(current.graph.timeBase(output: 0))
        while case .value(let block) = try current.graph.pull() {
            let time = Rational(block.pts ?? 0) * base
            if current.mapping.isIdentity {
                try emit(block, time)
            } else if converter?.limiter == nil {
                try Self.emit(current.mapping.mix(block), at: time, emit)
            } else {
                converter?.limiter?.add(current.mapping.mix(block), as: time)
                for done in converter?.limiter?.take() ?? [] { try Self.emit(done.channels, at: done.tag, emit) }
            }
        }
    }

    private static func emit(
        _ channels: [[Float]], at time: Rational, _ emit: (Frame, Rational) throws -> Void
    ) throws {
        guard channels.first?.isEmpty == false else { return }
        try emit(Frame.audio(channels: channels.map { $0[...] }, sampleRate: AudioPlan.sampleRate, pts: 0), time)
    }

    private func makeConverter(for frame: Frame, _ format: Format) throws -> Converter {
        let layout = frame.channelLayoutName
        let mapping = ChannelMapping(
            order: format.order, positions: format.positions, layout: layout, outputs: channels)
        do {
            let made = try makeConverter(for: frame, format, layout: layout, mapping)
            if let guess = mapping.guess { warn(.layoutGuessed, "the audio \(guess)") }
            return made
        } catch {
            guard error != .outOfMemory else { throw error }
        }
        do {
            let firstTwo = ChannelMapping.firstTwo(count: frame.channels, outputs: channels)
            let made = try makeConverter(for: frame, format, layout: layout, firstTwo)
            warn(
                .layoutGuessed, "the channels of the audio (\(layout)) cannot be mixed; only the first two are used")
            return made
        } catch {
            guard error != .outOfMemory else { throw error }
            throw ClairoError.badMedia(
                "The audio (\(layout), \(frame.sampleRate) Hz) cannot be converted: \(error)")
        }
    }

    private func makeConverter(
        for frame: Frame, _ format: Format, layout: String, _ mapping: ChannelMapping
    ) throws(AVError) -> Converter {
        // libav converts the rate and the type of the samples, and mixes nothing.
        let layoutMask = String(Self.mask(mapping), radix: 16)
        let graph = try FilterGraph(
            audio: "[in]aresample=\(AudioPlan.sampleRate),"
                + "aformat=sample_fmts=fltp:channel_layouts=0x\(layoutMask)[out0]",
            like: try Self.select(mapping, of: frame), timeBase: Ratio(1, Int32(clamping: frame.sampleRate)))
        return Converter(
            format: format, layout: layout, mapping: mapping, graph: graph,
            limiter: mapping.mayExceedSource ? PeakLimiter(channels: channels) : nil)
    }

    /// As many positions as there are used channels. libav only has to keep their order.
    private static func mask(_ mapping: ChannelMapping) -> UInt64 {
        switch mapping.channels.count {
        case 1: 0x4
        case let count: (UInt64(1) << UInt64(count)) - 1
        }
    }

    private static func select(_ mapping: ChannelMapping, of frame: Frame) throws(AVError) -> Frame {
        try frame.selecting(channels: mapping.channels, as: mask(mapping))
    }

    private func warn(_ code: MediaWarning.Code, _ message: String) {
        // A broadcast may change its format every few minutes.
        guard !warnings.contains(where: { $0.message == message }), warnings.count < 8 else { return }
        let advice = "Give the source a stereo track if the output sounds wrong."
        warnings.append(MediaWarning(code, message, advice: code == .layoutGuessed ? advice : nil))
    }
}
