internal import ClairoCore
internal import Foundation

extension HEVC {
    static func copyFormat(record: Data) -> (any CopyFormat)? { HEVCFormat(record: record) }

    static func isCommon(profile: String, pixelFormat: String) -> Bool {
        [["Main", "yuv420p"], ["Main 10", "yuv420p10le"]].contains([profile, pixelFormat])
    }
}

/// The sample format that an `hvcC` record (ISO/IEC 14496-15, 8.3.3.1) describes.
struct HEVCFormat: CopyFormat {
    let lengthSize: Int
    let parameterSets: [Data]
    /// A record with the same parameter sets and four-byte lengths, which Clairo's samples use.
    let configuration: Data
    private let sourceCodec: String?

    init?(record: Data) {
        var reader = ByteReader(record)
        var units: [Data] = []
        do {
            guard try reader.u8() == 1 else { return nil }
            for _ in 0..<20 { _ = try reader.u8() }
            lengthSize = Int(try reader.u8() & 3) + 1
            for _ in 0..<(try reader.u8()) {
                _ = try reader.u8()
                for _ in 0..<(try reader.u16()) {
                    let length = Int(try reader.u16())
                    var unit = Data()
                    for _ in 0..<length { unit.append(try reader.u8()) }
                    units.append(unit)
                }
            }
        } catch {
            return nil
        }
        parameterSets = units.filter { HEVCFormat.isParameterSet($0) }
        guard let made = HEVC.configuration(units: parameterSets) else { return nil }
        configuration = made
        sourceCodec = HEVC.codecString(configuration: record)
    }

    /// The strings of the source's record, and of its parameter sets.
    var codecs: [String] { [sourceCodec, HEVC.codecString(configuration: configuration)].compactMap { $0 } }

    private static func isParameterSet(_ unit: Data) -> Bool {
        (HEVC.NALType.vps...HEVC.NALType.pps).contains(HEVC.type(of: unit))
    }

    func picture(_ sample: Data) -> CopiedPicture? {
        guard let units = H264.nalUnits(lengthPrefixed: sample, lengthSize: lengthSize) else { return nil }
        return CopiedPicture(
            sample: HEVC.sample(from: units), isKeyFrame: HEVC.isKeyFrame(units: units),
            changesParameters: units.contains { Self.isParameterSet($0) && !parameterSets.contains($0) })
    }
}
