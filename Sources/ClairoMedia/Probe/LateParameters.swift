internal import ClairoCore
internal import Libav

/// Learns the parameters of streams that begin so late that opening the container did not find them. Their first
/// packets are decoded.
struct LateParameters {
    /// The number of packets after which a stream is given up.
    private static let mostPackets = 500

    private struct Attempt {
        var decoder: Decoder
        var packets = 0
    }

    private var attempts: [Int: Attempt] = [:]
    private var finished: Set<Int> = []
    private var learned: [Int: StreamInfo] = [:]
    private var packetSeconds: [Int: Rational] = [:]

    /// Takes a packet of an audio or video stream.
    mutating func take(_ packet: Packet, of info: StreamInfo, from reader: SourceReader) throws {
        guard info.isIncomplete, info.canDecode, !finished.contains(info.index) else { return }
        if attempts[info.index] == nil {
            guard let decoder = try? reader.makeDecoder(stream: info.index) else {
                finished.insert(info.index)
                return
            }
            attempts[info.index] = Attempt(decoder: decoder)
        }
        guard let decoder = attempts[info.index]?.decoder else { return }
        attempts[info.index]?.packets += 1
        try decoder.send(packet)
        if case .value(let frame) = try decoder.receive() {
            var complete = info
            complete.complete(from: frame)
            learned[info.index] = complete
            if info.kind == .audio, frame.sampleCount > 0, frame.sampleRate > 0 {
                packetSeconds[info.index] = Rational(Int64(frame.sampleCount), Int64(frame.sampleRate))
            }
            finish(info.index)
        } else if attempts[info.index]?.packets ?? 0 >= Self.mostPackets {
            finish(info.index)
        }
    }

    private mutating func finish(_ index: Int) {
        attempts[index] = nil
        finished.insert(index)
    }

    /// The duration of a packet of an audio stream, from its first one; nil if the container described the stream.
    func packetSeconds(of index: Int) -> Rational? { packetSeconds[index] }

    /// The stream with what was learned about it.
    func completed(_ info: StreamInfo) -> StreamInfo {
        guard info.isIncomplete, let known = learned[info.index] else { return info }
        var complete = info
        (complete.width, complete.height) = (known.width, known.height)
        complete.pixelFormatName = known.pixelFormatName
        (complete.channels, complete.sampleRate) = (known.channels, known.sampleRate)
        complete.channelLayout = known.channelLayout
        return complete
    }
}

extension StreamInfo {
    /// Whether the container has not described it yet.
    fileprivate var isIncomplete: Bool {
        switch kind {
        case .audio: sampleRate <= 0 || channels <= 0
        case .video: width <= 0 || height <= 0 || pixelFormatName == nil
        default: false
        }
    }

    fileprivate mutating func complete(from frame: Frame) {
        if kind == .video {
            (width, height) = (Int32(clamping: frame.width), Int32(clamping: frame.height))
            pixelFormatName = frame.pixelFormatName
        } else {
            (channels, sampleRate) = (Int32(clamping: frame.channels), Int32(clamping: frame.sampleRate))
            channelLayout = frame.channelLayoutName
        }
    }
}
