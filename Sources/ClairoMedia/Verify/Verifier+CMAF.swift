internal import ClairoCore
internal import Foundation

/// Checks the boxes of a rendition against CMAF (ISO/IEC 23000-19, clause 7), without decoding: a header with one track and
/// no samples, then segments of fragments that follow one another. A lenient demuxer also reads other boxes.
struct CMAFTrack {
    private let rendition: any SegmentedRendition
    /// Whether the segments are parts of one file and so have no type of their own.
    private let isSingleFile: Bool
    private var trackID: UInt32?
    private var lastSequence: UInt32?
    /// The decoding time at which the next fragment has to begin; nil after a segment that cannot be read.
    private var nextTime: Int64? = 0
    /// What is wrong.
    private(set) var problems: [String] = []

    init(_ rendition: any SegmentedRendition, initSegment: Data, isSingleFile: Bool) {
        self.rendition = rendition
        self.isSingleFile = isSingleFile
        do throws(ClairoError) {
            try readHeader(initSegment)
        } catch {
            problems.append("\(rendition.initKey): \(error.message)")
        }
    }

    /// Takes the next segment; nil if it is missing.
    mutating func add(_ segment: Data?, at key: ObjectKey) {
        let expected = nextTime
        nextTime = nil
        guard let segment else { return }
        do throws(ClairoError) {
            try readStructure(segment)
            for fragment in try FragmentReader.fragments(of: segment) {
                if let expected = nextTime ?? expected, fragment.decodeTime != expected {
                    throw FragmentReader.damaged("tfdt is \(fragment.decodeTime) instead of \(expected)")
                }
                nextTime = fragment.decodeTime + fragment.samples.reduce(0) { $0 + Int64($1.duration) }
            }
        } catch {
            problems.append("\(key): \(error.message)")
        }
    }

    // MARK: The header

    private mutating func readHeader(_ data: Data) throws(ClairoError) {
        let boxes = try Self.boxes(ByteReader(data))
        guard boxes.map(\.type) == ["ftyp", "moov"] else {
            throw FragmentReader.damaged("its boxes are \(boxes.map(\.type).joined(separator: ", "))")
        }
        let brands = try Self.brands(boxes[0].body)
        for brand in ["cmfc"] + (isSingleFile ? ["dash"] : []) where !brands.contains(brand) {
            throw FragmentReader.damaged("ftyp lacks the brand \(brand)")
        }
        let movie = boxes[1].body
        guard try Self.find("trak", in: movie).count == 1 else { throw FragmentReader.damaged("it has not one track") }
        guard var track = try Self.find("trak/tkhd", in: movie).first,
            var media = try Self.find("trak/mdia/mdhd", in: movie).first,
            var handler = try Self.find("trak/mdia/hdlr", in: movie).first,
            var defaults = try Self.find("mvex/trex", in: movie).first
        else { throw FragmentReader.damaged("moov lacks tkhd, mdhd, hdlr or mvex") }

        // After version and flags come two times, of eight bytes in version 1.
        try track.skip(track.u32() >> 24 == 1 ? 16 : 8)
        let id = try track.u32()
        try media.skip(media.u32() >> 24 == 1 ? 16 : 8)
        let timescale = try media.u32()
        try handler.skip(8)
        let kind = try handler.u32()
        try defaults.skip(4)
        guard try defaults.u32() == id else { throw FragmentReader.damaged("trex is not that of the track") }
        guard Int64(timescale) == rendition.timescale else {
            throw FragmentReader.damaged("its timescale is \(timescale) instead of \(rendition.timescale)")
        }
        // `vide` and `soun`.
        guard kind == (rendition.kind == .video ? 0x7669_6465 : 0x736F_756E) else {
            throw FragmentReader.damaged("it is not \(rendition.kind.rawValue)")
        }
        for table in ["stts", "stsc", "stsz", "stco"] {
            guard var table = try Self.find("trak/mdia/minf/stbl/\(table)", in: movie).first else {
                throw FragmentReader.damaged("stbl lacks \(table)")
            }
            while table.remaining > 0 {
                guard try table.u8() == 0 else { throw FragmentReader.damaged("moov describes samples") }
            }
        }
        for list in try Self.find("trak/edts/elst", in: movie) { try Self.check(editList: list) }
        trackID = id
    }

