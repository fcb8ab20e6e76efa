internal import ClairoCore
internal import Foundation
internal import Libav

/// Finds codecs of enhanced RTMP in an FLV file.
///
/// Enhanced RTMP names codecs by a FourCC, with bits that were not used before. A demuxer that does not know it takes
/// the bits for another codec: libav 5.1 shows HEVC as VP6. See the specification "Enhanced RTMP" of the Veovera
/// Software Organization.
enum EnhancedFLV {
    /// The FourCC of the first tag of each kind.
    struct Codecs: Hashable {
        /// Of the video, for example `hvc1`; nil if it has none.
        var video: String?
        /// Of the audio, for example `Opus`; nil if it has none.
        var audio: String?
    }

    /// The maximum number of tags to read.
    private static let mostTags = 256
    /// The bytes of a tag to read: its head and the codec.
    private static let tagBytes: Int64 = 11 + 64

    /// Why libav does not read the video or the audio of this file, as part of a sentence such as "its video is HEVC
    /// (hvc1) in enhanced FLV, which FFmpeg 5.1 does not read"; nil if it is no FLV file, or libav reads it.
    static func reason(_ source: any ByteSource) throws(ClairoError) -> String? {
        let codecs = try codecs(in: source)
        var parts: [String] = []
        for (kind, code) in [("video", codecs.video), ("audio", codecs.audio)] {
            guard let code, !Libraries.readsEnhancedFLV(code) else { continue }
            let name = names[code].map { "\($0) (\(code))" } ?? code
            parts.append("its \(kind) is \(name)")
        }
        guard !parts.isEmpty else { return nil }
        let version = Libraries.version.map { "FFmpeg \($0)" } ?? "this version of FFmpeg"
        return parts.joined(separator: " and ") + " in enhanced FLV, which \(version) does not read"
    }

    private static let names = [
        "hvc1": "HEVC", "av01": "AV1", "vp09": "VP9", "vp08": "VP8", "avc1": "H.264", "vvc1": "VVC", "Opus": "Opus",
        "fLaC": "FLAC", "ac-3": "AC-3", "ec-3": "E-AC-3", "mp4a": "AAC", ".mp3": "MP3",
    ]

    /// Reads the first tags of a file.
    static func codecs(in source: any ByteSource) throws(ClairoError) -> Codecs {
        var codecs = Codecs()
        guard source.size > 13 else { return codecs }
        let head = [UInt8](try source.part(at: 0, count: 9))
        guard head.starts(with: "FLV".utf8) else { return codecs }
        var offset = Int64(bigEndianBytes: head[5..<9]) + 4
        for _ in 0..<mostTags {
            guard codecs.video == nil || codecs.audio == nil, offset + 11 < source.size else { break }
            let count = Int(min(tagBytes, source.size - offset))
            let tag = [UInt8](try source.part(at: offset, count: count))
            let size = Int64(bigEndianBytes: tag[1..<4])
            let content = tag[11..<min(tag.count, 11 + Int(size))]
            switch tag[0] & 0x1F {
            case 8 where codecs.audio == nil: codecs.audio = audioCode(content)
            case 9 where codecs.video == nil: codecs.video = videoCode(content)
            default: break
            }
            offset += 11 + size + 4
        }
        return codecs
    }

    /// Video: a bit for the extension, 3 for the type of the frame, 4 for the type of the packet.
    private static func videoCode(_ content: ArraySlice<UInt8>) -> String? {
        guard let first = content.first, first & 0x80 != 0 else { return nil }
        // A command has no codec, except metadata (type 4).
        if first >> 4 & 7 == 5, first & 0x0F != 4 { return nil }
        return code(content, multitrack: 6)
    }

    /// Audio: 4 bits for the format, which is 9, and 4 for the type of the packet.
    private static func audioCode(_ content: ArraySlice<UInt8>) -> String? {
        guard let first = content.first, first >> 4 == 9 else { return nil }
        return code(content, multitrack: 5)
    }

    /// The FourCC, after modifiers (packet type 7) and the header of several tracks.
    private static func code(_ content: ArraySlice<UInt8>, multitrack: UInt8) -> String? {
        guard let first = content.first else { return nil }
        var type = first & 0x0F
        var rest = content.dropFirst()
        while type == 7 {
            guard let short = rest.popFirst() else { return nil }
            var count = Int(short) + 1
            if count == 256 {
                guard rest.count >= 2 else { return nil }
                count = Int(Int64(bigEndianBytes: rest.prefix(2))) + 1
                rest = rest.dropFirst(2)
            }
            rest = rest.dropFirst(count)
            guard let next = rest.popFirst() else { return nil }
            type = next & 0x0F
        }
        if type == multitrack { rest = rest.dropFirst() }
        let code = rest.prefix(4)
        guard code.count == 4, code.allSatisfy({ (0x21...0x7E).contains($0) }) else { return nil }
        return String(decoding: code, as: UTF8.self)
    }
}
