internal import ClairoCore
internal import Foundation

/// Measures finished segments and makes everything that refers to them: playlists, manifest, progressive files.
///
/// It reads what is on the store, not what was meant to be there, so it can run anywhere once the segments exist.
struct Packager {
    let plan: Plan
    let store: any ObjectStore
    let control: JobControl
    /// What the makers of the segments recorded of them; nil where nobody else has made any.
    var records: SegmentRecords?

    /// A finished output but for its commit point.
    struct Result {
        var presentation: Presentation
        var files: [FileRecord]
        /// The text that is written last.
        var master: Data?
    }

    /// One rendition as it was read: its measurements and where its samples lie.
    private struct Measured {
        var segments: [MeasuredSegment] = []
        var chunks: [ProgressiveMP4.Chunk] = []
        var files: [FileRecord] = []
    }

    func run() throws -> Result {
        var files: [FileRecord] = []
        var presentation = Presentation(video: [], audio: [], duration: plan.duration)
        // The default sound goes into every progressive file.
        var defaultSound: ProgressiveMP4.Track?
        for (index, track) in plan.audio.enumerated() {
            let (initSegment, initRecord) = try read(track.initKey)
            let measured = try measure(track)
            files += [initRecord] + measured.files
            presentation.audio.append(
                AudioRendition(
                    track: track, codec: try InitSegment.codecString(of: initSegment), initBytes: initSegment.count,
                    segments: measured.segments))
            if index == 0 {
                defaultSound = try progressiveTrack(track, initSegment: initSegment, chunks: measured.chunks)
            }
        }
        for rung in plan.video?.rungs ?? [] {
            try control.checkCancellation()
            guard let grid = plan.video?.grid else { break }
            let (initSegment, initRecord) = try read(rung.initKey)
            guard InitSegment.pictureSize(of: initSegment) == rung.size else {
                throw FragmentReader.damaged("\(rung.initKey) does not describe pictures of \(rung.size)")
            }
            let measured = try measure(rung, grid: grid, priming: InitSegment.priming(of: initSegment))
            files += [initRecord] + measured.files
            presentation.video.append(
                VideoRendition(
                    rung: rung, codec: try InitSegment.codecString(of: initSegment), frameRate: grid.frameRate,
                    videoRange: "SDR", timescale: grid.timescale, initBytes: initSegment.count,
                    segments: measured.segments))
            if plan.settings.formats.contains(.mp4) {
                let picture = ProgressiveMP4.Track(
                    description: TrackDescription(
                        media: .h264(
                            size: rung.size, configuration: try InitSegment.configuration(of: initSegment),
                            color: plan.video?.color ?? .unspecified),
                        timescale: grid.timescale, language: "und", priming: InitSegment.priming(of: initSegment)),
                    duration: Int64(grid.frameCount) * grid.ticksPerFrame, chunks: measured.chunks)
                files.append(try writeMP4([picture] + (defaultSound.map { [$0] } ?? []), to: rung.mp4Key))
            }
        }
        if plan.video == nil, plan.settings.formats.contains(.mp4), let defaultSound, let track = plan.audio.first {
            files.append(try writeMP4([defaultSound], to: track.mp4Key))
        }
        let master = try writePlaylists(presentation, files: &files)
        return Result(presentation: presentation, files: files.sorted { $0.key < $1.key }, master: master)
    }

    // MARK: Measuring

    /// A segment's bytes and their record, which is what was recorded of them before, if anything was.
    private func read(_ key: ObjectKey) throws -> (Data, FileRecord) {
        try control.checkCancellation()
        let data: Data
        do throws(ClairoError) {
            data = try store.get(key)
        } catch {
            guard records != nil, error.exitCode == .noInput else { throw error }
            throw ClairoError.defect("\(key) is not on the store any more")
        }
        let record = record(key, data)
        try records?.check(record)
        return (data, record)
    }

    private func measure(_ rung: Rung, grid: SegmentGrid, priming: Int64) throws -> Measured {
        var result = Measured()
        let scale = grid.timescale
        for index in 0..<grid.segmentCount {
            let key = rung.segmentKey(index)
            let (data, record) = try read(key)
            result.files.append(record)
            let fragments = try FragmentReader.fragments(of: data)
            let frames = grid.frames(ofSegment: index)
            // Decoding goes on where the segment before ended, and each frame is shown once.
            guard Self.isGapless(fragments, from: Int64(frames.lowerBound) * grid.ticksPerFrame),
                Self.presentationTimes(fragments) == frames.map({ Int64($0) * grid.ticksPerFrame + priming })
            else { throw FragmentReader.damaged("\(key) does not hold frames \(frames)") }
            let keyFrames = fragments.map { fragment in
                let ticks = fragment.samples.reduce(Int64(0)) { $0 + Int64($1.duration) }
                let end = fragment.samples.first.map { $0.offset + $0.size } ?? fragment.offset
                return KeyFrameRange(
                    offset: fragment.offset, length: end - fragment.offset, duration: Rational(ticks, scale))
            }
            result.segments.append(
                MeasuredSegment(
                    duration: Rational(Int64(frames.count)) / grid.frameRate, bytes: data.count, keyFrames: keyFrames))
            result.chunks += fragments.map {
                ProgressiveMP4.Chunk(
                    segment: key, samples: $0.samples, time: Double($0.decodeTime) / Double(scale))
            }
        }
        return result
    }

