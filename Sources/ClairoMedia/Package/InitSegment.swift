internal import ClairoCore
internal import Foundation

/// Reads decoder configurations from Clairo's own init segments, so that playlists and MP4 files describe what is on
/// the store.
enum InitSegment {
    /// The payload of `avcC`, or the AudioSpecificConfig in `esds`.
    static func configuration(of initSegment: Data) throws(ClairoError) -> Data {
        if let configuration = H264.configuration(initSegment: initSegment)
            ?? AAC.configuration(initSegment: initSegment)
        {
            return configuration
        }
        throw FragmentReader.damaged("its init.mp4 has no decoder configuration")
    }

    /// The RFC 6381 codec string.
    static func codecString(of initSegment: Data) throws(ClairoError) -> String {
        let configuration = try configuration(of: initSegment)
        let isVideo = H264.configuration(initSegment: initSegment) != nil
        guard
            let codec = isVideo
                ? H264.codecString(configuration: configuration) : AAC.codecString(configuration: configuration)
        else { throw FragmentReader.damaged("its decoder configuration is too short") }
        return codec
    }

    /// The ticks that the edit list removes at the start: the delay of frame reordering or of the audio encoder.
    static func priming(of initSegment: Data) -> Int64 {
        // Version and flags, entry count, segment duration, media time.
        guard let list = payload(of: "elst", in: initSegment), list.count >= 24 else { return 0 }
        return Int64(clamping: list.dropFirst(16).prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) })
    }

    /// The payload of the first box of a type, at any depth.
    static func payload(of type: String, in data: Data) -> Data? {
        guard let name = data.range(of: Data(type.utf8)), name.lowerBound - data.startIndex >= 4 else { return nil }
        let size = data[name.lowerBound - 4..<name.lowerBound].reduce(0) { $0 << 8 | Int($1) }
        guard size >= 8, size <= data.endIndex - name.lowerBound + 4 else { return nil }
        return data.subdata(in: name.upperBound..<name.lowerBound - 4 + size)
    }
}
