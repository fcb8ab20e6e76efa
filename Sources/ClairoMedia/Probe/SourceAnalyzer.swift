public import ClairoCore
internal import Foundation
internal import Libav

/// What reading all packets of a source has shown, beyond what `MediaInfo` tells people.
public struct SourceScan: Sendable {
    public let info: MediaInfo
    let video: VideoScan?
    /// Filled where the caller asked whether the video could be taken over without encoding.
    let copy: CopyInspection?

    /// Times of the selected video stream in ticks of its time base.
    struct VideoScan: Sendable {
        let timeBase: Rational
        /// Presentation times of all frames, sorted.
        let pts: [Int64]
        let keyFrames: [KeyFrame]
        /// Of all key frames together.
        let keyFrameBytes: Int64
        /// Of the last frame.
        let end: Rational
        let start: Rational
        let stream: StreamInfo
    }

    struct KeyFrame: Sendable, Hashable {
        let pts: Int64
        let dts: Int64
    }
}

/// Looks into a source: opens it behind whitelists, reads every packet and decodes the first pictures.
public struct SourceAnalyzer {
    private let source: any ByteSource
    private let name: String
    private let limits: InputLimits
    private let interrupt: Interrupt

    /// - Parameter name: of the source, for messages.
    public init(source: any ByteSource, name: String, limits: InputLimits = InputLimits()) {
        self.init(source: source, name: name, limits: limits, interrupt: Interrupt())
    }

    init(source: any ByteSource, name: String, limits: InputLimits, interrupt: Interrupt) {
        self.source = source
        self.name = name
        self.limits = limits
        self.interrupt = interrupt
    }

