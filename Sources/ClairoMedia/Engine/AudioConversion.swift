internal import ClairoCore
internal import Libav

/// Converts decoded audio to planar float samples at 48 kHz, mono or stereo.
///
/// Surround audio is mixed down, with centre and surround channels at -3 dB, and scaled so that it cannot clip. A
/// filter graph takes one format. When the rate, the channels or the type of the samples change, the samples in the
/// graph are returned first, and another graph is made.
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
        var selection: ChannelMapping.Selection?
        var graph: FilterGraph
    }

    private let channels: Int
    private var converter: Converter?
    /// What was guessed so far about the channels. Each guess occurs once.
    private(set) var warnings: [MediaWarning] = []

    /// - Parameter channels: The number of channels of the output: 1 or 2.
    init(channels: Int) { self.channels = channels }

    /// Converts a frame.
    /// - Parameters:
    ///   - pts: The time of its first sample, in samples of the frame's rate.
    ///   - emit: Takes converted samples and the time of the first one in seconds.
    /// - Throws: `badInput` (65) if this format cannot be converted, or the error of `emit`.
    func convert(_ frame: Frame, pts: Int64, _ emit: (Frame, Rational) throws -> Void) throws {
        guard frame.sampleCount > 0, frame.channels > 0, frame.sampleRate > 0 else { return }
        let format = Format(frame)
        let current: Converter
        if let converter, converter.format == format {
            current = converter
        } else {
            let last = converter
            try finish(emit)
            current = try makeConverter(for: frame, format)
            if let last, last.format.positions != format.positions || last.format.order != format.order {
                warn(.formatChanges, "the channels of the audio change from \(last.layout) to \(current.layout)")
            }
            converter = current
        }
        try current.graph.push(try Self.select(current.selection, of: frame), pts: pts)
        try drain(current.graph, emit)
    }

    /// Returns the samples that are still in the graph.
    func finish(_ emit: (Frame, Rational) throws -> Void) throws {
        guard let graph = converter?.graph else { return }
        converter = nil
        try graph.push(nil)
        try drain(graph, emit)
    }

    private func drain(_ graph: FilterGraph, _ emit: (Frame, Rational) throws -> Void) throws {
        let base = Rational(graph.timeBase(output: 0))
        while case .value(let block) = try graph.pull() { try emit(block, Rational(block.pts ?? 0) * base) }
    }

    private func makeConverter(for frame: Frame, _ format: Format) throws -> Converter {
        let layout = frame.channelLayoutName
        let mapping = ChannelMapping(order: format.order, positions: format.positions, layout: layout)
        do {
            let made = try makeConverter(for: frame, format, layout: layout, mapping.selection)
            if let guess = mapping.guess { warn(.layoutGuessed, "the audio \(guess)") }
            return made
        } catch {
            guard error != .outOfMemory else { throw error }
        }
        do {
            let firstTwo = ChannelMapping.firstTwo(count: frame.channels)
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
        for frame: Frame, _ format: Format, layout: String, _ selection: ChannelMapping.Selection?
    ) throws(AVError) -> Converter {
        let graph = try FilterGraph(
            audio: description, like: try Self.select(selection, of: frame),
            timeBase: Ratio(1, Int32(clamping: frame.sampleRate)))
        return Converter(format: format, layout: layout, selection: selection, graph: graph)
    }

    private static func select(_ selection: ChannelMapping.Selection?, of frame: Frame) throws(AVError) -> Frame {
        guard let selection else { return frame }
        return try frame.selecting(channels: selection.channels, as: selection.mask)
    }

    private var description: String {
        "[in]aresample=\(AudioPlan.sampleRate):rematrix_maxval=1.0,"
            + "aformat=sample_fmts=fltp:channel_layouts=\(channels == 1 ? "mono" : "stereo")[out0]"
    }

    private func warn(_ code: MediaWarning.Code, _ message: String) {
        // A broadcast may change its format every few minutes.
        guard !warnings.contains(where: { $0.message == message }), warnings.count < 8 else { return }
        let advice = "Give the source a stereo track if the output sounds wrong."
        warnings.append(MediaWarning(code, message, advice: code == .layoutGuessed ? advice : nil))
    }
}
