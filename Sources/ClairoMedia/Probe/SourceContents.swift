internal import ClairoCore
internal import Foundation
internal import Libav

/// What a scan found in a source: its tracks on the joined timeline.
struct SourceContents {
    /// The first stream of each track. In most sources, all streams.
    let streams: [StreamInfo]
    /// The streams that continue a track, in order, by the index of its first stream.
    let continuations: [Int: [StreamInfo]]
    /// How the streams form tracks; nil if they are the tracks.
    let parts: SourceParts?
    let tally: PacketTally
    let timeline: StretchClock.Timeline
    /// The corrections of all streams, with the packets that are left out.
    let corrections: [Int: [ClockCorrection]]
    let scans: [Int: SourceScan.VideoScan]
    let packets: [Int: JoinedPackets]
    private let timings: [Int: FrameTiming.Result]
    /// The streams as the container alone describes them.
    let container: [StreamInfo]
    /// The crops that the container declares, by the index of the stream.
    let pictures: [Int: MatroskaTracks.Picture]

    init(
        streams all: [StreamInfo], parts: SourceParts?, tally: PacketTally, container: [StreamInfo],
        pictures: [Int: MatroskaTracks.Picture]
    ) {
        let continuing = parts?.continuedTracks ?? [:]
        let continuations = Dictionary(grouping: all.filter { continuing[$0.index] != nil }) {
            continuing[$0.index] ?? $0.index
        }
        let streams = all.filter { continuing[$0.index] == nil }.map { $0.continued(by: continuations[$0.index] ?? []) }
        self.streams = streams
        self.continuations = continuations
        self.parts = parts
        self.tally = tally
        self.container = container
        self.pictures = pictures
        let moving = streams.filter { $0.kind == .video && !$0.isAttachedPicture }
        let reference = moving.max { (tally.streams[$0.index]?.count ?? 0) < (tally.streams[$1.index]?.count ?? 0) }
        timeline = tally.clock.timeline(video: reference?.index)
        var corrections = timeline.corrections
        var scans: [Int: SourceScan.VideoScan] = [:]
        var packets: [Int: JoinedPackets] = [:]
        var timings: [Int: FrameTiming.Result] = [:]
        for stream in streams where stream.kind == .video {
            guard let tallied = tally.streams[stream.index] else { continue }
            let delay = Self.sortedDelay(stream, tallied)
            let joined = JoinedPackets(
                tallied, corrections: timeline.corrections[stream.index] ?? [],
                damaged: timeline.damaged[stream.index] ?? [], delay: delay)
            corrections[stream.index] = joined.corrections.isEmpty ? nil : joined.corrections
            packets[stream.index] = joined
            let timing = Self.timing(stream, joined)
            timings[stream.index] = timing
            scans[stream.index] = Self.scan(stream, joined, timing, delay: delay)
            scans[stream.index]?.laterCodecs = (continuations[stream.index] ?? []).map(\.codecName)
        }
        self.corrections = corrections
        self.scans = scans
        self.packets = packets
        self.timings = timings
    }

    func stream(_ index: Int) -> StreamInfo? { streams.first { $0.index == index } }

    /// The delay of frames whose times are those of the packets in ascending order; nil if all packets have presentation
    /// times. Only for codecs that have a packet for each frame: those of H.264 in transport streams may be fields.
    private static func sortedDelay(_ stream: StreamInfo, _ tallied: PacketTally.Stream) -> Int64? {
        let isWhole = ["mpeg1video", "mpeg2video", "mpeg4", "msmpeg4", "wmv3"].contains(stream.codecName)
        guard tallied.lacksTimes > 0, isWhole || tallied.lacksTimes == tallied.count,
            tallied.packets.allSatisfy({ $0.dts != nil || $0.time == nil })
        else { return nil }
        // If many packets' times do not ascend, they are parts of frames.
        let times = tallied.packets.compactMap(\.dts)
        let second = stream.timeBase.num > 0 ? Int64(stream.timeBase.den / stream.timeBase.num) : 1
        let repeated = zip(times.dropFirst(), times).count { $0 <= $1 && $1 &- $0 < second / 5 }
        guard repeated * 20 <= times.count else { return nil }
        return max(0, tallied.leastDelay ?? 0)
    }