    /// - Parameter inspectsCopy: look also at what is needed to decide whether the video can be copied into the ladder.
    /// - Throws: `badInput` (65) where this is no media that Clairo takes.
    public func scan(inspectsCopy: Bool = false) throws(ClairoError) -> SourceScan {
        guard source.size > 0 else { throw .badMedia("\(name) is empty") }
        do {
            return try scanOpened(inspectsCopy: inspectsCopy)
        } catch let error as ClairoError {
            throw error
        } catch let error as AVError {
            if error == .exitRequested { throw .cancelled }
            if "\(error)".contains("moov atom not found") {
                throw .badMedia(
                    "\(name) ends before its index: it is cut short", advice: "Get it again, whole.")
            }
            let reason =
                error == .invalidArgument
                ? "it is a playlist, a script, a picture or another kind of file" : "\(error)"
            // libav says so of one stream too many, and of tables without end.
            if error == .outOfMemory {
                throw .badMedia(
                    "\(name) is not a media file that Clairo takes: it has more streams than the limit of "
                        + "\(limits.maxStreams), or asks for more memory than there is",
                    advice: "Raise the limit with --max-streams if you trust the file.")
            }
            throw .badMedia(
                "\(name) is not a media file that Clairo takes: \(reason)",
                advice:
                    "Clairo reads MP4, MOV, Matroska, WebM, AVI, MPEG-TS, MPEG-PS, FLV, ASF, Ogg, MP3, WAV, AAC and FLAC."
            )
        } catch {
            throw .defect("Probing \(name) failed: \(error)")
        }
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
            warnings.append("the header claims \(clock(declared)), but there are \(clock(duration)) of media")
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

    /// Counts all packets: by the index alone where the container has one for all of them.
    private func tally(_ demuxer: Demuxer) throws -> PacketTally {
        guard let index = try IndexOnlySource(source, format: demuxer.formatName) else {
            return try PacketTally(reading: demuxer, limits: limits)
        }
        let packets = try Demuxer(
            SourceBytes(index), options: limits.demuxerOptions, interrupt: interrupt, analyzes: false)
        return try PacketTally(reading: packets, limits: limits)
    }

    // MARK: Streams

    private func describe(video stream: StreamInfo, tally: PacketTally) -> (VideoStream, SourceScan.VideoScan?) {
        let packets = tally.streams[stream.index] ?? PacketTally.Stream()
        let timeBase = Rational(stream.timeBase)
        let pts = packets.pts.sorted()
        let timing = FrameTiming.analyze(
            pts: pts, timeBase: timeBase,
            declared: [Rational(stream.baseFrameRate), Rational(stream.averageFrameRate)].sorted {
                // A usual rate is a better claim than an average over the first seconds.
                FrameTiming.standardRates.contains($0) && !FrameTiming.standardRates.contains($1)
            })
        let start = Rational(pts.first ?? 0) * timeBase
        let frame = timing.rate.inverse
        let end = pts.isEmpty ? start : Rational(pts.last ?? 0) * timeBase + frame
        let orientation = Orientation(displayMatrix: stream.displayMatrix)
        let coded = FrameSize(width: Int(stream.width), height: Int(stream.height))
        let seconds = (end - start).doubleValue
        var description = VideoStream(
            index: stream.index, codec: stream.codecName, profile: stream.profileName,
            pixelFormat: stream.pixelFormatName ?? "unknown", bitDepth: 8, codedSize: coded,
            sampleAspectRatio: Rational(1), orientation: orientation, displaySize: coded, frameRate: timing.rate,
            isVariableFrameRate: timing.isVariable, isInterlaced: stream.isInterlaced,
            color: ColorDescription(
                primaries: Int(stream.colorPrimaries), transfer: Int(stream.colorTransfer),
                matrix: Int(stream.colorMatrix), isFullRange: stream.isFullRange),
            dynamicRange: DynamicRange(transfer: Int(stream.colorTransfer)), frameCount: pts.count,
            bitRate: seconds > 0 ? Int64(clampedFrom: Double(packets.bytes) * 8 / seconds) : 0,
            start: start.doubleValue,
            end: end.doubleValue, keyFrameCount: packets.keyFrames.count, language: stream.language,
            isAttachedPicture: stream.isAttachedPicture, canDecode: stream.canDecode)
        description.apply(sampleAspectRatio: stream.sampleAspectRatio)
        guard !pts.isEmpty else { return (description, nil) }
        return (
            description,
            SourceScan.VideoScan(
                timeBase: timeBase, pts: pts, keyFrames: packets.keyFrames,
                keyFrameBytes: packets.keyFrameBytes, end: end, start: start, stream: stream)
        )
    }

    private func describe(audio stream: StreamInfo, tally: PacketTally) -> AudioStream {
        let packets = tally.streams[stream.index] ?? PacketTally.Stream()
        let timeBase = Rational(stream.timeBase)
        let first = stream.startTime ?? packets.pts.min() ?? 0
        let start = Rational(max(first, packets.pts.min() ?? first)) * timeBase
        let end = Rational(packets.endTime ?? first) * timeBase
        let seconds = (end - start).doubleValue
        return AudioStream(
            index: stream.index, codec: stream.codecName, profile: stream.profileName, channels: Int(stream.channels),
            layout: stream.channelLayout, sampleRate: Int(stream.sampleRate),
            bitRate: seconds > 0 ? Int64(clampedFrom: Double(packets.bytes) * 8 / seconds) : stream.bitRate,
            start: start.doubleValue, end: max(end, start).doubleValue, language: stream.language, title: stream.title,
            isDefault: stream.isDefault, canDecode: stream.canDecode && packets.count > 0)
    }

    /// The largest moving picture that can be decoded; a cover picture never is the video.
    private func selectVideo(_ streams: [VideoStream]) -> Int? {
        streams.filter { !$0.isAttachedPicture && $0.canDecode && $0.frameCount > 0 && $0.codedSize.pixels > 0 }
            .max {
                ($0.frameCount > 1 ? 1 : 0, $0.codedSize.pixels, $0.bitRate, -$0.index)
                    < ($1.frameCount > 1 ? 1 : 0, $1.codedSize.pixels, $1.bitRate, -$1.index)
            }?.index
    }

    /// The best track of each language, the default one first.
    private func selectAudio(_ streams: [AudioStream]) -> [Int] {
        let usable = streams.filter { $0.canDecode && $0.channels > 0 && $0.sampleRate > 0 && $0.end > $0.start }
        let byLanguage = Dictionary(grouping: usable) { ISO639.code($0.language) }
        let best = byLanguage.values.compactMap { tracks in
            tracks.max {
                ($0.isDefault ? 1 : 0, $0.channels, $0.bitRate, -$0.index)
                    < ($1.isDefault ? 1 : 0, $1.channels, $1.bitRate, -$1.index)
            }
        }
        return best.sorted { ($0.isDefault ? 0 : 1, $0.index) < ($1.isDefault ? 0 : 1, $1.index) }.map(\.index)
    }

    /// Decodes the first pictures: size, shape, interlacing and colour as the bitstream has them.
    private func refine(
        _ video: inout VideoStream, scan: SourceScan.VideoScan?, warnings: inout [String]
    ) throws {
        let demuxer = try Demuxer(SourceBytes(source), options: limits.demuxerOptions, interrupt: interrupt)
        demuxer.select(streams: [video.index])
        let decoder = try demuxer.openDecoder(stream: video.index, of: name)
        var frames: [Frame] = []
        var packets = 0
        while frames.count < 8, packets < 300 {
            let packet = try demuxer.read()
            if let packet, packet.streamIndex != video.index { continue }
            packets += 1
            try decoder.send(packet)
            receiving: while true {
                switch try decoder.receive() {
                case .value(let frame): frames.append(frame)
                case .needsInput, .drained: break receiving
                }
            }
            if packet == nil { break }
        }
        guard let first = frames.first else {
            throw ClairoError.badMedia(
                "\(name): no picture of its \(video.codec) video can be decoded (\(decoder.errorCount) errors)")
        }
        let color = ColorDescription(
            primaries: Int(first.colorPrimaries), transfer: Int(first.colorTransfer), matrix: Int(first.colorMatrix),
            isFullRange: first.isFullRange)
        if color.transfer != 2, video.color.transfer != 2, color.transfer != video.color.transfer {
            warnings.append("container and bitstream disagree about colour; the bitstream is believed")
        }
        video.codedSize = FrameSize(width: first.width, height: first.height)
        video.pixelFormat = first.pixelFormatName
        video.bitDepth = first.bitDepth
        video.isInterlaced = frames.contains(where: \.isInterlaced)
        if color.primaries != 2 { video.color.primaries = color.primaries }
        if color.transfer != 2 { video.color.transfer = color.transfer }
        if color.matrix != 2 { video.color.matrix = color.matrix }
        video.color.isFullRange = color.isFullRange
        video.dynamicRange = DynamicRange(transfer: video.color.transfer)
        let stored = scan?.stream.sampleAspectRatio
        video.apply(sampleAspectRatio: stored?.isUsable == true ? stored : first.sampleAspectRatio)
        guard Int64(max(video.codedSize.pixels, video.displaySize.pixels)) <= limits.maxPixels else {
            throw ClairoError.badMedia(
                "\(name): its pictures have \(video.displaySize) pixels, more than the limit of \(limits.maxPixels)",
                advice: "Raise the limit with --max-pixels if you trust the file.")
        }
    }

    // MARK: Completeness

    private func truncation(
        missing: Int64?, declared: Double?, format: String, tally: PacketTally, readable: Double, end: Double
    ) -> String? {
        if let missing {
            return
                "\(missing) \(missing == 1 ? "byte is" : "bytes are") missing at its end; \(clock(readable)) can be read"
        }
        if tally.endedByError { return "reading stopped at an error after \(clock(readable))" }
        // MP4 headers may claim any duration, and their boxes have just been checked.
        if !format.hasPrefix("mov"), let declared, declared - end > max(1, declared * 0.02), declared < 1e7 {
            return "its header promises \(clock(declared)), \(clock(readable)) can be read"
        }
        return nil
    }

    /// Decoding may begin in the middle where the container has an index of key frames and their times are sound.
    private func isSeekable(_ demuxer: Demuxer, video: Int?, tally: PacketTally) -> Bool {
        guard let video, let stream = demuxer.streams.first(where: { $0.index == video }),
            let packets = tally.streams[video], packets.keyFrames.count > 1, packets.lacksTimes == 0
        else { return false }
        if demuxer.formatName.hasPrefix("mov") { return stream.declaredFrames > 0 }
        return demuxer.formatName.hasPrefix("matroska")
    }
}

/// `h:mm:ss.mmm` without leading zeros, for messages.
func clock(_ seconds: Double) -> String {
    guard seconds.isFinite, seconds >= 0, seconds < 1e9 else { return "no time" }
    if seconds < 60 { return String(format: "%.2f s", seconds) }
    let whole = Int(seconds)
    return whole < 3600
        ? String(format: "%d:%05.2f min", whole / 60, seconds - Double(whole / 60 * 60))
        : String(format: "%d:%02d:%02d h", whole / 3600, whole / 60 % 60, whole % 60)
}

/// Counts and times of all packets, by stream.
struct PacketTally {
    struct Stream {
        var count = 0
        var bytes: Int64 = 0
        var pts: [Int64] = []
        var endTime: Int64?
        var lastDuration: Int64 = 0
        var keyFrames: [SourceScan.KeyFrame] = []
        var keyFrameBytes: Int64 = 0
        var lacksTimes = 0
    }

