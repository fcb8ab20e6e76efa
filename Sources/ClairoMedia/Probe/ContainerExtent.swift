internal import ClairoCore
internal import Foundation

/// Detects truncated files from the top-level structure of the container.
///
/// Demuxers read a truncated file without an error. A file is incomplete if the last box of an MP4, the segment of a
/// Matroska file, or the outermost chunk of an AVI or WAV file extends beyond the end of the file.
enum ContainerExtent {
    /// The number of bytes missing at the end, or nil if none are known to be missing.
    static func missingBytes(in source: any ByteSource, format: String) throws(ClairoError) -> Int64? {
        if format.hasPrefix("mov") { return try missingInMP4(source) }
        if format.hasPrefix("matroska") { return try missingInMatroska(source) }
        if ["avi", "wav"].contains(format) { return try missingInRIFF(source) }
        return nil
    }

    /// The byte ranges of the media data in an MP4 with a single index; nil for other files.
    static func payloads(in source: any ByteSource, format: String) throws(ClairoError) -> [Range<Int64>]? {
        guard format.hasPrefix("mov") else { return nil }
        var payloads: [Range<Int64>] = []
        var count = 0
        var hasIndex = false
        var isFragmented = false
        try walkMP4(source) { name, range in
            count += 1
            // Headers must be read unchanged, and a box header may have 16 bytes.
            if name == "mdat", range.upperBound - range.lowerBound > 16 {
                payloads.append(range.lowerBound + 16..<range.upperBound)
            }
            hasIndex = hasIndex || name == "moov"
            isFragmented = name == "moof"
            return !isFragmented && count <= 256
        }
        return hasIndex && !isFragmented && count <= 256 ? payloads : nil
    }

    /// Whether this is an MP4 with a missing or incomplete index, because writing or sending it was interrupted.
    static func lacksIndex(_ source: any ByteSource) throws(ClairoError) -> Bool {
        var names: Set<String> = []
        try walkMP4(source) { name, range in
            if range.upperBound <= source.size || name != "moov" { names.insert(name) }
            return true
        }
        return !names.isDisjoint(with: ["ftyp", "mdat"]) && names.isDisjoint(with: ["moov", "moof"])
    }

    /// The size of a fragmented MP4 without its last box, if that is the incomplete header of a fragment.
    static func wholeFragments(_ source: any ByteSource) throws(ClairoError) -> Int64? {
        var isFragmented = false
        var end: Int64?
        try walkMP4(source) { name, range in
            if range.upperBound > source.size {
                end = isFragmented && name == "moof" ? range.lowerBound : nil
            } else if name == "moof" {
                isFragmented = true
            }
            return true
        }
        return end
    }

    private static func missingInMP4(_ source: any ByteSource) throws(ClairoError) -> Int64? {
        var missing: Int64?
        try walkMP4(source) { _, range in
            if range.upperBound > source.size { missing = range.upperBound - source.size }
            return true
        }
        return missing
    }

    /// The number of bytes that follow the last known box of an MP4.
    static func bytesAfterMP4(_ source: any ByteSource) throws(ClairoError) -> Int64 {
        var end: Int64?
        try walkMP4(source) { _, range in
            end = range.upperBound
            return true
        }
        return end.map { max(0, source.size - $0) } ?? 0
    }

    /// Visits the top-level boxes (ISO/IEC 14496-12) until `visit` returns false, the file ends or a box is unknown.
    private static func walkMP4(
        _ source: any ByteSource, _ visit: (_ name: String, _ range: Range<Int64>) -> Bool
    ) throws(ClairoError) {
        let known: Set<String> = [
            "ftyp", "styp", "moov", "moof", "mdat", "free", "skip", "wide", "sidx", "mfra", "meta", "uuid", "emsg",
            "prft", "pnot", "udta",
        ]
        var offset: Int64 = 0
        // No camera writes a million boxes. Stop there; the demuxer has its own limits.
        for _ in 0..<1_000_000 {
            guard source.size - offset >= 8 else { return }
            let header = [UInt8](try source.part(at: offset, atMost: 16))
            guard header.count >= 8 else { return }
            var size = Int64(bigEndianBytes: header.prefix(4))
            guard let name = String(bytes: header[4..<8], encoding: .ascii), known.contains(name) else { return }
            // A size of zero means until the end of the file.
            if size == 0 { size = source.size - offset }
            if size == 1 {
                guard header.count == 16 else { return }
                size = Int64(bigEndianBytes: header[8..<16])
            }
            guard size >= 8, let end = offset.addingChecked(size), visit(name, offset..<end), end <= source.size else {
                return
            }
            offset = end
        }
    }