    private static func timing(_ stream: StreamInfo, _ joined: JoinedPackets) -> FrameTiming.Result {
        FrameTiming.analyze(
            pts: joined.records.map(\.time), timeBase: Rational(stream.timeBase),
            declared: [Rational(stream.baseFrameRate), Rational(stream.averageFrameRate)].sorted {
                // A standard rate is more reliable than an average over the first seconds.
                FrameTiming.standardRates.contains($0) && !FrameTiming.standardRates.contains($1)
            })
    }

    /// The scan of a video stream whose packets are fields (`FieldPairs`), and the timing of its frames; nil if they are
    /// frames.
    /// - Parameter decoded: The times of its first frames.
    func joiningFields(of index: Int, decoded: [Int64]) -> (SourceScan.VideoScan, FrameTiming.Result)? {
        guard let stream = stream(index), stream.codecName == "h264", let known = scans[index], known.delay == nil,
            let joined = packets[index],
            let ticks = FieldPairs.frameTicks(decoded: decoded, packets: joined.records.map(\.time))
        else { return nil }
        let frames = joined.joiningFields(frameTicks: ticks)
        let timing = Self.timing(stream, frames)
        guard var scan = Self.scan(stream, frames, timing, delay: nil) else { return nil }
        scan.laterCodecs = known.laterCodecs
        return (scan, timing)
    }

    private static func scan(
        _ stream: StreamInfo, _ joined: JoinedPackets, _ timing: FrameTiming.Result, delay: Int64?
    ) -> SourceScan.VideoScan? {
        guard let first = joined.records.first, let last = joined.records.last else { return nil }
        let timeBase = Rational(stream.timeBase)
        let start =
            timing.isJittered
            ? averageStart(joined, timeBase, timing.rate)
            : Rational(first.time) * timeBase + Rational(seconds: timing.phase / timing.rate.doubleValue)
        return SourceScan.VideoScan(
            timeBase: timeBase, pts: joined.records.map(\.time), sizes: joined.records.map(\.bytes),
            keyFrames: joined.keyFrames, keyFrameBytes: joined.keyFrameBytes,
            end: Rational(last.time) * timeBase + timing.rate.inverse, start: start,
            stream: stream, placement: delay != nil ? .sortedTimes : timing.isJittered ? .order : .times, delay: delay)
    }

    /// The start of frames whose times jitter, from all of them: that of the first may be as wrong as any.
    private static func averageStart(_ joined: JoinedPackets, _ timeBase: Rational, _ rate: Rational) -> Rational {
        let (tick, step) = (timeBase.doubleValue, 1 / rate.doubleValue)
        let starts = joined.records.enumerated().map { Double($0.element.time) * tick - Double($0.offset) * step }
        return Rational(seconds: starts.sorted()[starts.count / 2])
    }

    /// The latest end of any stream, in seconds on the container's timeline.
    var end: Double {
        streams.compactMap { stream in
            tally.streams[stream.index]?.lastEnd.map { (Rational($0) * Rational(stream.timeBase)).doubleValue }
        }.max() ?? 0
    }

    func describe(video stream: StreamInfo) -> VideoStream {
        let tallied = tally.streams[stream.index] ?? PacketTally.Stream()
        let scan = scans[stream.index]
        let timing = timings[stream.index]
        let coded = FrameSize(width: Int(stream.width), height: Int(stream.height))
        let seconds = scan.map { ($0.end - $0.start).doubleValue } ?? 0
        var description = VideoStream(
            index: stream.index, codec: stream.codecName, profile: stream.profileName,
            pixelFormat: stream.pixelFormatName ?? "unknown", bitDepth: 8, codedSize: coded,
            sampleAspectRatio: Rational(1), orientation: Orientation(displayMatrix: stream.displayMatrix),
            displaySize: coded, frameRate: timing?.rate ?? Rational(25),
            isVariableFrameRate: timing?.isVariable ?? false, isInterlaced: stream.isInterlaced,
            color: stream.color, dynamicRange: DynamicRange(transfer: Int(stream.colorTransfer)),
            frameCount: scan?.pts.count ?? 0,
            bitRate: seconds > 0 ? Int64(clampedFrom: Double(tallied.bytes) * 8 / seconds) : 0,
            start: scan?.start.doubleValue ?? 0, end: scan?.end.doubleValue ?? 0,
            keyFrameCount: scan?.keyFrames.count ?? 0, language: stream.language,
            isAttachedPicture: stream.isAttachedPicture, canDecode: stream.canDecode)
        description.apply(sampleAspectRatio: stream.sampleAspectRatio, crop: pictures[stream.index]?.crop)
        return description
    }

