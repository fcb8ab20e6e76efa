internal import ClairoCore
internal import Foundation
internal import Libav

/// Everything specific to HEVC (ITU-T H.265): its NAL units, the `hvc1` sample entry, and x265 as its encoder.
enum HEVC: VideoCoding {
    static let sampleEntry = "hvc1"
    static let configurationBox = "hvcC"

    enum NALType {
        /// Slices of pictures have lower types than all other units.
        static let endOfSlices: UInt8 = 32
        static let idrWithLeading: UInt8 = 19
        static let idr: UInt8 = 20
        static let vps: UInt8 = 32
        static let sps: UInt8 = 33
        static let pps: UInt8 = 34
        static let prefixSEI: UInt8 = 39
    }

    /// The payloads of SEI that describe HDR: mastering display, content light level, and the preferred transfer
    /// characteristics of HLG (H.265, D.2).
    private static let hdrPayloads: Set<Int> = [137, 144, 147]

    static func type(of unit: Data) -> UInt8 { (unit.first ?? 0) >> 1 & 0x3F }

    /// Makes an `hvc1` sample: four-byte lengths, without the parameter sets, which only the sample entry holds, and
    /// without units that no decoder needs (delimiters, filler, the encoder's banner).
    static func sample(from units: [Data]) -> Data { H264.lengthPrefixed(units, where: isKept) }

    private static func isKept(_ unit: Data) -> Bool {
        let type = type(of: unit)
        if type == NALType.prefixSEI, let payload = payloadType(ofSEI: unit) { return hdrPayloads.contains(payload) }
        return type < NALType.endOfSlices
    }

    /// The type of the first message in an SEI unit (H.265, 7.3.5).
    private static func payloadType(ofSEI unit: Data) -> Int? {
        var type = 0
        for byte in unit.dropFirst(2) {
            type += Int(byte)
            if byte != 255 { return type }
        }
        return nil
    }

    static func isKeyFrame(units: [Data]) -> Bool {
        units.contains { [NALType.idr, NALType.idrWithLeading].contains(type(of: $0)) }
    }
}

// MARK: Configuration

extension HEVC {
    /// Makes an HEVCDecoderConfigurationRecord (ISO/IEC 14496-15, 8.3.3.1) from Annex B parameter sets.
    static func configuration(extradata: Data) -> Data? { configuration(units: H264.nalUnits(annexB: extradata)) }

    /// - Parameter units: The parameter sets; others are left out.
    static func configuration(units: [Data]) -> Data? {
        let arrays = [NALType.vps, NALType.sps, NALType.pps].map { kind in
            (kind: kind, units: units.filter { type(of: $0) == kind })
        }
        guard arrays.allSatisfy({ (1...16).contains($0.units.count) }),
            let sps = arrays[1].units.first.flatMap({ SequenceParameters($0) })
        else { return nil }
        var record = Data([1]) + sps.profileTierLevel
        // No minimum spatial segmentation, parallelism unknown.
        record += [0xF0, 0, 0xFC, 0xFC | UInt8(sps.chromaFormat & 3)]
        record += [0xF8 | UInt8(sps.lumaDepth - 8 & 7), 0xF8 | UInt8(sps.chromaDepth - 8 & 7)]
        // The average frame rate is not specified; four-byte lengths.
        record += [0, 0, UInt8(sps.subLayers & 7) << 3 | (sps.isNested ? 4 : 0) | 3, UInt8(arrays.count)]
        for array in arrays {
            // No other units of this type are in the samples.
            record += [0x80 | array.kind, 0, UInt8(array.units.count)]
            for unit in array.units {
                record += [UInt8(unit.count >> 8 & 255), UInt8(unit.count & 255)]
                record += unit
            }
        }
        return record
    }