    private func measure(_ track: AudioPlan) throws -> Measured {
        var result = Measured()
        let rate = Int64(AudioPlan.sampleRate)
        for index in 0..<track.segmentCount {
            let key = track.segmentKey(index)
            let (data, record) = try read(key)
            result.files.append(record)
            let fragments = try FragmentReader.fragments(of: data)
            let samples = fragments.flatMap(\.samples)
            let packets = track.packets(ofSegment: index)
            guard samples.count == packets.count,
                Self.isGapless(fragments, from: Int64(packets.lowerBound * AudioPlan.frameSamples))
            else {
                throw FragmentReader.damaged("\(key) does not hold access units \(packets)")
            }
            // Priming is not presented.
            let presented = (packets.count - (index == 0 ? 1 : 0)) * AudioPlan.frameSamples
            result.segments.append(
                MeasuredSegment(duration: Rational(Int64(presented), rate), bytes: data.count))
            // Half a second of sound at a time, so that players of the progressive file read on evenly.
            for start in stride(from: 0, to: samples.count, by: 24) {
                let unit = packets.lowerBound + start - 1
                result.chunks.append(
                    ProgressiveMP4.Chunk(
                        segment: key, samples: Array(samples[start..<min(start + 24, samples.count)]),
                        time: Double(unit * AudioPlan.frameSamples) / Double(rate)))
            }
        }
        return result
    }

    /// Whether each fragment is decoded where the one before it ended, beginning at `start`.
    private static func isGapless(_ fragments: [FragmentReader.Fragment], from start: Int64) -> Bool {
        var time = start
        for fragment in fragments {
            guard fragment.decodeTime == time else { return false }
            time += fragment.samples.reduce(0) { $0 + Int64($1.duration) }
        }
        return true
    }

    private static func presentationTimes(_ fragments: [FragmentReader.Fragment]) -> [Int64] {
        fragments.flatMap { fragment in
            var time = fragment.decodeTime
            return fragment.samples.map { sample in
                defer { time += Int64(sample.duration) }
                return time + Int64(sample.compositionOffset)
            }
        }.sorted()
    }

    private func record(_ key: ObjectKey, _ data: Data) -> FileRecord {
        FileRecord(key: key.rawValue, bytes: Int64(data.count), sha256: Checksum.sha256(data))
    }

    // MARK: Writing

    private func progressiveTrack(
        _ track: AudioPlan, initSegment: Data, chunks: [ProgressiveMP4.Chunk]
    ) throws -> ProgressiveMP4.Track {
        ProgressiveMP4.Track(
            description: TrackDescription(
                media: .aac(
                    channels: track.channels, sampleRate: AudioPlan.sampleRate,
                    configuration: try InitSegment.configuration(of: initSegment), bitRate: track.bitRate),
                timescale: Int64(AudioPlan.sampleRate), language: ISO639.threeLetters(track.language),
                priming: InitSegment.priming(of: initSegment)),
            duration: Int64(track.sampleCount), chunks: chunks)
    }

    private func writeMP4(_ tracks: [ProgressiveMP4.Track], to key: ObjectKey) throws -> FileRecord {
        try control.checkCancellation()
        var checksum = Checksum.Running()
        try ProgressiveMP4(tracks: tracks).write(to: key, in: store) { checksum.update($0) }
        return FileRecord(key: key.rawValue, bytes: checksum.bytes, sha256: checksum.finish())
    }

    private func writePlaylists(_ presentation: Presentation, files: inout [FileRecord]) throws -> Data? {
        func put(_ text: String, _ key: ObjectKey) throws {
            let data = Data(text.utf8)
            try store.put(data, at: key)
            files.append(record(key, data))
        }
        if let video = plan.video, let poster = try Poster(plan: plan, video: video, store: store).make() {
            try store.put(poster, at: OutputLayout.poster)
            files.append(record(OutputLayout.poster, poster))
        }
        if plan.settings.formats.contains(.dash) { try put(DASHManifest.mpd(presentation), OutputLayout.dashManifest) }
        guard plan.settings.formats.contains(.hls) else { return nil }
        let target = HLSPlaylist.targetDuration(of: presentation)
        for rendition in presentation.video {
            let initName = OutputLayout.fileName(of: rendition.rung.initKey)
            func fileName(_ index: Int) -> String { OutputLayout.fileName(of: rendition.rung.segmentKey(index)) }
            try put(
                HLSPlaylist.media(
                    segments: rendition.segments, targetDuration: target, initName: initName, fileName: fileName),
                rendition.rung.playlistKey)
            try put(
                HLSPlaylist.iframes(segments: rendition.segments, initName: initName, fileName: fileName),
                rendition.rung.iframePlaylistKey)
        }
        for rendition in presentation.audio {
            try put(
                HLSPlaylist.media(
                    segments: rendition.segments, targetDuration: target, initName: OutputLayout.fileName(of: rendition.track.initKey)
                ) { OutputLayout.fileName(of: rendition.track.segmentKey($0)) }, rendition.track.playlistKey)
        }
        let master = Data(HLSPlaylist.master(presentation).utf8)
        files.append(record(OutputLayout.masterPlaylist, master))
        return master
    }
}
