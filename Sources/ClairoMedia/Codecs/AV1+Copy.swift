internal import ClairoCore
internal import Foundation

extension AV1 {
    static func copyFormat(record: Data) -> (any CopyFormat)? { AV1Format(record: record) }

    static func isCommon(profile: String, pixelFormat: String) -> Bool {
        profile == "Main" && ["yuv420p", "yuv420p10le"].contains(pixelFormat)
    }
}

/// The samples that an `av1C` record (AV1 binding, 2.3) describes.
struct AV1Format: CopyFormat {
    /// A record made from the sequence header in the source's.
    private(set) var configuration: Data
    private var sequenceHeader: Data
    private let sourceCodec: String?

    init?(record: Data) {
        // Marker and version.
        guard record.count > 4, record.first == 0x81, let units = AV1.units(record.dropFirst(4)),
            let header = units.first(where: { $0.type == AV1.OBUType.sequenceHeader }),
            let made = AV1.configuration(extradata: header.bytes)
        else { return nil }
        configuration = made
        sequenceHeader = header.payload
        sourceCodec = AV1.codecString(configuration: record)
    }

    /// The strings of the source's record, and of its sequence header.
    var codecs: [String] { [sourceCodec, AV1.codecString(configuration: configuration)].compactMap { $0 } }

    /// Takes the sequence header of the first sample. The record that libavformat writes for SVT-AV1 denies tools that
    /// the stream uses.
    func corrected(by sample: Data) -> any CopyFormat {
        guard let header = AV1.units(sample)?.first(where: { $0.type == AV1.OBUType.sequenceHeader }),
            let made = AV1.configuration(extradata: header.bytes)
        else { return self }
        var format = self
        (format.configuration, format.sequenceHeader) = (made, header.payload)
        return format
    }

    func picture(_ sample: Data) -> CopiedPicture? {
        guard let units = AV1.units(sample) else { return nil }
        return CopiedPicture(
            sample: AV1.sample(from: units), isKeyFrame: AV1.isKeyFrame(units: units),
            changesParameters: units.contains {
                $0.type == AV1.OBUType.sequenceHeader && $0.payload != sequenceHeader
            })
    }
}
