internal import ClairoCore
internal import Foundation

/// Reads the fragments that `FragmentWriter` wrote: the position and times of each sample.
///
/// It supports Clairo's own layout only (one track, one `trun` per `moof`, and in `tfhd` what `trun` does not say). Anything
/// else is an error, never a trap, because the file may be damaged.
enum FragmentReader {
    struct Fragment: Hashable, Sendable {
        /// The offset of the `moof` box in the segment.
        var offset: Int
        var decodeTime: Int64
        var samples: [Entry]
    }

    /// A sample and its position in the segment.
    struct Entry: Hashable, Sendable {
        var offset: Int
        var size: Int
        var duration: UInt32
        var compositionOffset: Int32
        var isSync: Bool
    }

    static func fragments(of segment: Data) throws(ClairoError) -> [Fragment] {
        var reader = ByteReader(segment)
        var fragments: [Fragment] = []
        var pending: (offset: Int, run: Run)?
        while reader.remaining > 0 {
            let start = reader.position
            let (type, body) = try reader.box()
            switch type {
            case "moof": pending = (start, try Run(moof: body))
            case "mdat":
                guard let (offset, run) = pending else { throw damaged("mdat without moof") }
                pending = nil
                fragments.append(try run.fragment(at: offset, mdat: body))
            default: break
            }
        }
        guard pending == nil else { throw damaged("moof without mdat") }
        return fragments
    }

    static func damaged(_ what: String) -> ClairoError {
        .inputOutput("A segment is damaged: \(what)", advice: "Run the transcode again with --force.")
    }

    /// The contents of a `moof`, before the position of its `mdat` is known.
    private struct Run {
        /// The samples of a run that says nothing of each sample, so that its length does not limit their number.
        private static let mostSamples = 1 << 20

        /// What `tfhd` says of all samples.
        private struct Defaults {
            var duration: UInt32?
            var size: UInt32?
            var flags: UInt32?
        }

        var decodeTime: Int64 = 0
        var dataOffset = 0
        var entries: [Entry] = []

        init(moof: ByteReader) throws(ClairoError) {
            var moof = moof
            while moof.remaining > 0 {
                var (type, body) = try moof.box()
                guard type == "traf" else { continue }
                var defaults = Defaults()
                while body.remaining > 0 {
                    var (type, field) = try body.box()
                    switch type {
                    case "tfhd": defaults = try Self.defaults(&field)
                    case "tfdt":
                        _ = try field.u32()
                        decodeTime = Int64(clamping: try field.u64())
                    case "trun": try readSamples(&field, defaults)
                    default: break
                    }
                }
            }
        }

        private static func defaults(_ tfhd: inout ByteReader) throws(ClairoError) -> Defaults {
            let flags = try tfhd.u32()
            // Without a base data offset or a description index.
            guard flags & 0x3 == 0 else { throw damaged("unknown tfhd layout") }
            _ = try tfhd.u32()
            var defaults = Defaults()
            if flags & 0x8 != 0 { defaults.duration = try tfhd.u32() }
            if flags & 0x10 != 0 { defaults.size = try tfhd.u32() }
            if flags & 0x20 != 0 { defaults.flags = try tfhd.u32() }
            return defaults
        }

        private mutating func readSamples(_ trun: inout ByteReader, _ defaults: Defaults) throws(ClairoError) {
            let flags = try trun.u32()
            // Version 1 with a data offset, and no fields but the known ones.
            guard flags & 0xFFFF_F0FA == 0x0100_0000, flags & 0x1 != 0 else { throw damaged("unknown trun layout") }
            let count = Int(try trun.u32())
            dataOffset = Int(Int32(bitPattern: try trun.u32()))
            let firstFlags = try flags & 0x4 != 0 ? trun.u32() : nil
            let sampleBytes = (flags >> 8 & 0xF).nonzeroBitCount * 4
            guard count * sampleBytes == trun.remaining, sampleBytes > 0 || count <= Self.mostSamples else {
                throw damaged("trun has the wrong length")
            }
            func field(_ bit: UInt32, _ common: UInt32?) throws(ClairoError) -> UInt32 {
                if flags & bit != 0 { return try trun.u32() }
                guard let common else { throw damaged("neither trun nor tfhd describes the samples") }
                return common
            }
            for index in 0..<count {
                let duration = try field(0x100, defaults.duration)
                let size = Int(try field(0x200, defaults.size))
                let own = try field(0x400, index == 0 ? firstFlags ?? defaults.flags : defaults.flags)
                let offset = try field(0x800, 0)
                entries.append(
                    Entry(
                        offset: 0, size: size, duration: duration, compositionOffset: Int32(bitPattern: offset),
                        isSync: own & 0x0001_0000 == 0))
            }
        }

        func fragment(at offset: Int, mdat: ByteReader) throws(ClairoError) -> Fragment {
            var position = offset + dataOffset
            var samples = entries
            for index in samples.indices {
                samples[index].offset = position
                position += samples[index].size
            }
            guard offset + dataOffset == mdat.position, position == mdat.end else {
                throw damaged("samples do not fill mdat")
            }
            return Fragment(offset: offset, decodeTime: decodeTime, samples: samples)
        }
    }
}

/// A cursor over big-endian bytes that never reads past its end.
struct ByteReader {
    private let data: Data
    private(set) var position: Int
    let end: Int

    init(_ data: Data) { self.init(data, 0..<data.count) }

    private init(_ data: Data, _ range: Range<Int>) {
        self.data = data
        position = range.lowerBound
        end = range.upperBound
    }

    var remaining: Int { end - position }

    mutating func u8() throws(ClairoError) -> UInt8 { UInt8(try integer(1)) }
    mutating func u16() throws(ClairoError) -> UInt16 { UInt16(try integer(2)) }
    mutating func u32() throws(ClairoError) -> UInt32 { UInt32(try integer(4)) }
    mutating func u64() throws(ClairoError) -> UInt64 { try integer(8) }

    mutating func skip(_ count: Int) throws(ClairoError) {
        guard remaining >= count else { throw FragmentReader.damaged("it ends early") }
        position += count
    }

    private mutating func integer(_ count: Int) throws(ClairoError) -> UInt64 {
        guard remaining >= count else { throw FragmentReader.damaged("it ends early") }
        var value: UInt64 = 0
        for index in 0..<count { value = value << 8 | UInt64(data[data.startIndex + position + index]) }
        position += count
        return value
    }

    /// Reads the next box. Returns its type and a reader for its body.
    mutating func box() throws(ClairoError) -> (type: String, body: ByteReader) {
        let start = position
        let size = Int(try u32())
        var name = ""
        for _ in 0..<4 { name.unicodeScalars.append(Unicode.Scalar(try u8())) }
        guard size >= 8, start + size <= end else { throw FragmentReader.damaged("the box \(name) has a wrong size") }
        position = start + size
        return (name, ByteReader(data, start + 8..<start + size))
    }
}