    func describe(audio stream: StreamInfo) -> AudioStream {
        let tallied = tally.streams[stream.index] ?? PacketTally.Stream()
        let timeBase = Rational(stream.timeBase)
        let extent = timeline.extents[stream.index]
        // A container may exclude the encoder's priming by a later start.
        let isShifted = corrections[stream.index] != nil
        let declared = isShifted ? nil : stream.startTime
        let first = max(declared ?? extent?.start ?? 0, extent?.start ?? declared ?? 0)
        let (start, end) = (Rational(first) * timeBase, Rational(extent?.end ?? first) * timeBase)
        let seconds = (end - start).doubleValue
        return AudioStream(
            index: stream.index, codec: stream.codecName, profile: stream.profileName, channels: Int(stream.channels),
            layout: stream.channelLayout, sampleRate: Int(stream.sampleRate),
            bitRate: seconds > 0 ? Int64(clampedFrom: Double(tallied.bytes) * 8 / seconds) : stream.bitRate,
            start: start.doubleValue, end: max(end, start).doubleValue, language: stream.language, title: stream.title,
            isDefault: stream.isDefault, role: stream.audioRole, canDecode: stream.canDecode && tallied.count > 0)
    }

    /// The warnings about the clocks and the packets of the selected streams.
    func warnings(video: Int?, audio: [Int]) -> [MediaWarning] {
        var warnings: [MediaWarning] = []
        let damaged = ([video].compactMap { $0 } + audio).reduce(0) { $0 + (tally.streams[$1]?.damaged ?? 0) }
        if damaged > 0 {
            warnings.append(
                MediaWarning(
                    .damaged, damaged == 1 ? "1 packet is marked damaged" : "\(damaged) packets are marked damaged"))
        }
        if let first = timeline.breaks.first {
            let count = timeline.breaks.count
            let begin =
                streams.compactMap { stream in
                    timeline.extents[stream.index].map { (Rational($0.start) * Rational(stream.timeBase)).doubleValue }
                }.min() ?? 0
            warnings.append(
                MediaWarning(
                    .clockBreak,
                    "the clock of the source restarts or jumps \(count == 1 ? "once" : "\(count) times"), first at "
                        + "\(ClairoMedia.clock(max(0, first - begin))) of the output; the parts were joined"))
        }
        warnings += partsWarning([video].compactMap { $0 } + audio)
        let replaced = timeline.damaged.values.reduce(0) { $0 + $1.count }
        if replaced > 0 {
            warnings.append(
                MediaWarning(
                    .timesReplaced,
                    "\(replaced == 1 ? "a wrong timestamp was" : "\(replaced) wrong timestamps were") replaced"))
        }
        if let joined = video.flatMap({ packets[$0] }) {
            let shared = joined.sharedTimes
            if shared > 1, shared * 200 > joined.records.count, video.flatMap({ scans[$0] })?.placement == .times {
                warnings.append(
                    MediaWarning(
                        .framesLost,
                        "\(shared) of \(joined.records.count) frames have the time of another frame and are left out"))
            }
            if joined.skippedAtStart > 0 {
                warnings.append(
                    MediaWarning(
                        .startSkipped,
                        "the video begins in the middle of a GOP; its first \(joined.skippedAtStart) frames were left "
                            + "out because they cannot be decoded"))
            }
            if joined.skippedLater > 0 {
                warnings.append(
                    MediaWarning(
                        .framesLost,
                        "\(joined.skippedLater) frames were left out after a break because they cannot be decoded"))
            }
        }
        return warnings
    }
}

