internal import ClairoCore
internal import Foundation

/// Remuxes finished segments into one MP4 with its index at the front ("faststart"), without encoding.
///
/// Only the sample tables are kept in memory. Samples are copied one fragment at a time.
struct ProgressiveMP4 {
    /// One track: its description and its fragments in order.
    struct Track {
        var description: TrackDescription
        /// The presented duration in ticks.
        var duration: Int64
        var chunks: [Chunk]
    }

    /// The samples of one fragment, which are contiguous in the file.
    struct Chunk {
        var segment: ObjectKey
        var samples: [FragmentReader.Entry]
        /// The start in seconds, which determines the interleaving.
        var time: Double

        var bytes: Int { samples.reduce(0) { $0 + $1.size } }
    }

    private static let movieTimescale: Int64 = 90_000

    private let tracks: [Track]
    /// The number of bytes of all samples.
    private let payload: Int
    /// All chunks in file order, as index of the track and index in the track.
    private let order: [(track: Int, chunk: Int)]

    init(tracks: [Track]) {
        self.tracks = tracks
        payload = tracks.reduce(0) { $0 + $1.chunks.reduce(0) { $0 + $1.bytes } }
        order = tracks.indices
            .flatMap { track in tracks[track].chunks.indices.map { (track, $0) } }
            .sorted { (tracks[$0.0].chunks[$0.1].time, $0.0) < (tracks[$1.0].chunks[$1.1].time, $1.0) }
            .map { (track: $0.0, chunk: $0.1) }
    }

    /// Writes the file to `key` and passes every piece to `observe`, for the checksum.
    func write(to key: ObjectKey, in store: any ObjectStore, observe: (Data) -> Void) throws {
        var header = BoxWriter()
        let brands = brands
        header.box("ftyp") { box in
            box.text(brands[0])
            box.u32(0x200)
            for brand in brands { box.text(brand) }
        }
        // The index holds absolute offsets, which depend on its length. Its length does not depend on their values.
        let mdatHeader = payload + 8 > Int(UInt32.max) ? 16 : 8
        let indexLength = movie(firstOffset: 0).count
        header.bytes(movie(firstOffset: header.count + indexLength + mdatHeader))
        if mdatHeader == 16 {
            header.u32(1)
            header.text("mdat")
            header.u64(UInt64(payload + 16))
        } else {
            header.u32(UInt32(payload + 8))
            header.text("mdat")
        }
        try store.put(at: key, length: Int64(header.data.count + payload)) { write in
            observe(header.data)
            try write(header.data)
            var open: [Int: (key: ObjectKey, data: Data)] = [:]
            for (track, index) in order {
                let chunk = tracks[track].chunks[index]
                guard let first = chunk.samples.first else { continue }
                if open[track]?.key != chunk.segment { open[track] = (chunk.segment, try store.get(chunk.segment)) }
                guard let data = open[track]?.data, first.offset + chunk.bytes <= data.count else {
                    throw FragmentReader.damaged("\(chunk.segment) has become shorter")
                }
                // The samples of a fragment are contiguous.
                let piece = data.subdata(in: first.offset..<first.offset + chunk.bytes)
                observe(piece)
                try write(piece)
            }
        }
    }

    /// Whether offsets may need more than 32 bits. The index is far smaller than the samples, so their size decides.
    private var hasLargeOffsets: Bool { payload > Int(UInt32.max) / 16 * 15 }

    /// The major brand and the compatible ones. Players know a file of audio alone by `M4A `.
    private var brands: [String] {
        guard tracks.contains(where: \.description.isVideo) else { return ["M4A ", "isom", "iso2", "mp42"] }
        return ["isom", "iso2"] + (tracks.contains(where: \.description.isH264) ? ["avc1"] : []) + ["mp41"]
    }

    private func movie(firstOffset: Int) -> Data {
        var offsets = tracks.map { [Int](repeating: 0, count: $0.chunks.count) }
        var position = firstOffset
        for (track, chunk) in order {
            offsets[track][chunk] = position
            position += tracks[track].chunks[chunk].bytes
        }
        let seconds = tracks.map { Rational($0.duration, $0.description.timescale) }.max() ?? .zero
        var writer = BoxWriter()
        writer.box("moov") { moov in
            FragmentWriter.writeMovieHeader(
                to: &moov, timescale: Self.movieTimescale,
                duration: (seconds * Rational(Self.movieTimescale)).rounded, nextTrackID: UInt32(tracks.count + 1))
            for (index, track) in tracks.enumerated() {
                let isFirst = !tracks[..<index].contains { $0.description.isVideo == track.description.isVideo }
                writeTrack(track, id: UInt32(index + 1), isEnabled: isFirst, offsets: offsets[index], to: &moov)
            }
        }
        return writer.data
    }

    /// - Parameter isEnabled: Whether players play the track unless another one is chosen.
    private func writeTrack(
        _ track: Track, id: UInt32, isEnabled: Bool, offsets: [Int], to moov: inout BoxWriter
    ) {
        let samples = track.chunks.lazy.flatMap(\.samples)
        let mediaDuration = samples.reduce(Int64(0)) { $0 + Int64($1.duration) }
        track.description.write(
            to: &moov, trackID: id, isEnabled: isEnabled, movieTimescale: Self.movieTimescale,
            duration: track.duration, mediaDuration: mediaDuration
        ) { stbl in
            stbl.fullBox("stts") { writeRuns(samples.map { UInt32($0.duration) }, to: &$0) }
            if samples.contains(where: { $0.compositionOffset != 0 }) {
                stbl.fullBox("ctts") { writeRuns(samples.map { UInt32(max(0, $0.compositionOffset)) }, to: &$0) }
            }
            if samples.contains(where: { !$0.isSync }) {
                let syncSamples = samples.enumerated().filter(\.element.isSync).map { UInt32($0.offset + 1) }
                stbl.fullBox("stss") { box in
                    box.u32(UInt32(syncSamples.count))
                    for number in syncSamples { box.u32(number) }
                }
            }
            stbl.fullBox("stsc") { box in
                let runs = track.chunks.enumerated().filter { index, chunk in
                    index == 0 || track.chunks[index - 1].samples.count != chunk.samples.count
                }
                box.u32(UInt32(runs.count))
                for (index, chunk) in runs {
                    box.u32(UInt32(index + 1))
                    box.u32(UInt32(chunk.samples.count))
                    box.u32(1)
                }
            }
            stbl.fullBox("stsz") { box in
                box.u32(0)
                box.u32(UInt32(samples.count))
                for sample in samples { box.u32(UInt32(sample.size)) }
            }
            stbl.fullBox(hasLargeOffsets ? "co64" : "stco") { box in
                box.u32(UInt32(offsets.count))
                for offset in offsets {
                    if hasLargeOffsets { box.u64(UInt64(offset)) } else { box.u32(UInt32(offset)) }
                }
            }
        }
    }

    /// Writes run-length pairs of count and value, for `stts` and `ctts`.
    private func writeRuns(_ values: some Sequence<UInt32>, to box: inout BoxWriter) {
        var runs: [(count: UInt32, value: UInt32)] = []
        for value in values {
            if runs.last?.value == value { runs[runs.count - 1].count += 1 } else { runs.append((1, value)) }
        }
        box.u32(UInt32(runs.count))
        for run in runs {
            box.u32(run.count)
            box.u32(run.value)
        }
    }
}
