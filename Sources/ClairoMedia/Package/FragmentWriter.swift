internal import ClairoCore
internal import Foundation

/// One access unit in decoding order. Times are in ticks of the track's timescale.
struct Sample: Hashable, Sendable {
    var data: Data
    var duration: UInt32
    /// Presentation time minus decoding time.
    var compositionOffset: Int32
    var isSync: Bool
}

/// Writes CMAF (ISO/IEC 23000-19) init and media segments with one track and one fragment per GOP. Times depend only on
/// frame indexes, so the same samples always give the same bytes.
enum FragmentWriter {
    /// Makes `init.mp4`: `ftyp` and a `moov` without samples.
    static func initSegment(_ track: TrackDescription) -> Data {
        var writer = BoxWriter()
        writeFileType(["iso6", "cmfc", "mp41"], to: &writer)
        writer.box("moov") { moov in
            writeMovieHeader(to: &moov, timescale: track.timescale, duration: 0, nextTrackID: 2)
            track.write(
                to: &moov, trackID: 1, movieTimescale: track.timescale, duration: 0, mediaDuration: 0
            ) { stbl in
                for table in ["stts", "stsc", "stco"] { stbl.fullBox(table) { $0.u32(0) } }
                stbl.fullBox("stsz") { $0.zeros(8) }
            }
            moov.box("mvex") { mvex in
                mvex.fullBox("trex") { trex in
                    trex.u32(1)
                    trex.u32(1)
                    trex.zeros(12)
                }
            }
        }
        return writer.data
    }

    private static func writeFileType(_ brands: [String], to writer: inout BoxWriter) {
        writer.box("ftyp") { box in
            box.text("iso6")
            box.u32(0)
            for brand in brands { box.text(brand) }
        }
    }

    /// An init segment of this writer as the front of a file that also has its segments. The brand `dash` says so
    /// (ISO/IEC 23009-1, 6.3.5.2).
    static func selfInitializing(_ initSegment: Data) -> Data {
        var writer = BoxWriter()
        writeFileType(["iso6", "cmfc", "dash", "mp41"], to: &writer)
        let typeBytes = initSegment.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        writer.bytes(initSegment.dropFirst(typeBytes))
        return writer.data
    }

    static func writeMovieHeader(to writer: inout BoxWriter, timescale: Int64, duration: Int64, nextTrackID: UInt32) {
        writer.fullBox("mvhd", version: 1) { box in
            box.u64(0)
            box.u64(0)
            box.u32(UInt32(timescale))
            box.u64(UInt64(duration))
            box.u32(0x10000)
            box.u16(0x0100)
            box.zeros(10)
            for value: UInt32 in [0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x4000_0000] { box.u32(value) }
            box.zeros(24)
            box.u32(nextTrackID)
        }
    }

    /// Makes a media segment from `fragments`, each a list of samples in decoding order.
    /// - Parameters:
    ///   - firstSequence: The `mfhd` number of the first fragment. A fragment has the number of its first sample in the
    ///     rendition, so numbers increase from segment to segment for any GOP length.
    ///   - decodeTime: The decoding time of the first sample in ticks.
    static func segment(
        fragments: [[Sample]], firstSequence: Int, decodeTime: Int64
    ) -> Data {
        // Sixteen bytes of tables per sample, and a few boxes per fragment.
        let size = fragments.reduce(64) { $0 + 128 + $1.reduce(0) { $0 + 16 + $1.data.count } }
        var writer = BoxWriter(capacity: size)
        writer.box("styp") { box in
            box.text("msdh")
            box.u32(0)
            for brand in ["msdh", "cmfs"] { box.text(brand) }
        }
        var time = decodeTime
        var sequence = firstSequence
        for samples in fragments {
            writeFragment(samples, sequence: sequence, decodeTime: time, to: &writer)
            sequence += samples.count
            time += samples.reduce(0) { $0 + Int64($1.duration) }
        }
        return writer.data
    }

    /// The flags of a sample that depends on no other, and of one that depends on others (ISO/IEC 14496-12, 8.8.3.1).
    private static func flags(_ sample: Sample) -> UInt32 { sample.isSync ? 0x0200_0000 : 0x0101_0000 }

    /// What the samples of a fragment have in common, which `tfhd` says once, and what `trun` says of each of them.
    private struct Layout {
        var duration: UInt32?
        var size: UInt32?
        /// The flags of all samples, or of all but the first.
        var flags: UInt32?
        /// The flags of the first sample if they differ from those of the others.
        var firstFlags: UInt32?
        var hasOffsets: Bool

        init(_ samples: [Sample]) {
            duration = Self.common(samples.lazy.map(\.duration))
            size = Self.common(samples.lazy.map { UInt32($0.data.count) })
            flags = Self.common(samples.lazy.map(FragmentWriter.flags))
            if flags == nil {
                flags = Self.common(samples.dropFirst().lazy.map(FragmentWriter.flags))
                if flags != nil { firstFlags = samples.first.map(FragmentWriter.flags) }
            }
            hasOffsets = samples.contains { $0.compositionOffset != 0 }
        }

        private static func common(_ values: some Collection<UInt32>) -> UInt32? {
            guard let first = values.first, values.allSatisfy({ $0 == first }) else { return nil }
            return first
        }

        /// default-base-is-moof, then the defaults that are present.
        var headerFlags: UInt32 {
            0x020000 | (duration == nil ? 0 : 0x8) | (size == nil ? 0 : 0x10) | (flags == nil ? 0 : 0x20)
        }

        /// The data offset, the flags of the first sample, then the fields that each sample has.
        var runFlags: UInt32 {
            0x1 | (firstFlags == nil ? 0 : 0x4) | (duration == nil ? 0x100 : 0) | (size == nil ? 0x200 : 0)
                | (flags == nil ? 0x400 : 0) | (hasOffsets ? 0x800 : 0)
        }
    }

    private static func writeFragment(
        _ samples: [Sample], sequence: Int, decodeTime: Int64, to writer: inout BoxWriter
    ) {
        let start = writer.count
        let layout = Layout(samples)
        var dataOffsetPosition = 0
        writer.box("moof") { moof in
            moof.fullBox("mfhd") { $0.u32(UInt32(clamping: sequence)) }
            moof.box("traf") { traf in
                traf.fullBox("tfhd", flags: layout.headerFlags) { tfhd in
                    tfhd.u32(1)
                    for value in [layout.duration, layout.size, layout.flags].compactMap({ $0 }) { tfhd.u32(value) }
                }
                traf.fullBox("tfdt", version: 1) { $0.u64(UInt64(decodeTime)) }
                // Composition offsets are signed in version 1.
                traf.fullBox("trun", version: 1, flags: layout.runFlags) { trun in
                    trun.u32(UInt32(samples.count))
                    dataOffsetPosition = trun.count
                    trun.u32(0)
                    if let flags = layout.firstFlags { trun.u32(flags) }
                    for sample in samples {
                        if layout.duration == nil { trun.u32(sample.duration) }
                        if layout.size == nil { trun.u32(UInt32(sample.data.count)) }
                        if layout.flags == nil { trun.u32(flags(sample)) }
                        if layout.hasOffsets { trun.i32(sample.compositionOffset) }
                    }
                }
            }
        }
        writer.patch(UInt32(writer.count - start + 8), at: dataOffsetPosition)
        writer.box("mdat") { mdat in
            for sample in samples { mdat.bytes(sample.data) }
        }
    }
}
