internal import ClairoCore
internal import Foundation

/// Reads decoder configurations from Clairo's own init segments, so that playlists and MP4 files describe what is on
/// the store.
enum InitSegment {
    /// The decoder configuration of video.
    static func configuration(of initSegment: Data, codec: VideoCodec) throws(ClairoError) -> Data {
        guard let configuration = codec.coding.configuration(initSegment: initSegment) else { throw noConfiguration }
        return configuration
    }

    /// The decoder configuration of audio.
    static func configuration(of initSegment: Data, codec: AudioCodec) throws(ClairoError) -> Data {
        guard let configuration = codec.coding.configuration(initSegment: initSegment) else { throw noConfiguration }
        return configuration
    }

    private static let noConfiguration = FragmentReader.damaged("its init.mp4 has no decoder configuration")

    /// The size of the frames in the visual sample entry (ISO/IEC 14496-12, 12.1.3), or nil if there is none.
    static func frameSize(of initSegment: Data, codec: VideoCodec) -> FrameSize? {
        guard let entry = payload(of: codec.coding.sampleEntry, in: initSegment), entry.count >= 28 else { return nil }
        let bytes = Array(entry.prefix(28))
        return FrameSize(width: Int(bytes[24]) << 8 | Int(bytes[25]), height: Int(bytes[26]) << 8 | Int(bytes[27]))
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
