internal import ClairoCore
internal import Foundation

/// Measures finished segments and makes everything that refers to them: playlists, the manifest and progressive files.
///
/// It depends only on the objects on the store, so it can run anywhere once the segments exist.
struct Packager {
    let plan: Plan
    let store: any ObjectStore
    let control: JobControl
    /// The records that the tasks made of their segments; nil if this process made all segments.
    var records: SegmentRecords?

    /// A finished output without its commit point.
    struct Result {
        var presentation: Presentation
        var files: [FileRecord]
        /// The master playlist, which is written last.
        var master: Data?
    }

    /// The measurements of one rendition and the positions of its samples.
    private struct Measured {
        /// In its plain form.
        var initSegment: Data
        /// As on the store, with protection if there is any.
        var storedInitSegment: Data
        var segments: [MeasuredSegment] = []
        /// The bytes of each segment before its first fragment.
        var typeBytes: [Int] = []
        var chunks: [ProgressiveMP4.Chunk] = []
        var files: [FileRecord] = []
    }

    func run() throws -> Result {
        var files: [FileRecord] = []
        var presentation = Presentation(video: [], audio: [], duration: plan.duration)
        presentation.protection = plan.protection
        let renditions = plan.mediaRenditions
        // Every progressive file contains the audio of all languages, so it is measured before the rungs.
        let progressiveAudio = Set(plan.audio.progressive.map(\.id))
        var audio: [ProgressiveMP4.Track] = []
        let images = ImageMaker(plan, store: store, control: control)
        for rendition in renditions.filter({ $0.kind == .audio }) + renditions.filter({ $0.kind != .audio }) {
            let measured = try measure(rendition, images: rendition.folder == images?.rung.folder ? images : nil)
            if plan.publishesSegments { files += measured.files }
            rendition.add(
                to: &presentation, codec: try rendition.codecString(initSegment: measured.initSegment),
                initBytes: measured.storedInitSegment.count, segments: measured.segments)
            if plan.publishesSingleFiles {
                presentation.place(rendition.folder, in: try writeSingleFile(rendition, measured, files: &files))
            }
            guard plan.settings.outputFormats.contains(.mp4) else { continue }
            let track = try progressiveTrack(rendition, measured)
            switch rendition.kind {
            case .video: files.append(try writeMP4([track] + audio, to: rendition.mp4Key))
            case .audio where progressiveAudio.contains(rendition.id):
                audio.append(track)
                // Without video, each track of the source gets its own file.
                if plan.video == nil { files.append(try writeMP4([track], to: rendition.mp4Key)) }
            case .audio, .text, .image: break
            }
        }
        for track in plan.text ?? [] {
            let (whole, wholeRecord) = try read(track.wholeKey)
            let segments = try track.segmentKeys.map(read)
            files += [wholeRecord] + (plan.publishesStreams ? segments.map(\.1) : [])
            presentation.text.append(try track.measure(whole: whole, segments: segments.map(\.0)))
        }
        if let made = try images?.finish() {
            presentation.images = [made.storyboard].compactMap { $0 }
            for file in made.files { files.append(try put(file.data, file.key)) }
        }
        let master = try writePlaylists(presentation, files: &files)
        return Result(presentation: presentation, files: files.sorted { $0.key < $1.key }, master: master)
    }

    // MARK: Measuring

    /// Reads a segment and returns its bytes and their record, checked against an earlier record if there is one.
    private func read(_ key: ObjectKey) throws -> (Data, FileRecord) {
        try control.checkCancellation()
        let data: Data
        do throws(ClairoError) {
            data = try store.get(key)
        } catch {
            guard records != nil, error.exitCode == .noInput else { throw error }
            throw ClairoError.defect("\(key) is not on the store any more")
        }
        // An encrypted segment is recorded as it is stored, not as it is read.
        let record = try plan.protection == nil ? record(key, data) : store.record(of: key)
        try records?.check(record)
        return (data, record)
    }