    private(set) var streams: [Int: Stream] = [:]
    private(set) var warnings: [String] = []
    private(set) var endedByError = false

    init(reading demuxer: Demuxer, limits: InputLimits) throws {
        let kinds = Dictionary(uniqueKeysWithValues: demuxer.streams.map { ($0.index, $0) })
        var corrupt = 0
        reading: while true {
            let packet: Packet
            do {
                guard let next = try demuxer.read() else { break reading }
                packet = next
            } catch let error as AVError {
                if error == .exitRequested { throw error }
                // What was read before counts; the caller decides whether it is enough.
                endedByError = true
                break reading
            }
            if packet.isCorrupt { corrupt += 1 }
            let isVideo = kinds[packet.streamIndex]?.kind == .video
            // In place: a copy of the stream would copy all its times with every packet.
            try Self.record(
                packet, isVideo: isVideo, limits: limits, in: &streams[packet.streamIndex, default: Stream()])
        }
        if corrupt > 0 { warnings.append("\(corrupt) packets are marked damaged") }
    }

    private static func record(
        _ packet: Packet, isVideo: Bool, limits: InputLimits, in stream: inout Stream
    ) throws(ClairoError) {
        stream.count += 1
        stream.bytes += Int64(packet.size)
        guard !packet.isDiscarded else { return }
        guard let time = packet.pts ?? packet.dts else {
            if isVideo { stream.lacksTimes += 1 }
            return
        }
        if packet.pts == nil { stream.lacksTimes += 1 }
        if isVideo || stream.pts.isEmpty { stream.pts.append(time) }
        // The last sample of an MP4 may have no duration of its own: it lasts as long as the one before.
        if packet.duration > 0 { stream.lastDuration = packet.duration }
        if let end = time.addingChecked(stream.lastDuration) { stream.endTime = max(stream.endTime ?? end, end) }
        guard isVideo else { return }
        if packet.isKey {
            stream.keyFrameBytes += Int64(packet.size)
            stream.keyFrames.append(SourceScan.KeyFrame(pts: time, dts: packet.dts ?? time))
        }
        if stream.pts.count > limits.maxFrames {
            throw .badMedia(
                "It has more pictures than the limit of \(limits.maxFrames)",
                advice: "Raise it with --max-frames if you trust the file.")
        }
    }
}

/// A `ByteSource` as libav's wrapper wants it.
struct SourceBytes: InputBytes {
    private let source: any ByteSource
    init(_ source: any ByteSource) { self.source = source }
    var size: Int64 { source.size }
    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        try source.read(at: offset, into: buffer)
    }
}

