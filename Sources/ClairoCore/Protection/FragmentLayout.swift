internal import Foundation

/// The positions of the samples of one fragment, and of what belongs to their encryption, read from its `moof` box.
///
/// The box comes from a process that parses untrusted media, so every number is checked before it is used. It needs
/// only the boxes that Clairo writes: one `traf` with `tfhd`, `trun` and `senc` (ISO/IEC 14496-12, 8.8; ISO/IEC 23001-7,
/// 7.2).
struct FragmentLayout {
    /// A sample, relative to the start of the `moof` box.
    struct Sample: Hashable {
        var range: Range<Int>
        /// The position of its initialization vector; empty if it has none.
        var iv: Range<Int>
        /// The parts that are encrypted. Nil if there is no map, so that all of it is.
        var encrypted: [Range<Int>]?
    }

    /// The number of the fragment (`mfhd`).
    private(set) var sequence: UInt32 = 0
    private(set) var samples: [Sample] = []
    /// Whether the fragment has a `senc` box.
    private(set) var hasMap = false

    /// - Parameters:
    ///   - fragment: A `moof` box and the `mdat` box that follows it.
    ///   - ivSize: The size of a sample's initialization vector.
    /// - Throws: `defect` for a fragment that Clairo does not write.
    init(_ fragment: [UInt8], ivSize: Int) throws(ClairoError) {
        var top = BoxCursor(fragment, 0..<fragment.count)
        let (first, moof) = try top.box()
        let (second, mdat) = try top.box()
        guard first == "moof", second == "mdat", top.isAtEnd else { throw BoxCursor.damaged("its boxes") }
        var header = moof
        var sizes: [Int]?
        var maps: [(iv: Range<Int>, parts: [(clear: Int, encrypted: Int)]?)]?
        var offset = 0
        while !header.isAtEnd {
            var (type, body) = try header.box()
            if type == "mfhd" {
                _ = try body.integer(4)
                sequence = UInt32(try body.integer(4))
            }
            guard type == "traf" else { continue }
            guard sizes == nil else { throw BoxCursor.damaged("it has several tracks") }
            (sizes, maps, offset) = try Self.readTrack(&body, ivSize: ivSize)
        }
        guard let sizes else { throw BoxCursor.damaged("it has no samples") }
        hasMap = maps != nil
        guard maps?.count ?? sizes.count == sizes.count else { throw BoxCursor.damaged("the number of its samples") }
        var position = offset
        guard position == mdat.position else { throw BoxCursor.damaged("the position of its samples") }
        for (index, size) in sizes.enumerated() {
            guard size <= mdat.end - position else { throw BoxCursor.damaged("its samples do not fit") }
            let range = position..<position + size
            let map = maps?[index]
            samples.append(
                Sample(
                    range: range, iv: map?.iv ?? 0..<0,
                    encrypted: try map?.parts.map { (parts) throws(ClairoError) in try Self.ranges(parts, in: range) }))
            position += size
        }
        guard position == mdat.end else { throw BoxCursor.damaged("its samples do not fill it") }
    }

    private static func ranges(
        _ parts: [(clear: Int, encrypted: Int)], in sample: Range<Int>
    ) throws(ClairoError) -> [Range<Int>] {
        var position = sample.lowerBound
        var ranges: [Range<Int>] = []
        for part in parts {
            guard part.clear + part.encrypted <= sample.upperBound - position else {
                throw BoxCursor.damaged("its map is longer than the sample")
            }
            position += part.clear
            if part.encrypted > 0 { ranges.append(position..<position + part.encrypted) }
            position += part.encrypted
        }
        guard position == sample.upperBound else { throw BoxCursor.damaged("its map is shorter than the sample") }
        return ranges
    }

    private typealias Maps = [(iv: Range<Int>, parts: [(clear: Int, encrypted: Int)]?)]