extension SourceContents {
    /// The warning for a source whose parts were joined.
    private func partsWarning(_ used: [Int]) -> [MediaWarning] {
        guard let parts else { return [] }
        let advice = "If its parts do not belong together, split it."
        let files = parts.files.count
        if files >= ContainerExtent.mostFiles {
            return [
                MediaWarning(
                    .partsJoined,
                    "the source consists of \(files) files or more; the first \(files) were joined, and others may be "
                        + "left out", advice: "Split it, or join it with a tool that writes a single file.")
            ]
        }
        if files > 1 {
            return [
                MediaWarning(.partsJoined, "the source consists of \(files) files; they were joined", advice: advice)
            ]
        }
        return used.filter { continuations[$0] != nil }.map { track in
            let streams = parts.streams(ofTrack: track).map(String.init)
            let named = streams.count > 10 ? streams.prefix(8) + ["…"] + streams.suffix(1) : streams
            let kind = stream(track)?.kind.rawValue ?? ""
            return MediaWarning(
                .partsJoined,
                "\(kind) streams \(named.joined(separator: ", ")) follow each other; they were joined "
                    + "to one track", advice: advice)
        }
    }
}

extension StreamInfo {
    /// The stream with what a track needs that other streams continue.
    fileprivate func continued(by others: [StreamInfo]) -> StreamInfo {
        guard !others.isEmpty else { return self }
        var track = self
        track.programs = Array(Set(others.reduce(programs) { $0 + $1.programs })).sorted()
        if let widest = others.max(by: { $0.channels < $1.channels }), widest.channels > channels {
            (track.channels, track.channelLayout) = (widest.channels, widest.channelLayout)
        }
        return track
    }

    /// What the container marks audio as, or its title says; nil for main audio.
    var audioRole: TrackRole? {
        if isDescription { return .description }
        if isCommentary { return .commentary }
        let words = Set((title ?? "").lowercased().split { !$0.isLetter })
        if words.contains("commentary") { return .commentary }
        return words.isSuperset(of: ["audio", "description"]) || words.contains("descriptive") ? .description : nil
    }

    /// H.273 code points.
    var color: ColorDescription {
        ColorDescription(
            primaries: Int(colorPrimaries), transfer: Int(colorTransfer), matrix: Int(colorMatrix),
            isFullRange: isFullRange)
    }
}

extension DynamicRange {
    /// Converts transfer characteristics (H.273).
    init(transfer: Int) {
        switch transfer {
        case 16: self = .hdr10
        case 18: self = .hlg
        default: self = .sdr
        }
    }
}

extension VideoStream {
    /// Computes the display size from the coded size without the crop, the pixel shape and the orientation.
    mutating func apply(sampleAspectRatio ratio: Ratio?, crop: FrameCrop? = nil) {
        let shape = ratio.map { Rational($0) } ?? Rational(1)
        let isSane = shape > Rational(1, 10) && shape < Rational(10)
        sampleAspectRatio = isSane ? shape : Rational(1)
        let shown = crop?.apply(to: codedSize) ?? codedSize
        let width = max(1, Int((Rational(Int64(shown.width)) * sampleAspectRatio).rounded))
        displaySize =
            orientation.swapsSides
            ? FrameSize(width: shown.height, height: width)
            : FrameSize(width: width, height: shown.height)
    }
}

extension FrameCrop {
    /// The size that is left, or nil if nothing or a senseless size would be.
    func apply(to size: FrameSize) -> FrameSize? {
        let width = size.width - left - right
        let height = size.height - top - bottom
        guard min(top, bottom, left, right) >= 0, width > 0, height > 0 else { return nil }
        return FrameSize(width: width, height: height)
    }
}

extension Orientation {
    /// The right-angle orientation nearest to a display matrix (ISO/IEC 14496-12, 6.2.2); upright if the matrix is
    /// missing or empty.
    init(displayMatrix matrix: [Int32]?) {
        guard let matrix, matrix.count == 9 else {
            self = .upright
            return
        }
        let (a, b, c, d) = (Double(matrix[0]), Double(matrix[1]), Double(matrix[3]), Double(matrix[4]))
        let isMirrored = a * d - b * c < 0
        // Undo the mirroring, which negates the first row. Then the direction of the x axis gives the rotation.
        let (x, y) = isMirrored ? (-a, -b) : (a, b)
        let rotation: Int
        if abs(x) >= abs(y) { rotation = x >= 0 ? 0 : 180 } else { rotation = y > 0 ? 90 : 270 }
        self.init(rotation: a == 0 && b == 0 ? 0 : rotation, isMirrored: isMirrored)
    }
}
