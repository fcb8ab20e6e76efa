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
        writer.box("ftyp") { box in
            box.text("iso6")
            box.u32(0)
            for brand in ["iso6", "cmfc", "mp41"] { box.text(brand) }
        }
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
            for brand in ["msdh", "msix", "cmfs"] { box.text(brand) }
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

    private static let syncFlags: UInt32 = 0x0200_0000
    private static let nonSyncFlags: UInt32 = 0x0101_0000

    private static func writeFragment(
        _ samples: [Sample], sequence: Int, decodeTime: Int64, to writer: inout BoxWriter
    ) {
        let start = writer.count
        var dataOffsetPosition = 0
        writer.box("moof") { moof in
            moof.fullBox("mfhd") { $0.u32(UInt32(clamping: sequence)) }
            moof.box("traf") { traf in
                // default-base-is-moof
                traf.fullBox("tfhd", flags: 0x020000) { $0.u32(1) }
                traf.fullBox("tfdt", version: 1) { $0.u64(UInt64(decodeTime)) }
                // Data offset; then for each sample duration, size, flags and, in version 1, a signed composition
                // offset.
                traf.fullBox("trun", version: 1, flags: 0x000F01) { trun in
                    trun.u32(UInt32(samples.count))
                    dataOffsetPosition = trun.count
                    trun.u32(0)
                    for sample in samples {
                        trun.u32(sample.duration)
                        trun.u32(UInt32(sample.data.count))
                        trun.u32(sample.isSync ? syncFlags : nonSyncFlags)
                        trun.i32(sample.compositionOffset)
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
