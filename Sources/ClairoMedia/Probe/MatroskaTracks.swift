internal import ClairoCore
internal import Foundation
internal import Libav

/// Reads what libav 5.1 leaves out of the tracks of a Matroska file (RFC 9559): how the frames are cropped.
///
/// libav makes a stream of each track that it knows, in the order of the file, and then streams of attachments. Tracks
/// that it skips are skipped here, too. As a check, the kinds of tracks and streams are compared: if one differs, no
/// track is cropped. libav 7.1 reads the crop as side data of the stream, and its decoders do not apply it either.
enum MatroskaTracks {
    /// How the frames of a video track are shown.
    struct Picture: Hashable {
        /// The pixels that are not shown.
        var crop: FrameCrop
        /// The shape of a pixel that gives the cropped frame its display size; nil if the file declares no size. libav
        /// 5.1 computes it from the size before cropping.
        var sampleAspectRatio: Rational?
    }

    /// A track of the file.
    struct Entry: Hashable {
        /// The kind of the libav stream.
        var kind: StreamInfo.Kind
        /// How its frames are cropped; nil if they are not.
        var picture: Picture?
    }

    /// The largest list of tracks to read, in bytes.
    private static let largestTracks: Int64 = 1 << 20
    /// The maximum number of elements to read of each parent.
    private static let mostElements = 500

    /// The cropped video tracks, by the index of their stream. Empty for other containers.
    static func pictures(
        in source: any ByteSource, format: String, streams: [StreamInfo]
    ) throws(ClairoError) -> [Int: Picture] {
        guard format.hasPrefix("matroska") else { return [:] }
        return pictures(of: try entries(in: source), kinds: streams.sorted { $0.index < $1.index }.map(\.kind))
    }

    /// The cropped tracks by position, if the file's streams are these tracks.
    static func pictures(of entries: [Entry], kinds: [StreamInfo.Kind]) -> [Int: Picture] {
        let isSame = zip(entries, kinds).allSatisfy { entry, kind in
            // Tracks of timed metadata are subtitles or data.
            entry.kind == kind || (entry.kind == .other && kind == .subtitle)
        }
        guard isSame, entries.count <= kinds.count else { return [:] }
        var pictures: [Int: Picture] = [:]
        for (index, entry) in entries.enumerated() { pictures[index] = entry.picture }
        return pictures
    }

    /// The tracks of which libav makes streams, in order. Empty if the file is not Matroska or has no list of tracks
    /// before its first cluster or in its index of elements.
    static func entries(in source: any ByteSource) throws(ClairoError) -> [Entry] {
        guard let content = try tracks(in: source), content.upperBound - content.lowerBound <= largestTracks else {
            return []
        }
        let bytes = [UInt8](
            try source.part(at: content.lowerBound, count: Int(content.upperBound - content.lowerBound)))
        return EBML.elements(of: bytes, in: bytes.indices, limit: mostElements)
            .filter { $0.id == ID.trackEntry }
            .compactMap { entry(bytes, $0.content) }
    }

    private enum ID {
        static let ebml: UInt32 = 0x1A45_DFA3
        static let segment: UInt32 = 0x1853_8067
        static let seekHead: UInt32 = 0x114D_9B74
        static let seek: UInt32 = 0x4DBB
        static let seekID: UInt32 = 0x53AB
        static let seekPosition: UInt32 = 0x53AC
        static let tracks: UInt32 = 0x1654_AE6B
        static let cluster: UInt32 = 0x1F43_B675
        static let trackEntry: UInt32 = 0xAE
        static let trackType: UInt32 = 0x83
        static let codecID: UInt32 = 0x86
        static let video: UInt32 = 0xE0
        static let pixelWidth: UInt32 = 0xB0
        static let pixelHeight: UInt32 = 0xBA
        static let cropBottom: UInt32 = 0x54AA
        static let cropTop: UInt32 = 0x54BB
        static let cropLeft: UInt32 = 0x54CC
        static let cropRight: UInt32 = 0x54DD
        static let displayWidth: UInt32 = 0x54B0
        static let displayHeight: UInt32 = 0x54BA
        static let displayUnit: UInt32 = 0x54B2
    }

