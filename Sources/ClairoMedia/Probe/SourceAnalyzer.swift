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
        let (tally, container) = try tally(demuxer)
        demuxer.refreshStreams()
        let contents = SourceContents(
            streams: demuxer.streams.map { tally.learned.completed($0) }, tally: tally,
            container: container,
            pictures: try MatroskaTracks.pictures(
                in: source, format: demuxer.formatName, streams: demuxer.streams))
        try limits.check(streams: contents.streams, name: name)
        var video = contents.streams.filter { $0.kind == .video }.map { contents.describe(video: $0) }
        let audio = contents.streams.filter { $0.kind == .audio }.map { stream in
            var description = contents.describe(audio: stream)
            // libav may know a codec, but not this variant of it.
            let isOpenable = !description.canDecode || (try? demuxer.makeDecoder(stream: stream.index)) != nil
            description.canDecode = description.canDecode && isOpenable
            return description
        }
        let subtitles = contents.streams.filter { $0.kind == .subtitle }.map {
            SubtitleStream(index: $0.index, codec: $0.codecName, language: $0.language)
        }
        let choice = TrackSelection.choose(
            video: video, audio: audio, subtitles: subtitles,
            programs: Dictionary(uniqueKeysWithValues: contents.streams.map { ($0.index, $0.programs) }),
            withRoles: Set(contents.streams.filter(\.hasRole).map(\.index)))
        var scan: SourceScan.VideoScan?
        var formatWarnings: [MediaWarning] = []
        if let selected = choice.video, let position = video.firstIndex(where: { $0.index == selected }) {
            if let stream = contents.stream(selected), let refusal = DolbyVision.refusal(of: stream, name: name) {
                throw refusal
            }
            scan = contents.scans[selected]
            try refine(&video[position], scan: &scan, contents: contents, warnings: &formatWarnings)
        }

        let chosen =
            video.filter { $0.index == choice.video }.map { ($0.start, $0.end) }
            + audio.filter { choice.usedAudio.contains($0.index) }.map { ($0.start, $0.end) }
        let end = chosen.map(\.1).max() ?? 0
        let duration = max(0, end - (chosen.map(\.0).min() ?? 0))
        let declared = demuxer.declaredDuration.map { Double($0) / 1e6 }
        let truncation = truncation(
            missing: try ContainerExtent.missingBytes(in: source, format: demuxer.formatName), declared: declared,
            format: demuxer.formatName, tally: tally, readable: duration, end: max(end, contents.end))
        var warnings =
            choice.warnings + unreadWarning(demuxer, contents: contents)
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
            otherStreams: contents.streams.filter { $0.kind == .other }.map {
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
            info: info, video: scan, copy: copy, corrections: contents.corrections, pairs: choice.pairs)
        result.audibleSeconds = choice.audio.compactMap { tally.streams[$0]?.seconds }.max() ?? 0
        return result
    }

    /// Counts all packets, from the index alone if the container has a complete one. Also returns the streams as the
    /// header of the container alone describes them: analysis replaces its colours by the bitstream's, even where the
    /// bitstream declares none.
    private func tally(_ demuxer: Demuxer) throws -> (PacketTally, container: [StreamInfo]) {
        func withoutAnalysis(_ source: any ByteSource) throws -> Demuxer {
            try Demuxer.open(source, limits: limits, interrupt: interrupt, analyzes: false)
        }
        if let index = try IndexOnlySource(source, format: demuxer.formatName) {
            let packets = try withoutAnalysis(index)
            let container = packets.streams
            return (try PacketTally(reading: packets, limits: limits, hasContent: false), container)
        }
        let tally = try PacketTally(reading: demuxer, limits: limits, hasContent: true)
        let declaresColor = demuxer.formatName.hasPrefix("mov") || demuxer.formatName.hasPrefix("matroska")
        return (tally, declaresColor ? try withoutAnalysis(source).streams : [])
    }
}
