public import ClairoCore
internal import Foundation
internal import Libav

/// Analyzes a source: opens it with format and codec allow-lists, reads every packet and decodes the first frames.
public struct SourceAnalyzer {
    let source: any ByteSource
    let name: String
    let limits: InputLimits
    let interrupt: Interrupt

    /// - Parameter name: The name of the source, for messages.
    public init(source: any ByteSource, name: String, limits: InputLimits = InputLimits()) {
        self.init(source: source, name: name, limits: limits, interrupt: Interrupt())
    }

    init(source: any ByteSource, name: String, limits: InputLimits, interrupt: Interrupt) {
        self.source = source
        self.name = name
        self.limits = limits
        self.interrupt = interrupt
    }

    /// Scans the source.
    /// - Parameter inspectsCopy: Whether to collect what decides whether the video can be copied into the ladder.
    /// - Throws: `badInput` (65) if Clairo does not support the file.
    public func scan(inspectsCopy: Bool = false) throws(ClairoError) -> SourceScan {
        guard source.size > 0 else { throw .badMedia("\(name) is empty") }
        do {
            return try scanOpened(inspectsCopy: inspectsCopy)
        } catch let error as ClairoError {
            throw error
        } catch let error as AVError {
            throw try refusal(error)
        } catch {
            throw .defect("Probing \(name) failed: \(error)")
        }
    }

    /// Converts the error of libav when it could not open the source.
    private func refusal(_ error: AVError) throws(ClairoError) -> ClairoError {
        if error == .exitRequested { return .cancelled }
        if try ContainerExtent.lacksIndex(source) {
            return .badMedia("\(name) ends before its index: it is cut short", advice: "Get it again, whole.")
        }
        // libav also reports this for too many streams and for oversized tables.
        if error == .outOfMemory {
            return .badMedia(
                "\(name) is not a media file that Clairo takes: it has more than \(InputLimits.maxContainerStreams) "
                    + "streams, or needs more memory than available")
        }
        let reason =
            error == .invalidArgument ? "it is a playlist, a script, an image or another kind of file" : "\(error)"
        return .badMedia(
            "\(name) is not a media file that Clairo takes: \(reason)",
            advice:
                "Clairo reads MP4, MOV, Matroska, WebM, AVI, MPEG-TS, MPEG-PS, FLV, ASF, Ogg, MP3, WAV, AAC and FLAC.")
    }