    /// `hvc1.2.4.L120.90`: profile, compatibility flags in reverse order, tier and level, and the bytes of constraint
    /// flags without trailing zeros (ISO/IEC 14496-15, annex E).
    static func codecString(configuration: Data) -> String? {
        guard configuration.count >= 13 else { return nil }
        let bytes = Array(configuration.prefix(13))
        let space = ["", "A", "B", "C"][Int(bytes[1] >> 6)]
        var (flags, reversed) = (UInt32(0), UInt32(0))
        for byte in bytes[2..<6] { flags = flags << 8 | UInt32(byte) }
        for bit in 0..<32 where flags >> bit & 1 == 1 { reversed |= 1 << (31 - bit) }
        let tier = bytes[1] & 0x20 == 0 ? "L" : "H"
        var constraints = Array(bytes[6..<12])
        while constraints.last == 0 { constraints.removeLast() }
        let format = [
            "hvc1", "\(space)\(bytes[1] & 31)", String(reversed, radix: 16, uppercase: true), "\(tier)\(bytes[12])",
        ]
        return (format + constraints.map { String($0, radix: 16, uppercase: true) }).joined(separator: ".")
    }

    static func sample(packet: Data) -> Data { sample(from: H264.nalUnits(annexB: packet)) }

    static func isKeyFrame(sample: Data) -> Bool {
        H264.nalUnits(lengthPrefixed: sample, lengthSize: 4).map { isKeyFrame(units: $0) } ?? false
    }

    /// libav does not report x265's delay, so it is read from the parameter sets.
    static func reorderDelay(of encoder: Encoder) -> Int {
        let units = H264.nalUnits(annexB: encoder.extradata)
        return units.first { type(of: $0) == NALType.sps }.flatMap { SequenceParameters($0) }?.reorderDelay ?? 0
    }

    /// The beginning of a sequence parameter set (H.265, 7.3.2.2).
    struct SequenceParameters {
        /// The twelve bytes from the profile space to the level.
        let profileTierLevel: Data
        /// The number of temporal sub-layers.
        let subLayers: Int
        let isNested: Bool
        /// 1 for 4:2:0.
        let chromaFormat: Int
        /// Bits per sample.
        let lumaDepth: Int
        let chromaDepth: Int
        /// The number of frames by which decoding order is ahead of presentation order.
        let reorderDelay: Int

        init?(_ unit: Data) {
            let payload = HEVC.withoutEmulationPrevention(unit.dropFirst(2))
            var reader = BitReader(payload)
            guard reader.skip(4), let layers = reader.bits(3), let nested = reader.flag(), payload.count >= 13
            else { return nil }
            (subLayers, isNested) = (layers + 1, nested)
            profileTierLevel = Data(payload.dropFirst().prefix(12))
            guard reader.skip(96), Self.skipSubLayers(layers, &reader), reader.exponential() != nil,
                let chroma = reader.exponential(), chroma != 3 || reader.skip(1),
                reader.exponential() != nil, reader.exponential() != nil, let hasWindow = reader.flag()
            else { return nil }
            chromaFormat = chroma
            for _ in 0..<(hasWindow ? 4 : 0) { guard reader.exponential() != nil else { return nil } }
            guard let luma = reader.exponential(), let color = reader.exponential(), luma <= 8, color <= 8,
                reader.exponential() != nil, let hasAllLayers = reader.flag()
            else { return nil }
            (lumaDepth, chromaDepth) = (luma + 8, color + 8)
            var delay = 0
            for _ in (hasAllLayers ? 0 : layers)...layers {
                guard reader.exponential() != nil, let reordered = reader.exponential(), reader.exponential() != nil
                else { return nil }
                delay = reordered
            }
            reorderDelay = delay
        }

        private static func skipSubLayers(_ count: Int, _ reader: inout BitReader) -> Bool {
            guard count > 0 else { return true }
            var present: [(profile: Bool, level: Bool)] = []
            for _ in 0..<count {
                guard let profile = reader.flag(), let level = reader.flag() else { return false }
                present.append((profile, level))
            }
            guard reader.skip(2 * (8 - count)) else { return false }
            return reader.skip(present.reduce(0) { $0 + ($1.profile ? 88 : 0) + ($1.level ? 8 : 0) })
        }
    }

    /// Removes the bytes that keep start codes out of a unit (H.265, 7.4.2).
    private static func withoutEmulationPrevention(_ unit: Data) -> Data {
        var result = Data(capacity: unit.count)
        var zeros = 0
        for byte in unit {
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            zeros = byte == 0 ? zeros + 1 : 0
            result.append(byte)
        }
        return result
    }
}
