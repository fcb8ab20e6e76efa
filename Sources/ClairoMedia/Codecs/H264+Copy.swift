internal import ClairoCore
internal import Foundation

extension H264 {
    static func copyFormat(record: Data) -> (any CopyFormat)? { AVCFormat(record: record) }

    static func isCommon(profile: String, pixelFormat: String) -> Bool {
        ["Baseline", "Constrained Baseline", "Main", "High"].contains(profile) && pixelFormat == "yuv420p"
    }
}

/// The sample format that an `avcC` record (ISO/IEC 14496-15) describes.
struct AVCFormat: CopyFormat {
    var lengthSize: Int
    var parameterSets: [Data]
    /// The record changed to four-byte lengths, which Clairo's samples use.
    var configuration: Data

    init?(record bytes: Data) {
        var reader = ByteReader(bytes)
        do {
            guard try reader.u8() == 1 else { return nil }
            for _ in 0..<3 { _ = try reader.u8() }
            lengthSize = Int(try reader.u8() & 3) + 1
            parameterSets = []
            for mask in [UInt8(31), 255] {
                for _ in 0..<(try reader.u8() & mask) {
                    let length = Int(try reader.u16())
                    var unit = Data()
                    for _ in 0..<length { unit.append(try reader.u8()) }
                    parameterSets.append(unit)
                }
            }
        } catch {
            return nil
        }
        configuration = bytes
        configuration[configuration.startIndex + 4] |= 3
    }

    /// A sequence parameter set has the profile, constraints and level in the same bytes as the record.
    var codecs: [String] {
        ([configuration] + parameterSets.filter { H264.type(of: $0) == H264.NALType.sps })
            .compactMap { H264.codecString(configuration: $0) }
    }

    func picture(_ sample: Data) -> CopiedPicture? {
        guard let units = H264.nalUnits(lengthPrefixed: sample, lengthSize: lengthSize) else { return nil }
        return CopiedPicture(
            sample: H264.sample(from: units), isKeyFrame: units.contains { H264.type(of: $0) == H264.NALType.idr },
            changesParameters: units.contains {
                H264.type(of: $0) == H264.NALType.sps && !parameterSets.contains($0)
            })
    }
}
