internal import ClairoCore
internal import Libav

/// The format of a decoded frame.
struct FrameFormat: Hashable {
    var codedSize: FrameSize
    var pixelFormat: String
    var bitDepth: Int
    /// The pixel shape according to the bitstream; nil if it declares none.
    var aspectRatio: Rational?
    /// H.273 code points; 2 is unspecified.
    var color: ColorDescription

    init(_ frame: Frame) {
        codedSize = FrameSize(width: frame.width, height: frame.height)
        pixelFormat = frame.pixelFormatName
        bitDepth = frame.bitDepth
        aspectRatio = frame.sampleAspectRatio.isUsable ? Rational(frame.sampleAspectRatio) : nil
        color = ColorDescription(
            primaries: Int(frame.colorPrimaries), transfer: Int(frame.colorTransfer), matrix: Int(frame.colorMatrix),
            isFullRange: frame.isFullRange)
    }
}

/// Follows the format of a video track without decoding all of it: a key frame is decoded only if the part of it that
/// describes the format differs from all earlier ones.
struct FormatSampler {
    struct Sample {
        /// The number of packets before the key frame.
        var packet: Int
        var format: FrameFormat
    }

    private(set) var samples: [Sample] = []
    private(set) var hasInterlacedFrames = false

    /// Formats beyond this number are damage.
    private static let mostSamples = 64
    /// Later changes are not recorded.
    private static let mostChanges = 2000
    /// The number of packets that a decoder gets to return its first frame.
    private static let mostPackets = 60

    private var signatures: [[UInt8]: FrameFormat?] = [:]
    private var attempt: (decoder: Decoder, packet: Int, signature: [UInt8], sent: Int)?
    /// The stream of the last packet, and whether no key frame of it was seen yet although it continues another one.
    private var stream: Int?
    private var isNew = false

    /// Takes the next packet of the track, which has `number` packets before it.
    /// - Parameter info: The stream of the packet.
    mutating func take(_ packet: Packet, number: Int, of info: StreamInfo, from reader: SourceReader) throws {
        if let stream, stream != info.index {
            try finish()
            signatures = [:]
            isNew = true
        }
        stream = info.index
        if packet.isKey,
            let signature = packet.withBytes({ FormatSignature.of($0, of: info) }) ?? (isNew ? [] : nil)
        {
            isNew = false
            if let known = signatures[signature] {
                if let known, samples.last?.format != known, samples.count < Self.mostChanges {
                    samples.append(Sample(packet: number, format: known))
                }
            } else if signatures.count < Self.mostSamples {
                try finish()
                signatures[signature] = .some(nil)
                if let decoder = try? reader.makeDecoder(stream: info.index) {
                    attempt = (decoder, number, signature, 0)
                }
            }
        }
        guard let current = attempt else { return }
        try current.decoder.send(packet)
        attempt?.sent += 1
        try collect()
        if let sent = attempt?.sent, sent >= Self.mostPackets { attempt = nil }
    }

    /// Decodes what is waiting in the decoder.
    mutating func finish() throws {
        guard let current = attempt else { return }
        try current.decoder.send(nil)
        try collect()
        attempt = nil
    }

    private mutating func collect() throws {
        guard let current = attempt, case .value(let frame) = try current.decoder.receive() else { return }
        let format = FrameFormat(frame)
        hasInterlacedFrames = hasInterlacedFrames || frame.isInterlaced
        signatures[current.signature] = format
        if samples.last?.format != format { samples.append(Sample(packet: current.packet, format: format)) }
        attempt = nil
    }
}

/// The bytes of a key frame that describe the format of the frames after it.
enum FormatSignature {
    /// Returns nil for codecs whose format does not change within a stream, or that have no such bytes.
    static func of(_ bytes: UnsafeBufferPointer<UInt8>, of stream: StreamInfo) -> [UInt8]? {
        switch stream.codecName {
        // Parameter sets: sequence (7) in ISO/IEC 14496-10; video and sequence (32, 33) in ISO/IEC 23008-2. The sizes of
        // lengths are in the configuration records of ISO/IEC 14496-15.
        case "h264": units(bytes, stream, lengthAt: 4) { $0 & 31 == 7 }
        case "hevc": units(bytes, stream, lengthAt: 21) { (32...33).contains($0 >> 1 & 63) }
        // The sequence header (B3) and its extension (B5 of ISO/IEC 13818-2).
        case "mpeg2video", "mpeg1video": startCodeUnits(bytes) { $0 == 0xB3 || $0 == 0xB5 }
        // RFC 6386, 9.1: the size follows the frame tag and the start code.
        case "vp8": bytes.count >= 10 ? Array(bytes[6..<10]) : nil
        // The uncompressed header up to the frame size.
        case "vp9": bytes.count >= 9 ? Array(bytes[0..<9]) : nil
        case "av1": sequenceHeader(bytes)
        default: nil
        }
    }

    /// The units that `isWanted` accepts by their first byte, separated by start codes or, if the stream has a
    /// configuration record, preceded by their lengths.
    private static func units(
        _ bytes: UnsafeBufferPointer<UInt8>, _ stream: StreamInfo, lengthAt position: Int,
        _ isWanted: (UInt8) -> Bool
    ) -> [UInt8]? {
        guard stream.extradata.first == 1, stream.extradata.count > position else {
            return startCodeUnits(bytes, isWanted)
        }
        let lengthSize = Int(stream.extradata[position] & 3) + 1
        var units: [UInt8] = []
        var index = 0
        // Parameters precede the slices.
        for _ in 0..<16 where index + lengthSize < bytes.count {
            let length = bytes[index..<index + lengthSize].reduce(0) { $0 << 8 | Int($1) }
            index += lengthSize
            let end = min(bytes.count, index + length)
            if isWanted(bytes[index]) { units += bytes[index..<max(index, min(end, index + 512))] }
            index = end
        }
        return units.isEmpty ? nil : units
    }

    /// The units that `isWanted` accepts by their first byte, up to the first 512 bytes of each.
    private static func startCodeUnits(
        _ bytes: UnsafeBufferPointer<UInt8>, _ isWanted: (UInt8) -> Bool
    ) -> [UInt8]? {
        var units: [UInt8] = []
        var index = 0
        // Parameters precede the slices, so the first bytes are enough.
        let end = min(bytes.count, 4096)
        var start: Int?
        func close(at stop: Int) {
            if let first = start { units += bytes[first..<min(stop, first + 512)] }
            start = nil
        }
        while index + 3 < end {
            if bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 {
                close(at: index)
                if isWanted(bytes[index + 3]) { start = index + 3 }
                index += 3
            } else {
                index += 1
            }
        }
        close(at: end)
        return units.isEmpty ? nil : units
    }

    /// The first sequence header OBU (AV1 specification, 5.3 and 5.5).
    private static func sequenceHeader(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
        var index = 0
        for _ in 0..<8 where index + 2 <= bytes.count {
            let header = bytes[index]
            index += header & 4 != 0 ? 2 : 1
            var size = 0
            var shift = 0
            guard header & 2 != 0 else { return nil }
            while index < bytes.count, shift < 35 {
                let byte = bytes[index]
                index += 1
                size |= Int(byte & 127) << shift
                shift += 7
                if byte & 128 == 0 { break }
            }
            let end = min(bytes.count, index + size)
            if header >> 3 & 15 == 1 { return Array(bytes[index..<max(index, end)].prefix(512)) }
            index = end
        }
        return nil
    }
}