    private func scanOpened(inspectsCopy: Bool) throws -> SourceScan {
        let demuxer = try Demuxer.open(source, limits: limits, interrupt: interrupt)
        if demuxer.formatName == "flv", let reason = try EnhancedFLV.reason(source) {
            throw ClairoError.badMedia("\(name): \(reason)", advice: "Convert it to MP4 or Matroska first.")
        }
        let scanned = try tally(demuxer)
        let tally = scanned.tally
        demuxer.refreshStreams()
        let contents = SourceContents(
            streams: scanned.streams, parts: scanned.parts, tally: tally, container: scanned.container,
            pictures: try MatroskaTracks.pictures(
                in: source, format: demuxer.formatName, streams: demuxer.streams))
        try limits.check(streams: contents.streams, name: name)
        var video = contents.streams.filter { $0.kind == .video }.map { contents.describe(video: $0) }
        let audio = contents.streams.filter { $0.kind == .audio }.map { stream in
            var description = contents.describe(audio: stream)
            // libav may know a codec, but not this variant of it.
            let isOpenable =
                !description.canDecode || scanned.parts?.files.count ?? 1 > 1
                || (try? scanned.demuxer.makeDecoder(stream: stream.index)) != nil
            description.canDecode = description.canDecode && isOpenable
            return description
        }
        var subtitles = contents.streams.filter(\.isSubtitle).map { contents.describe(subtitle: $0) }
        let choice = TrackSelection.choose(
            video: video, audio: audio, subtitles: subtitles,
            programs: Dictionary(uniqueKeysWithValues: contents.streams.map { ($0.index, $0.programs) }),
            withRoles: Set(contents.streams.filter(\.hasRole).map(\.index)))
        subtitles = try captions(contents, choice: choice, subtitles: subtitles)
        var scan: SourceScan.VideoScan?
        var formatWarnings: [MediaWarning] = []
        if let selected = choice.video, let position = video.firstIndex(where: { $0.index == selected }) {
            for stream in contents.streams + (contents.continuations[selected] ?? [])
            where contents.parts?.track(ofStream: stream.index) ?? stream.index == selected {
                if let refusal = DolbyVision.refusal(of: stream, name: name) { throw refusal }
            }
            scan = contents.scans[selected]
            try refine(&video[position], scan: &scan, contents: contents, warnings: &formatWarnings)
        }

        let chosen =
            video.filter { $0.index == choice.video }.map { ($0.start, $0.end) }
            + audio.filter { choice.usedAudio.contains($0.index) }.map { ($0.start, $0.end) }
        let end = chosen.map(\.1).max() ?? 0
        let duration = max(0, end - (chosen.map(\.0).min() ?? 0))
        let files = (contents.parts?.files ?? []).map(\.offset)
        // The header describes the first of several files.
        let declared = files.count > 1 ? nil : demuxer.declaredDuration.map { Double($0) / 1e6 }
        let last = files.count > 1 ? SourceRange(source, file: files.count - 1, of: files) : source
        let truncation = truncation(
            missing: try ContainerExtent.missingBytes(in: last, format: demuxer.formatName), declared: declared,
            format: demuxer.formatName, tally: tally, readable: duration, end: max(end, contents.end))
        var warnings =
            try choice.warnings + unreadWarning(demuxer, contents: contents, last: last)
            + contents.warnings(video: choice.video, audio: choice.usedAudio) + formatWarnings
        if truncation == nil, let declared, abs(declared - duration) > max(1, duration * 0.1),
            abs(declared - end) > 1, contents.timeline.breaks.isEmpty, abs(declared - contents.end) > 1
        {
            warnings.append(
                MediaWarning(
                    .headerMismatch, "the header declares \(clock(declared)), but the media lasts \(clock(duration))"))
        }
        let info = MediaInfo(
            container: demuxer.formatName, containerName: demuxer.formatLongName, size: source.size, duration: duration,
            declaredDuration: declared,
            bitRate: duration > 0 ? Int64(clampedFrom: Double(source.size) * 8 / duration) : 0,
            video: video, audio: audio, subtitles: subtitles,
            otherStreams: contents.streams.filter { $0.kind == .other && !$0.isSubtitle }.map {
                $0.codecTag.isEmpty ? $0.codecName : $0.codecTag
            },
            selectedVideo: choice.video, selectedAudio: choice.usedAudio, truncation: truncation,
            isSeekable: isSeekable(demuxer, scan: scan, contents: contents), warnings: warnings)
        var copy: CopyInspection?
        if inspectsCopy, let selected = choice.video {
            let again = try Demuxer.open(source, limits: limits, interrupt: interrupt)
            copy = try CopyInspection(reading: again, stream: selected)
        }
        var result = SourceScan(
            info: info, video: scan, copy: copy, corrections: contents.corrections, pairs: choice.pairs,
            parts: contents.parts)
        result.audibleSeconds = choice.audio.compactMap { tally.streams[$0]?.seconds }.max() ?? 0
        return result
    }

    /// The packets of a source, and its streams.
    private struct Tallied {
        var tally: PacketTally
        var streams: [StreamInfo]
        /// The streams as the header of the container alone describes them: analysis replaces its colours by the
        /// bitstream's, even where the bitstream declares none.
        var container: [StreamInfo] = []
        /// How the streams form tracks; nil if they are the tracks.
        var parts: SourceParts?
        /// Makes decoders for the streams of the last file.
        var demuxer: Demuxer
    }

