public import ClairoCore
internal import Foundation

/// The one file of a rendition: the init segment, an index (`sidx`), and the fragments of all segments.
///
/// HLS addresses its parts by byte ranges, and DASH by the index, as the on-demand profile defines.
public struct SingleFile: Sendable, Hashable {
    /// The key in the output folder.
    public var key: ObjectKey
    /// The size of the init segment in bytes, which is at the front.
    public var initBytes: Int
    /// The size of the index in bytes, which follows.
    public var indexBytes: Int
    /// The byte ranges of the segments, which follow one another.
    public var segments: [Range<Int64>]
    /// The size of the type (`styp`) at the start of each segment, which is not in the file.
    public var typeBytes: [Int]

    public init(key: ObjectKey, initBytes: Int, indexBytes: Int, segments: [Range<Int64>], typeBytes: [Int]) {
        self.key = key
        self.initBytes = initBytes
        self.indexBytes = indexBytes
        self.segments = segments
        self.typeBytes = typeBytes
    }

    /// The offset in the file of a byte of segment `index`.
    func offset(of byte: Int, inSegment index: Int) -> Int {
        Int(segments[index].lowerBound) + byte - typeBytes[index]
    }
}

/// Composes the one file of a rendition from its segments on the store, one segment in memory at a time.
struct SingleFileWriter {
    let rendition: any MediaRendition
    /// The init segment as on the store.
    let initSegment: Data
    let segments: [MeasuredSegment]
    /// The size of the type (`styp`) of each segment.
    let typeBytes: [Int]

    /// Writes the file and passes every piece to `observe`, for the checksum.
    /// - Returns: The places of the parts.
    func write(in store: any ObjectStore, observe: (Data) -> Void) throws -> SingleFile {
        let key = rendition.singleFileKey
        let head = FragmentWriter.selfInitializing(initSegment)
        let sizes = zip(segments, typeBytes).map { $0.bytes - $1 }
        let index = SegmentIndex.box(
            zip(sizes, segments).map { size, segment in
                SegmentIndex.Reference(
                    bytes: size, ticks: (segment.duration * Rational(rendition.timescale)).rounded)
            }, timescale: rendition.timescale)
        var ranges: [Range<Int64>] = []
        var position = Int64(head.count + index.count)
        for size in sizes {
            ranges.append(position..<position + Int64(size))
            position += Int64(size)
        }
        try store.put(at: key, length: position) { write in
            for piece in [head, index] {
                observe(piece)
                try write(piece)
            }
            for (number, size) in sizes.enumerated() {
                let segment = try store.get(rendition.segmentKey(number))
                guard segment.count == size + typeBytes[number] else {
                    throw FragmentReader.damaged("\(rendition.segmentKey(number)) has another size than before")
                }
                let piece = segment.dropFirst(typeBytes[number])
                observe(piece)
                try write(piece)
            }
        }
        return SingleFile(
            key: key, initBytes: head.count, indexBytes: index.count, segments: ranges,
            typeBytes: typeBytes)
    }
}

/// The segment index (`sidx`; ISO/IEC 14496-12, 8.16.3), which refers to the segments after it.
enum SegmentIndex {
    /// A referenced subsegment.
    struct Reference: Hashable, Sendable {
        var bytes: Int
        /// The presented duration.
        var ticks: Int64
    }

    /// The largest number of references of an index.
    static let mostReferences = Int(UInt16.max)

    /// Makes the box for at most `mostReferences` segments. Presentation begins at 0, because the times of an index are
    /// those after edit lists.
    static func box(_ references: [Reference], timescale: Int64) -> Data {
        var writer = BoxWriter(capacity: 40 + 12 * references.count)
        writer.fullBox("sidx", version: 1) { box in
            box.u32(1)
            box.u32(UInt32(timescale))
            // The first presentation time, and the distance from the index to the first segment.
            box.u64(0)
            box.u64(0)
            box.u16(0)
            box.u16(UInt16(clamping: references.count))
            for reference in references {
                // A segment, not another index: the highest bit is 0.
                box.u32(UInt32(clamping: reference.bytes) & 0x7FFF_FFFF)
                box.u32(UInt32(clamping: reference.ticks))
                // It starts with a stream access point of type 1, a key frame, at its first byte.
                box.u32(0x9000_0000)
            }
        }
        return writer.data
    }

    /// An index that was read.
    struct Parsed: Hashable, Sendable {
        var timescale: Int64
        var references: [Reference]
    }

    /// Reads the payload of the box.
    static func parse(_ payload: Data) throws(ClairoError) -> Parsed {
        var reader = ByteReader(payload)
        let version = try reader.u32() >> 24
        _ = try reader.u32()
        let timescale = Int64(try reader.u32())
        let (start, first) =
            version == 0 ? (UInt64(try reader.u32()), UInt64(try reader.u32())) : (try reader.u64(), try reader.u64())
        _ = try reader.u16()
        let count = Int(try reader.u16())
        guard version <= 1, timescale > 0, start == 0, first == 0, reader.remaining == count * 12 else {
            throw FragmentReader.damaged("unknown sidx layout")
        }
        var references: [Reference] = []
        for _ in 0..<count {
            let bytes = try reader.u32()
            let ticks = Int64(try reader.u32())
            guard bytes >> 31 == 0, try reader.u32() == 0x9000_0000 else {
                throw FragmentReader.damaged("a reference of sidx is not a segment that starts with a key frame")
            }
            references.append(Reference(bytes: Int(bytes), ticks: ticks))
        }
        return Parsed(timescale: timescale, references: references)
    }
}