    /// - Parameter images: Looks at the segments while they are in memory.
    private func measure(_ rendition: any MediaRendition, images: ImageMaker?) throws -> Measured {
        let (stored, initRecord) = try read(rendition.initKey)
        let initSegment = try ProtectedLayout.plainInitSegment(stored)
        try rendition.check(initSegment: initSegment)
        let priming = InitSegment.priming(of: initSegment)
        var result = Measured(initSegment: initSegment, storedInitSegment: stored, files: [initRecord])
        for (index, key) in rendition.segmentKeys.enumerated() {
            let (data, record) = try read(key)
            result.files.append(record)
            let fragments = try FragmentReader.fragments(of: data)
            var segment = try rendition.measure(
                fragments, bytes: Int(record.bytes), index: index, priming: priming)
            // No part of a segment that is encrypted as a whole can be read by itself.
            if plan.protection?.scheme == .aes128 { segment.keyFrames = [] }
            result.segments.append(segment)
            result.typeBytes.append(fragments.first?.offset ?? 0)
            result.chunks += rendition.progressiveChunks(fragments, index: index)
            try images?.add(initSegment: initSegment, segment: data, index: index)
        }
        return result
    }

    private func record(_ key: ObjectKey, _ data: Data) -> FileRecord {
        FileRecord(key: key.rawValue, bytes: Int64(data.count), sha256: Checksum.sha256(data))
    }

    // MARK: Writing

    private func put(_ data: Data, _ key: ObjectKey) throws -> FileRecord {
        try store.put(data, at: key)
        return record(key, data)
    }

    private func writeSingleFile(
        _ rendition: any MediaRendition, _ measured: Measured, files: inout [FileRecord]
    ) throws -> SingleFile {
        try control.checkCancellation()
        var checksum = Checksum.Running()
        let file = try SingleFileWriter(
            rendition: rendition, initSegment: measured.storedInitSegment, segments: measured.segments,
            typeBytes: measured.typeBytes
        ).write(in: store) { checksum.update($0) }
        // An encrypted file is recorded as it is stored, not as it was written.
        files.append(
            plan.protection == nil
                ? FileRecord(key: file.key.rawValue, bytes: checksum.bytes, sha256: checksum.finish())
                : try store.record(of: file.key))
        return file
    }

    private func progressiveTrack(
        _ rendition: any MediaRendition, _ measured: Measured
    ) throws -> ProgressiveMP4.Track {
        ProgressiveMP4.Track(
            description: try rendition.trackDescription(initSegment: measured.initSegment),
            duration: (rendition.duration * Rational(rendition.timescale)).rounded, chunks: measured.chunks)
    }

    private func writeMP4(_ tracks: [ProgressiveMP4.Track], to key: ObjectKey) throws -> FileRecord {
        try control.checkCancellation()
        var checksum = Checksum.Running()
        try ProgressiveMP4(tracks: tracks).write(to: key, in: store) { checksum.update($0) }
        return FileRecord(key: key.rawValue, bytes: checksum.bytes, sha256: checksum.finish())
    }

    private func writePlaylists(_ presentation: Presentation, files: inout [FileRecord]) throws -> Data? {
        func withKeys(_ text: String, _ key: ObjectKey) -> Data {
            Data((plan.protection.map { ProtectionSignalling.addKeys($0, to: text, at: key) } ?? text).utf8)
        }
        func put(_ text: String, _ key: ObjectKey) throws { files.append(try self.put(withKeys(text, key), key)) }
        let formats = plan.settings.outputFormats
        if formats.contains(.dash) { try put(DASHManifest.mpd(presentation), OutputLayout.dashManifest) }
        guard formats.contains(.hls) else { return nil }
        let target = HLSPlaylist.targetDuration(of: presentation)
        for rendition in presentation.renditions {
            let keys = rendition.keys
            let file = rendition.file
            let initName = OutputLayout.fileName(of: file?.key ?? keys.initKey)
            func fileName(_ index: Int) -> String { OutputLayout.fileName(of: file?.key ?? keys.segmentKey(index)) }
            try put(
                HLSPlaylist.media(
                    segments: rendition.segments, targetDuration: target, initName: initName, file: file,
                    fileName: fileName),
                keys.playlistKey)
            if let key = rendition.iframePlaylistKey, plan.protection?.scheme != .aes128 {
                try put(
                    HLSPlaylist.iframes(
                        segments: rendition.segments, initName: initName, file: file, fileName: fileName), key)
            }
        }
        for rendition in presentation.text {
            let track = rendition.track
            try put(
                HLSPlaylist.media(
                    segments: rendition.segments, targetDuration: target, initName: nil,
                    fileName: { OutputLayout.fileName(of: track.segmentKey($0)) }), track.playlistKey)
        }
        for image in presentation.images { try put(HLSPlaylist.images(image), image.plan.playlistKey) }
        let master = withKeys(HLSPlaylist.master(presentation), OutputLayout.masterPlaylist)
        files.append(record(OutputLayout.masterPlaylist, master))
        return master
    }
}