    /// One edit, which lasts as long as the media and begins after the delay (ISO/IEC 23000-19, 7.5.13).
    private static func check(editList: ByteReader) throws(ClairoError) {
        var list = editList
        let isWide = try list.u32() >> 24 == 1
        let count = try list.u32()
        let duration = isWide ? try list.u64() : UInt64(try list.u32())
        let start = isWide ? Int64(bitPattern: try list.u64()) : Int64(Int32(bitPattern: try list.u32()))
        let rate = try list.u32()
        guard count == 1, duration == 0, start >= 0, rate == 0x10000 else {
            throw FragmentReader.damaged("its edit list is not one edit that only removes the delay")
        }
    }

    // MARK: Segments

    /// Checks the order of the boxes of a segment and what each fragment says of itself.
    private mutating func readStructure(_ segment: Data) throws(ClairoError) {
        var boxes = try Self.boxes(ByteReader(segment))[...]
        if !isSingleFile {
            guard let type = boxes.popFirst(), type.type == "styp", try Self.brands(type.body).contains("cmfs") else {
                throw FragmentReader.damaged("it does not begin with styp and the brand cmfs")
            }
        }
        guard !boxes.isEmpty else { throw FragmentReader.damaged("it has no fragment") }
        while let movie = boxes.popFirst() {
            guard movie.type == "moof", boxes.popFirst()?.type == "mdat" else {
                throw FragmentReader.damaged("its fragments are not pairs of moof and mdat")
            }
            try readFragment(movie.body)
        }
    }

    private mutating func readFragment(_ movie: ByteReader) throws(ClairoError) {
        guard try Self.find("traf", in: movie).count == 1, var number = try Self.find("mfhd", in: movie).first,
            var header = try Self.find("traf/tfhd", in: movie).first, try Self.find("traf/tfdt", in: movie).count == 1,
            try Self.find("traf/trun", in: movie).count == 1
        else { throw FragmentReader.damaged("a moof has not one mfhd, tfhd, tfdt and trun") }
        try number.skip(4)
        let sequence = try number.u32()
        if let lastSequence, sequence <= lastSequence {
            throw FragmentReader.damaged("fragment \(sequence) comes after fragment \(lastSequence)")
        }
        lastSequence = sequence
        // default-base-is-moof.
        guard try header.u32() & 0x02_0000 != 0 else { throw FragmentReader.damaged("offsets do not count from moof") }
        let id = try header.u32()
        guard trackID == nil || id == trackID else { throw FragmentReader.damaged("a fragment is of track \(id)") }
    }

    // MARK: Boxes

    private static func boxes(_ reader: ByteReader) throws(ClairoError) -> [(type: String, body: ByteReader)] {
        var (reader, boxes) = (reader, [(type: String, body: ByteReader)]())
        while reader.remaining > 0 { boxes.append(try reader.box()) }
        return boxes
    }

    /// The bodies of the boxes at a path such as `trak/mdia`.
    private static func find(_ path: String, in reader: ByteReader) throws(ClairoError) -> [ByteReader] {
        var found = [reader]
        for type in path.split(separator: "/") {
            var next: [ByteReader] = []
            for body in found {
                for child in try boxes(body) where child.type == type { next.append(child.body) }
            }
            found = next
        }
        return found
    }

    /// The major brand and the compatible ones of `ftyp` or `styp`.
    private static func brands(_ body: ByteReader) throws(ClairoError) -> Set<String> {
        var (body, brands) = (body, Set<String>())
        var index = 0
        while body.remaining >= 4 {
            var brand = ""
            for _ in 0..<4 { brand.unicodeScalars.append(Unicode.Scalar(try body.u8())) }
            // The second field is the version of the major brand.
            if index != 1 { brands.insert(brand) }
            index += 1
        }
        return brands
    }
}