    private static func missingInMatroska(_ source: any ByteSource) throws(ClairoError) -> Int64? {
        guard let end = try matroskaEnd(source, from: 0) else { return nil }
        return end > source.size ? end - source.size : nil
    }

    /// The end of the Matroska file that begins at `offset`, by the EBML header and the size of the Segment (RFC 8794,
    /// RFC 9559); nil if there is none, or it does not declare its size.
    private static func matroskaEnd(_ source: any ByteSource, from offset: Int64) throws(ClairoError) -> Int64? {
        let bytes = [UInt8](try source.part(at: offset, atMost: 4096))
        guard let header = EBML.header(in: bytes, at: 0), header.id == 0x1A45_DFA3, let size = header.size, size < 4000
        else { return nil }
        let start = header.length + Int(size)
        guard let segment = EBML.header(in: bytes, at: start), segment.id == 0x1853_8067, let content = segment.size
        else { return nil }
        return (offset + Int64(start + segment.length)).addingChecked(content)
    }

    /// Checks the outermost chunks of a RIFF file; a long AVI has several (OpenDML).
    private static func missingInRIFF(_ source: any ByteSource) throws(ClairoError) -> Int64? {
        var missing: Int64?
        try walkRIFF(source) { _, range in
            if range.upperBound > source.size { missing = range.upperBound - source.size }
        }
        return missing
    }

    /// Visits the outermost chunks of a RIFF file until one is none. Live writers leave sizes of zero or with all bits
    /// set, which mean unknown.
    private static func walkRIFF(
        _ source: any ByteSource, _ visit: (_ form: ArraySlice<UInt8>, _ range: Range<Int64>) -> Void
    ) throws(ClairoError) {
        var offset: Int64 = 0
        while source.size - offset >= 12 {
            let header = [UInt8](try source.part(at: offset, count: 12))
            let size = Int64(bigEndianBytes: header[4..<8].reversed())
            guard header[0..<4].elementsEqual("RIFF".utf8), size > 4, size < 0xFFFF_FFFF else { return }
            let end = offset + 8 + size
            visit(header[8..<12], offset..<end)
            if end > source.size { return }
            offset = end + size % 2
        }
    }

    // MARK: Joined files

    /// The first bytes of the files that were joined by their bytes to this one, in order; only 0 for a single file.
    ///
    /// A second MP4 is not found in a fragmented one, because fragments may repeat their headers. Joined FLV files are
    /// found while they are read (`FLVHeaders`). libav reads other containers on.
    static func files(in source: any ByteSource, format: String) throws(ClairoError) -> [Int64] {
        var starts: [Int64] = [0]
        if format.hasPrefix("mov") {
            var hasIndex = false
            var isFragmented = false
            try walkMP4(source) { name, range in
                if name == "ftyp", hasIndex {
                    starts.append(range.lowerBound)
                    hasIndex = false
                }
                hasIndex = hasIndex || name == "moov"
                isFragmented = name == "moof"
                return !isFragmented && starts.count < mostFiles
            }
            if isFragmented { return [0] }
        } else if format.hasPrefix("matroska") {
            while starts.count < mostFiles, let end = try matroskaEnd(source, from: starts.last ?? 0),
                end < source.size, try EBML.header(in: source, at: end)?.id == 0x1A45_DFA3
            {
                starts.append(end)
            }
        } else if format == "wav" {
            try walkRIFF(source) { form, range in
                guard range.lowerBound > 0, starts.count < mostFiles, form.elementsEqual("WAVE".utf8) else { return }
                starts.append(range.lowerBound)
            }
        }
        return starts
    }

    /// More files than this are not told apart.
    static let mostFiles = 200
}

extension Int64 {
    /// The sum, or nil on overflow.
    func addingChecked(_ other: Int64) -> Int64? {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? nil : sum
    }
}