    /// Counts all packets, from the index alone if the container has a complete one. A source with several parts is
    /// read again, as the tracks that they form.
    private func tally(_ demuxer: Demuxer) throws -> Tallied {
        let format = demuxer.formatName
        // libav reads the content of captions in QuickTime to find their packets.
        let needsContent = demuxer.streams.contains { $0.codecName == "eia_608" }
        let index = needsContent ? nil : try IndexOnlySource(source, format: format)
        let headers = format == "flv" ? FLVHeaders(source) : nil
        func read(_ parts: SourceParts?) throws -> (Tallied, firstStreams: [Int]) {
            let bytes: any ByteSource = index ?? headers ?? source
            let isOpen = parts == nil && index == nil && headers == nil
            let reader =
                try isOpen
                ? SourceReader(demuxer)
                : SourceReader(
                    bytes, limits: limits, interrupt: interrupt, parts: parts, analyzes: index == nil)
            let container = index == nil ? [] : reader.streams
            // Streams of other containers are never replaced.
            let isLive = ["mpegts", "mpeg", "flv"].contains(format)
            let tally = try PacketTally(
                reading: reader, name: name, limits: limits, findsParts: isLive || parts != nil,
                hasContent: index == nil)
            reader.refreshStreams()
            let streams = try index == nil ? reader.streams : analyzed(parts?.files ?? [], reader.firstStreams, demuxer)
            let scanned = Tallied(
                tally: tally, streams: streams.map { tally.learned.completed($0) }, container: container, parts: parts,
                demuxer: index == nil ? reader.demuxer : demuxer)
            return (scanned, reader.firstStreams)
        }

        var files = try readable(ContainerExtent.files(in: source, format: format), format)
        var (scanned, firstStreams) = try read(files.count > 1 ? SourceParts(files: files) : nil)
        if let headers {
            files = try readable(headers.files(), format)
            if files.count > 1 { (scanned, firstStreams) = try read(SourceParts(files: files)) }
        }
        for (number, first) in firstStreams.enumerated() { files[number].firstStream = first }
        if scanned.parts != nil { scanned.parts?.files = files }
        if let parts = scanned.tally.succession.parts(of: scanned.streams, files: files) {
            (scanned, _) = try read(parts)
        }
        let declaresColor = format.hasPrefix("mov") || format.hasPrefix("matroska")
        if index == nil, declaresColor {
            scanned.container =
                try Demuxer.open(source, limits: limits, interrupt: interrupt, analyzes: false).streams
        }
        return scanned
    }

    /// The streams of files whose packets were counted without their content.
    private func analyzed(
        _ files: [SourceParts.File], _ firstStreams: [Int], _ demuxer: Demuxer
    ) throws -> [StreamInfo] {
        guard files.count > 1 else { return demuxer.streams }
        return try zip(files.indices, firstStreams).flatMap { number, first in
            let bytes = SourceRange(source, file: number, of: files.map(\.offset))
            return try Demuxer.open(bytes, limits: limits, interrupt: interrupt).streams.map { stream in
                var numbered = stream
                numbered.index += first
                return numbered
            }
        }
    }

    /// The files that begin at these bytes, without those that are none. Their bytes belong to the file before.
    private func readable(_ offsets: [Int64], _ format: String) throws -> [SourceParts.File] {
        var found: [Int64] = []
        for (number, offset) in offsets.enumerated() {
            if number > 0 {
                let bytes = SourceRange(source, file: number, of: offsets)
                do {
                    let demuxer = try Demuxer.open(bytes, limits: limits, interrupt: interrupt, analyzes: false)
                    guard demuxer.formatName == format else { continue }
                } catch let error as AVError {
                    if error == .exitRequested { throw error }
                    continue
                }
            }
            found.append(offset)
        }
        return found.map { SourceParts.File(offset: $0, firstStream: 0) }
    }
}