extension Demuxer {
    /// A decoder for a stream of a source; one that cannot be opened is the source's fault.
    func openDecoder(stream index: Int, of source: String, threads: Int32 = 1) throws(ClairoError) -> Decoder {
        do {
            return try makeDecoder(stream: index, threads: threads)
        } catch {
            if "\(error)".contains("exceeds specified max pixel count") {
                throw .badMedia(
                    "\(source): its pictures have more pixels than the limit allows",
                    advice: "Raise the limit with --max-pixels if you trust the file.")
            }
            let codec = streams.first { $0.index == index }.map { "\($0.codecName) \($0.kind.rawValue)" } ?? "stream"
            throw .badMedia("\(source): its \(codec) cannot be decoded: \(error)")
        }
    }
}

extension Demuxer {
    /// The next packet of any stream; nil at the end, and where the rest cannot be read.
    func nextReadable(_ control: JobControl) throws -> Packet? {
        try control.checkCancellation()
        do {
            return try read()
        } catch let error as AVError {
            if error == .exitRequested { throw ClairoError.cancelled }
            return nil
        }
    }
}

extension Rational {
    init(_ ratio: Ratio) { self.init(Int64(ratio.num), Int64(ratio.den)) }
}

extension Int64 {
    /// The nearest integer to a double that may be anything.
    init(clampedFrom value: Double) {
        self = value.isFinite ? Int64(Swift.min(Swift.max(value.rounded(), -9e18), 9e18)) : 0
    }
}

