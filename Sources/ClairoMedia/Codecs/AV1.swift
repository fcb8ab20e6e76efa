internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to AV1 (AV1 Bitstream & Decoding Process Specification): its OBUs, the `av01` sample entry (AV1
/// Codec ISO Media File Format Binding), and SVT-AV1 as its encoder.
enum AV1: VideoCoding {
    static let sampleEntry = "av01"
    static let configurationBox = "av1C"

    enum OBUType {
        static let sequenceHeader: UInt8 = 1
        static let temporalDelimiter: UInt8 = 2
        static let frameHeader: UInt8 = 3
        static let metadata: UInt8 = 5
        static let frame: UInt8 = 6
        static let redundantFrameHeader: UInt8 = 7
        static let tileList: UInt8 = 8
        static let padding: UInt8 = 15
    }

    /// An open bitstream unit.
    struct OBU: Hashable {
        var type: UInt8
        /// With header and size.
        var bytes: Data
        var payload: Data
    }

    /// Splits a temporal unit. Returns nil if a size is missing or wrong.
    static func units(_ data: Data) -> [OBU]? {
        var units: [OBU] = []
        var position = data.startIndex
        while position < data.endIndex {
            let (start, header) = (position, data[position])
            position += header & 4 == 0 ? 1 : 2
            guard header & 0x82 == 2, let size = leb128(data, &position), size <= data.endIndex - position else {
                return nil
            }
            units.append(
                OBU(
                    type: header >> 3 & 15, bytes: data.subdata(in: start..<position + size),
                    payload: data.subdata(in: position..<position + size)))
            position += size
        }
        return units
    }

    private static func leb128(_ data: Data, _ position: inout Int) -> Int? {
        var value = 0
        for index in 0..<8 {
            guard position < data.endIndex else { return nil }
            let byte = data[position]
            position += 1
            value |= Int(byte & 0x7F) << (7 * index)
            if byte & 0x80 == 0 { return value }
        }
        return nil
    }

    /// A temporal unit as a sample: without delimiters and what no decoder needs. The sequence header stays in front of
    /// key frames, because the binding requires it of sync samples (2.4 and 2.5).
    static func sample(from units: [OBU]) -> Data {
        let dropped = [
            OBUType.temporalDelimiter, OBUType.redundantFrameHeader, OBUType.tileList, OBUType.padding,
        ]
        return units.reduce(into: Data()) { if !dropped.contains($1.type) { $0 += $1.bytes } }
    }

    /// Whether decoding can begin at a temporal unit: its first frame is a key frame that is shown, with a sequence
    /// header in front.
    static func isKeyFrame(units: [OBU]) -> Bool {
        guard let index = units.firstIndex(where: { [OBUType.frame, OBUType.frameHeader].contains($0.type) }),
            units[..<index].contains(where: { $0.type == OBUType.sequenceHeader }),
            let first = units[index].payload.first
        else { return false }
        // show_existing_frame 0, frame_type 0 (key frame), show_frame 1.
        return first >> 4 == 1
    }
}

// MARK: Configuration

extension AV1 {
    /// Makes an AV1CodecConfigurationRecord (binding, 2.3.3) from a sequence header.
    static func configuration(extradata: Data) -> Data? {
        guard let header = units(extradata)?.first(where: { $0.type == OBUType.sequenceHeader }),
            let sequence = SequenceHeader(header.payload)
        else { return nil }
        var flags = UInt8(sequence.tier) << 7 | (sequence.bitDepth > 8 ? 0x40 : 0)
        flags |= (sequence.bitDepth > 10 ? 0x20 : 0) | (sequence.isMonochrome ? 0x10 : 0)
        flags |= UInt8(sequence.subsampling & 3) << 2 | UInt8(sequence.chromaPosition & 3)
        return Data([0x81, UInt8(sequence.profile) << 5 | UInt8(sequence.level), flags, 0]) + header.bytes
    }

    /// `av01.0.08M.08`: profile, level, tier and bits (binding, 5). In HDR also monochrome, subsampling and colour,
    /// which players read to choose a rendition: `av01.0.13M.10.0.110.09.16.09.0`.
    static func codecString(configuration: Data) -> String? {
        guard configuration.count >= 4 else { return nil }
        let bytes = Array(configuration.prefix(4))
        func digits(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let depth = bytes[2] & 0x40 == 0 ? 8 : bytes[2] & 0x20 == 0 ? 10 : 12
        let text =
            "av01.\(bytes[1] >> 5).\(digits(Int(bytes[1] & 31)))\(bytes[2] & 0x80 == 0 ? "M" : "H").\(digits(depth))"
        guard let header = units(configuration.dropFirst(4))?.first(where: { $0.type == OBUType.sequenceHeader }),
            let sequence = SequenceHeader(header.payload), OutputColor.isHDR(sequence.color.transfer)
        else { return text }
        let color = sequence.color
        return text
            + ".\(bytes[2] >> 4 & 1).\(bytes[2] >> 3 & 1)\(bytes[2] >> 2 & 1)\(bytes[2] & 3)"
            + [color.primaries, color.transfer, color.matrix].map { ".\(digits($0))" }.joined()
            + (color.isFullRange ? ".1" : ".0")
    }

    static func sample(packet: Data) -> Data { units(packet).map { sample(from: $0) } ?? packet }

    static func isKeyFrame(sample: Data) -> Bool { units(sample).map { isKeyFrame(units: $0) } ?? false }
}
