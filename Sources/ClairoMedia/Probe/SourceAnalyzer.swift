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
                "\(name) is not a media file that Clairo takes: it has more streams than the limit of "
                    + "\(limits.maxStreams), or needs more memory than available",
                advice: "Raise the limit with --max-streams if you trust the file.")
        }
        let reason =
            error == .invalidArgument ? "it is a playlist, a script, an image or another kind of file" : "\(error)"
        return .badMedia(
            "\(name) is not a media file that Clairo takes: \(reason)",
            advice:
                "Clairo reads MP4, MOV, Matroska, WebM, AVI, MPEG-TS, MPEG-PS, FLV, ASF, Ogg, MP3, WAV, AAC and FLAC.")
    }

    private func scanOpened(inspectsCopy: Bool) throws -> SourceScan {
        let demuxer = try Demuxer(
            SourceBytes(source), options: limits.demuxerOptions, interrupt: interrupt)
        let tally = try tally(demuxer)
        demuxer.refreshStreams()
        var warnings = tally.warnings
        let missing = try ContainerExtent.missingBytes(in: source, format: demuxer.formatName)

        var video: [VideoStream] = []
        var scans: [Int: SourceScan.VideoScan] = [:]
        for stream in demuxer.streams where stream.kind == .video {
            let (description, scan) = describe(video: stream, tally: tally)
            video.append(description)
            scans[stream.index] = scan
        }
        let audio = demuxer.streams.filter { $0.kind == .audio }.map { describe(audio: $0, tally: tally) }
        let selectedVideo = selectVideo(video)
        let selectedAudio = selectAudio(audio)
        if let selectedVideo, let position = video.firstIndex(where: { $0.index == selectedVideo }) {
            try refine(&video[position], scan: scans[selectedVideo], warnings: &warnings)
        }

        let chosen =
            video.filter { $0.index == selectedVideo }.map { ($0.start, $0.end) }
            + audio.filter { selectedAudio.contains($0.index) }.map { ($0.start, $0.end) }
        let end = chosen.map(\.1).max() ?? 0
        let duration = max(0, end - (chosen.map(\.0).min() ?? 0))
        let declared = demuxer.declaredDuration.map { Double($0) / 1e6 }
        let truncation = truncation(
            missing: missing, declared: declared, format: demuxer.formatName, tally: tally, readable: duration, end: end
        )
        if truncation == nil, let declared, abs(declared - duration) > max(1, duration * 0.1), abs(declared - end) > 1 {
            warnings.append("the header declares \(clock(declared)), but the media lasts \(clock(duration))")
        }
        let info = MediaInfo(
            container: demuxer.formatName, containerName: demuxer.formatLongName, size: source.size, duration: duration,
            declaredDuration: declared,
            bitRate: duration > 0 ? Int64(clampedFrom: Double(source.size) * 8 / duration) : 0,
            video: video, audio: audio,
            subtitles: demuxer.streams.filter { $0.kind == .subtitle }.map {
                SubtitleStream(index: $0.index, codec: $0.codecName, language: $0.language)
            },
            otherStreams: demuxer.streams.filter { $0.kind == .other }.map {
                $0.codecTag.isEmpty ? $0.codecName : $0.codecTag
            },
            selectedVideo: selectedVideo, selectedAudio: selectedAudio, truncation: truncation,
            isSeekable: isSeekable(demuxer, video: selectedVideo, tally: tally), warnings: warnings)
        var copy: CopyInspection?
        if inspectsCopy, let selectedVideo {
            let again = try Demuxer(SourceBytes(source), options: limits.demuxerOptions, interrupt: interrupt)
            copy = try CopyInspection(reading: again, stream: selectedVideo)
        }
        return SourceScan(info: info, video: selectedVideo.flatMap { scans[$0] }, copy: copy)
    }

    /// Counts all packets, from the index alone if the container has a complete one.
    private func tally(_ demuxer: Demuxer) throws -> PacketTally {
        guard let index = try IndexOnlySource(source, format: demuxer.formatName) else {
            return try PacketTally(reading: demuxer, limits: limits)
        }
        let packets = try Demuxer(
            SourceBytes(index), options: limits.demuxerOptions, interrupt: interrupt, analyzes: false)
        return try PacketTally(reading: packets, limits: limits)
    }
}