extension DynamicRange {
    /// By the transfer characteristics of H.273.
    init(transfer: Int) {
        switch transfer {
        case 16: self = .hdr10
        case 18: self = .hlg
        default: self = .sdr
        }
    }
}

extension VideoStream {
    /// Computes the display size from the coded one, the pixel shape and the orientation.
    mutating func apply(sampleAspectRatio ratio: Ratio?) {
        let shape = ratio.map { Rational($0) } ?? Rational(1)
        let isSane = shape > Rational(1, 10) && shape < Rational(10)
        sampleAspectRatio = isSane ? shape : Rational(1)
        let width = max(1, Int((Rational(Int64(codedSize.width)) * sampleAspectRatio).rounded))
        displaySize =
            orientation.swapsSides
            ? FrameSize(width: codedSize.height, height: width)
            : FrameSize(width: width, height: codedSize.height)
    }
}

extension Orientation {
    /// The nearest of the eight upright orientations to a display matrix (ISO/IEC 14496-12, 6.2.2); upright where the
    /// matrix is missing or empty.
    init(displayMatrix matrix: [Int32]?) {
        guard let matrix, matrix.count == 9 else {
            self = .upright
            return
        }
        let (a, b, c, d) = (Double(matrix[0]), Double(matrix[1]), Double(matrix[3]), Double(matrix[4]))
        let isMirrored = a * d - b * c < 0
        // Undo the mirroring (it negates the first row), then see where the x axis points.
        let (x, y) = isMirrored ? (-a, -b) : (a, b)
        let rotation: Int
        if abs(x) >= abs(y) { rotation = x >= 0 ? 0 : 180 } else { rotation = y > 0 ? 90 : 270 }
        self.init(rotation: a == 0 && b == 0 ? 0 : rotation, isMirrored: isMirrored)
    }
}

extension MediaInfo {
    /// What a reader of the output is to know of its source.
    var planWarnings: [String] { warnings + (truncation.map { ["the source is cut short: \($0)"] } ?? []) }
}
