internal import ClairoCore
internal import Foundation

/// The little of H.264 (ITU-T H.264) that packaging needs: NAL units, parameter sets, the `avcC` record.
enum H264 {
    enum NALType {
        static let idr: UInt8 = 5
        static let sps: UInt8 = 7
        static let pps: UInt8 = 8
    }

    /// Splits an Annex B byte stream at its start codes.
    static func nalUnits(annexB data: Data) -> [Data] {
        var starts: [(code: Int, payload: Int)] = []
        data.withUnsafeBytes { bytes in
            var index = 0
            while index + 2 < bytes.count {
                if bytes[index + 2] > 1 {
                    index += 3
                } else if bytes[index] == 0, bytes[index + 1] == 0, bytes[index + 2] == 1 {
                    let code = index > 0 && bytes[index - 1] == 0 ? index - 1 : index
                    starts.append((code, index + 3))
                    index += 3
                } else {
                    index += 1
                }
            }
        }
        return starts.enumerated().map { position, start in
            let end = position + 1 < starts.count ? starts[position + 1].code : data.count
            return data.subdata(in: data.startIndex + start.payload..<data.startIndex + max(end, start.payload))
        }
    }

    /// Splits an access unit whose NAL units have a length in front; nil if a length is wrong.
    static func nalUnits(lengthPrefixed data: Data, lengthSize: Int) -> [Data]? {
        var units: [Data] = []
        var position = data.startIndex
        while position < data.endIndex {
            guard data.endIndex - position >= lengthSize else { return nil }
            let length = data[position..<position + lengthSize].reduce(0) { $0 << 8 | Int($1) }
            position += lengthSize
            guard length <= data.endIndex - position else { return nil }
            units.append(data.subdata(in: position..<position + length))
            position += length
        }
        return units
    }

    static func type(of unit: Data) -> UInt8 { (unit.first ?? 0) & 0x1F }

    /// An access unit as `avc1` stores it: four-byte lengths, without the units that the sample entry or nobody needs
    /// (parameter sets, delimiters, filler, SEI such as the encoder's own advertisement in every IDR).
    static func sample(from units: [Data]) -> Data {
        var sample = Data()
        for unit in units where isKept(type(of: unit)) {
            withUnsafeBytes(of: UInt32(unit.count).bigEndian) { sample.append(contentsOf: $0) }
            sample.append(unit)
        }
        return sample
    }

    private static func isKept(_ type: UInt8) -> Bool { (1...5).contains(type) }

    /// AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1) for High and lower profiles in 4:2:0 at 8 bits.
    static func configuration(sps: [Data], pps: [Data]) -> Data? {
        guard let first = sps.first, first.count >= 4 else { return nil }
        let header = Array(first.prefix(4))
        var record: [UInt8] = [1, header[1], header[2], header[3], 0xFF, 0xE0 | UInt8(sps.count & 31)]
        for unit in sps { record += [UInt8(unit.count >> 8), UInt8(unit.count & 255)] + Array(unit) }
        record.append(UInt8(pps.count & 255))
        for unit in pps { record += [UInt8(unit.count >> 8), UInt8(unit.count & 255)] + Array(unit) }
        if [100, 110, 122, 144].contains(header[1]) { record += [0xFC | 1, 0xF8, 0xF8, 0] }
        return Data(record)
    }

    /// `avcC` from an encoder's Annex B parameter sets.
    static func configuration(annexB extradata: Data) -> Data? {
        let units = nalUnits(annexB: extradata)
        return configuration(
            sps: units.filter { type(of: $0) == NALType.sps }, pps: units.filter { type(of: $0) == NALType.pps })
    }

    /// RFC 6381: `avc1.` and profile, constraints and level in hexadecimal, from bytes 1 to 3 of `avcC`.
    static func codecString(configuration: Data) -> String? {
        guard configuration.count >= 4 else { return nil }
        let bytes = configuration.dropFirst().prefix(3)
        return "avc1." + bytes.hexadecimal
    }
}

/// AudioSpecificConfig (ISO/IEC 14496-3, 1.6.2.1).
enum AAC {
    /// RFC 6381: `mp4a.40.` and the audio object type.
    static func codecString(configuration: Data) -> String? {
        guard let first = configuration.first else { return nil }
        let type = first >> 3
        guard type == 31 else { return "mp4a.40.\(type)" }
        guard let second = configuration.dropFirst().first else { return nil }
        return "mp4a.40.\(32 + Int((first & 7) << 3 | second >> 5))"
    }
}