    private static func readTrack(
        _ traf: inout BoxCursor, ivSize: Int
    ) throws(ClairoError) -> (sizes: [Int], maps: Maps?, offset: Int) {
        var defaultSize = 0
        var run: (sizes: [Int], offset: Int)?
        var maps: Maps?
        while !traf.isAtEnd {
            var (type, box) = try traf.box()
            switch type {
            case "tfhd": defaultSize = try readDefaults(&box)
            case "trun":
                guard run == nil else { throw BoxCursor.damaged("it has several runs") }
                run = try readRun(&box, defaultSize: defaultSize)
            case "senc":
                guard maps == nil else { throw BoxCursor.damaged("it has two maps") }
                maps = try readMaps(&box, ivSize: ivSize)
            default: break
            }
        }
        guard let run else { throw BoxCursor.damaged("it has no samples") }
        return (run.sizes, maps, run.offset)
    }

    /// The default size of a sample in `tfhd`.
    private static func readDefaults(_ box: inout BoxCursor) throws(ClairoError) -> Int {
        let flags = try box.integer(4)
        guard flags & 0x1 == 0 else { throw BoxCursor.damaged("it has an absolute offset") }
        _ = try box.integer(4)
        if flags & 0x2 != 0 { _ = try box.integer(4) }
        if flags & 0x8 != 0 { _ = try box.integer(4) }
        return flags & 0x10 != 0 ? try box.integer(4) : 0
    }

    private static func readRun(
        _ box: inout BoxCursor, defaultSize: Int
    ) throws(ClairoError) -> (sizes: [Int], offset: Int) {
        let flags = try box.integer(4)
        let count = try box.integer(4)
        guard flags & 0x1 != 0 else { throw BoxCursor.damaged("it has no offset") }
        let offset = try box.integer(4)
        if flags & 0x4 != 0 { _ = try box.integer(4) }
        let fields = [0x100, 0x200, 0x400, 0x800].filter { flags & $0 != 0 }
        guard count <= 1 << 20, count * fields.count * 4 == box.remaining else {
            throw BoxCursor.damaged("the length of its run")
        }
        var sizes: [Int] = []
        for _ in 0..<count {
            var size = defaultSize
            for field in fields {
                let value = try box.integer(4)
                if field == 0x200 { size = value }
            }
            sizes.append(size)
        }
        return (sizes, offset)
    }

    private static func readMaps(_ box: inout BoxCursor, ivSize: Int) throws(ClairoError) -> Maps {
        let flags = try box.integer(4)
        let count = try box.integer(4)
        guard count <= 1 << 20 else { throw BoxCursor.damaged("the length of its map") }
        var maps: Maps = []
        for _ in 0..<count {
            let iv = try box.skip(ivSize)
            var parts: [(clear: Int, encrypted: Int)]?
            if flags & 0x2 != 0 {
                var list: [(clear: Int, encrypted: Int)] = []
                for _ in 0..<(try box.integer(2)) { list.append((try box.integer(2), try box.integer(4))) }
                parts = list
            }
            maps.append((iv, parts))
        }
        guard box.isAtEnd else { throw BoxCursor.damaged("the length of its map") }
        return maps
    }
}

/// A cursor over boxes that never reads past their end.
struct BoxCursor {
    private let bytes: [UInt8]
    private(set) var position: Int
    let end: Int

    init(_ bytes: [UInt8], _ range: Range<Int>) {
        self.bytes = bytes
        position = range.lowerBound
        end = range.upperBound
    }

    var remaining: Int { end - position }
    var isAtEnd: Bool { position >= end }

    /// Reads a big-endian integer of at most four bytes.
    mutating func integer(_ size: Int) throws(ClairoError) -> Int {
        try skip(size).reduce(0) { $0 << 8 | Int(bytes[$1]) }
    }

    /// - Returns: The range that was skipped.
    mutating func skip(_ count: Int) throws(ClairoError) -> Range<Int> {
        guard count <= remaining else { throw Self.damaged("it ends early") }
        defer { position += count }
        return position..<position + count
    }

    /// Reads the next box. Returns its type and a cursor over its body.
    mutating func box() throws(ClairoError) -> (type: String, body: BoxCursor) {
        let start = position
        let size = try integer(4)
        let type = String(decoding: bytes[try skip(4)], as: UTF8.self)
        guard size >= 8, size <= end - start else { throw Self.damaged("the size of a box") }
        position = start + size
        return (type, BoxCursor(bytes, start + 8..<start + size))
    }

    static func damaged(_ what: String) -> ClairoError {
        .defect("A segment that is to be encrypted or decrypted is not as Clairo writes it: \(what)")
    }
}