    /// Where the content of the list of tracks is.
    private static func tracks(in source: any ByteSource) throws(ClairoError) -> Range<Int64>? {
        guard let file = try EBML.header(in: source, at: 0), file.id == ID.ebml, let size = file.size,
            let next = Int64(file.length).addingChecked(size),
            let segment = try EBML.header(in: source, at: next), segment.id == ID.segment
        else { return nil }
        let start = next + Int64(segment.length)
        var offset = start
        var position: Int64?
        for _ in 0..<mostElements {
            guard let header = try EBML.header(in: source, at: offset), let size = header.size,
                let end = (offset + Int64(header.length)).addingChecked(size), end <= source.size
            else { break }
            let content = offset + Int64(header.length)..<end
            if header.id == ID.tracks { return content }
            if header.id == ID.cluster { break }
            if header.id == ID.seekHead, position == nil, size <= 1 << 16 {
                let bytes = [UInt8](try source.part(at: content.lowerBound, count: Int(size)))
                position = trackPosition(bytes)
            }
            offset = end
        }
        guard let position, let offset = start.addingChecked(position),
            let header = try EBML.header(in: source, at: offset), header.id == ID.tracks, let size = header.size,
            let end = (offset + Int64(header.length)).addingChecked(size), end <= source.size
        else { return nil }
        return offset + Int64(header.length)..<end
    }

    /// The position of the list of tracks in the segment, from the segment's index of elements.
    private static func trackPosition(_ bytes: [UInt8]) -> Int64? {
        for seek in EBML.elements(of: bytes, in: bytes.indices, limit: mostElements) where seek.id == ID.seek {
            let numbers = numbers(bytes, seek.content)
            if numbers[ID.seekID] == Int64(ID.tracks) { return numbers[ID.seekPosition] }
        }
        return nil
    }

    private static func entry(_ bytes: [UInt8], _ range: Range<Int>) -> Entry? {
        let elements = EBML.elements(of: bytes, in: range, limit: mostElements)
        guard let type = elements.last(where: { $0.id == ID.trackType }).flatMap({ EBML.unsigned(bytes[$0.content]) }),
            let first = elements.last(where: { $0.id == ID.codecID })?.content.first
        else { return nil }
        let codec = Character(Unicode.Scalar(bytes[first]))
        switch (type, codec) {
        case (1, "V"):
            let video = elements.last { $0.id == ID.video }
            return Entry(kind: .video, picture: video.flatMap { picture(numbers(bytes, $0.content)) })
        case (2, "A"): return Entry(kind: .audio)
        case (17, "S"), (17, "D"): return Entry(kind: .subtitle)
        case (33, "S"), (33, "D"): return Entry(kind: .other)
        default: return nil
        }
    }

    private static func numbers(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt32: Int64] {
        var numbers: [UInt32: Int64] = [:]
        for element in EBML.elements(of: bytes, in: range, limit: mostElements) {
            numbers[element.id] = EBML.unsigned(bytes[element.content])
        }
        return numbers
    }

    private static func picture(_ video: [UInt32: Int64]) -> Picture? {
        let largest: Int64 = 1 << 20
        func value(_ id: UInt32) -> Int64 { min(video[id] ?? 0, largest) }
        let (top, bottom) = (value(ID.cropTop), value(ID.cropBottom))
        let (left, right) = (value(ID.cropLeft), value(ID.cropRight))
        let width = value(ID.pixelWidth) - left - right
        let height = value(ID.pixelHeight) - top - bottom
        guard top + bottom + left + right > 0, width > 0, height > 0 else { return nil }
        var shape: Rational?
        // 4 means unknown. The other units tell the shape of the frame, even if not its size in pixels.
        let (shownWidth, shownHeight) = (value(ID.displayWidth), value(ID.displayHeight))
        if value(ID.displayUnit) < 4, shownWidth > 0, shownHeight > 0 {
            shape = Rational(shownWidth * height, shownHeight * width)
        }
        return Picture(
            crop: FrameCrop(top: Int(top), bottom: Int(bottom), left: Int(left), right: Int(right)),
            sampleAspectRatio: shape)
    }
}
