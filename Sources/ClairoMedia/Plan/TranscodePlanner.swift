public import ClairoCore
internal import Foundation

/// Makes a `Plan` from the scan of a source and the settings. A pure function.
public enum TranscodePlanner {
    /// Audio that starts before or ends after the video by at most this much is priming or interleaving, and is
    /// dropped.
    private static let slack = Rational(1, 10)

    /// - Parameter subtitles: Subtitles that are not in the source.
    /// - Throws: `badInput` (65) if the source cannot be transcoded as requested, `configuration` (78) if a setting is
    ///   out of range.
    public static func plan(
        scan: SourceScan, fingerprint: SourceFingerprint, settings: TranscodeSettings,
        subtitles: [SubtitleFile] = [], limits: InputLimits = InputLimits()
    ) throws(ClairoError) -> Plan {
        do throws(SettingProblem) {
            try settings.validate()
        } catch {
            throw error.configurationError(in: "The settings of the job")
        }
        let info = scan.info
        let name = fingerprint.name
        if let truncation = info.truncation, !settings.allowPartial {
            throw .badMedia(
                "\(name) is cut short: \(truncation)",
                advice: "Give --allow-partial (in a profile: allow-partial) to transcode what can be read.")
        }
        try refuseUndecodable(info, name: name)

        let audioPlanner = AudioPlanner(info, pairs: scan.pairs, settings: settings)
        let origin = try origin(info, audio: audioPlanner.streams, scan: scan, settings: settings, name: name)
        let audioEnd = audioPlanner.streams.map { Rational(seconds: $0.end) }.max()
        var video: VideoPlan?
        if let stream = info.primaryVideo {
            video = try planVideo(
                stream, scan: scan, origin: origin, audioEnd: audioEnd, settings: settings, name: name)
        }
        let length = try outputLength(video: video, audioEnd: audioEnd, origin: origin, settings: settings, name: name)
        guard length.doubleValue <= limits.maxDuration else {
            throw .badMedia(
                "\(name) lasts \(clock(length.doubleValue)), longer than the limit of \(clock(limits.maxDuration))",
                advice: "Raise it with --max-duration if you trust the file, or take a part with --duration.")
        }
        let audio = audioPlanner.plan(
            rungs: video?.rungs ?? [], length: length, origin: origin,
            boundaries: boundaries(video?.grid, length: length, settings: settings), slack: slack, video: video)
        let (chunks, cpuSeconds) = chunks(video, scan: scan, origin: origin, settings: settings)
        let used = Set(
            [video?.streamIndex].compactMap { $0 } + audio.map(\.streamIndex)
                + audio.compactMap(\.pairedStreamIndex))
        let text = TextPlanner.plan(
            info.subtitles, audioLanguage: audio.first?.language ?? "und", files: subtitles,
            boundaries: boundaries(video?.grid, length: length, settings: settings), duration: length,
            settings: settings)
        let plan = Plan(
            source: fingerprint, settings: settings, origin: origin, video: video, audio: audio,
            text: text.isEmpty ? nil : text,
            images: settings.storyboard ? video.flatMap(ImagePlan.init(storyboardOf:)).map { [$0] } : nil,
            chunks: chunks,
            prediction: predict(video, audio: audio, length: length, cpuSeconds: cpuSeconds, settings: settings),
            corrections: scan.corrections.filter { used.contains($0.key) }, parts: scan.parts)
        if plan.publishesSingleFiles, plan.renditions.contains(where: { $0.segmentCount > SegmentIndex.mostReferences })
        {
            throw .usage(
                "\(name) has more segments than the index of a single file can name",
                advice: "Give a larger --segment-seconds, or --segments files.")
        }
        try CostLimits(cpuHours: limits.maxCPUHours).check(
            plan: plan, sourceFrames: scan.video?.pts.count ?? 0, audibleSeconds: scan.audibleSeconds, name: name)
        return plan
    }

    private static func refuseUndecodable(_ info: MediaInfo, name: String) throws(ClairoError) {
        let moving = info.video.filter { !$0.isAttachedPicture }
        if info.selectedVideo == nil, let lost = moving.first(where: { $0.frameCount > 0 }) {
            throw .badMedia("\(name): its video is \(lost.codec), which Clairo does not decode")
        }
        if info.selectedVideo == nil, info.selectedAudio.isEmpty {
            if let lost = info.audio.first { throw .badMedia("\(name): its \(lost.codec) audio cannot be decoded") }
            throw .badMedia("\(name) has neither video nor audio that can be read")
        }
        if info.selectedVideo == nil, !moving.isEmpty {
            throw .badMedia("\(name): its video has no frames that can be read")
        }
    }

    /// The source time that becomes 0: the start of the video, or of the audio if that is clearly earlier, plus
    /// `--start`.
    private static func origin(
        _ info: MediaInfo, audio: [AudioStream], scan: SourceScan, settings: TranscodeSettings, name: String
    ) throws(ClairoError) -> Rational {
        let audioStart = audio.map { Rational(seconds: $0.start) }.min()
        let begin: Rational
        switch (scan.video?.start, audioStart) {
        case (let video?, let audio?): begin = video - audio > slack ? audio : video
        case (let start?, nil), (nil, let start?): begin = start
        case (nil, nil): begin = .zero
        }
        guard let start = settings.start, start.num > 0 else { return begin }
        guard start.doubleValue < info.duration else {
            throw .usage(
                "--start \(start.doubleValue) lies behind the end of \(name), which lasts \(clock(info.duration))")
        }
        return begin + start
    }

    private static func planVideo(
        _ stream: VideoStream, scan: SourceScan, origin: Rational, audioEnd: Rational?, settings: TranscodeSettings,
        name: String
    ) throws(ClairoError) -> VideoPlan? {
        guard let end = scan.video?.end else { return nil }
        let rate = FrameTiming.outputRate(stream.frameRate)
        var frames = max(1, ((end - origin) * rate).rounded)
        var sourceFrames = scan.video.map { lastPosition($0, origin: origin, rate: rate) + 1 } ?? 0
        // Frames that are counted may end a little later than their times say.
        if scan.video?.placement != .times { frames = max(frames, sourceFrames) }
        if let audioEnd, audioEnd - end > slack { frames = ((audioEnd - origin) * rate).ceil }
        if let duration = settings.duration {
            let wanted = max(1, (duration * rate).rounded)
            frames = min(frames, wanted)
        }
        sourceFrames = min(sourceFrames, frames)
        guard frames < 100_000_000 else { throw .badMedia("\(name) would give \(frames) frames") }
        let grid = SegmentGrid(
            frameRate: rate, frameCount: Int(frames), segmentSeconds: settings.segmentSeconds)
        let segmentFrames = min(grid.segmentFrames, grid.frameCount)
        let own = ownRate(stream, timing: scan.video, grid: grid)
        let source = LadderPlanner.Source(
            size: stream.displaySize, frameRate: rate, bitRate: own?.peak ?? 0,
            segmentSeconds: Double(segmentFrames) / rate.doubleValue, keyFrameBits: own?.keyFrameBits ?? 0,
            quality: settings.quality)
        let color = OutputColor.choose(for: stream)
        let targets = try targets(stream, settings: settings, name: name)
        let hdr = targets.contains { $0.dynamicRange != .sdr } ? OutputColor.hdr(for: stream) : nil
        var ladder: (rungs: [Rung], decisions: [LadderDecision]) = ([], [])
        for target in targets {
            let (rungs, decisions) = LadderPlanner.plan(source, target: target, heights: settings.heights)
            ladder.rungs += rungs
            ladder.decisions += decisions
        }
        guard !ladder.rungs.isEmpty else {
            throw .badMedia(
                "\(name): its frames of \(stream.displaySize) are too small for the codecs that are asked for",
                advice: "Add h264 to --codec.")
        }
        let isWhole = settings.start == nil && settings.duration == nil && sourceFrames == frames
        if settings.copyCompatible {
            CopyDecision(stream: stream, scan: scan, grid: grid, origin: origin, isWhole: isWhole).apply(to: &ladder)
        }
        // Waves may have gaps if a codec has no rungs.
        let waves = Set(ladder.rungs.map(\.wave)).sorted()
        for index in ladder.rungs.indices {
            ladder.rungs[index].wave = waves.firstIndex(of: ladder.rungs[index].wave) ?? 0
        }
        // Each wave has chunks of about the same CPU time.
        let segmentsPerEncoder = waves.indices.map { wave in
            let perSegment =
                CostModel.cpuSecondsPerFrame(
                    source: stream.codedSize, rungs: ladder.rungs.filter { $0.wave == wave }, preset: settings.preset)
                * Double(grid.segmentFrames)
            return max(1, Int(settings.chunkCPUSeconds / max(perSegment, 0.001)))
        }
        for index in ladder.rungs.indices where ladder.rungs[index].wave > 0 {
            ladder.rungs[index].segmentsPerEncoder = segmentsPerEncoder[ladder.rungs[index].wave]
        }
        return VideoPlan(
            streamIndex: stream.index, grid: grid, sourceFrameCount: Int(sourceFrames), orientation: stream.orientation,
            deinterlace: stream.isInterlaced, dynamicRange: stream.dynamicRange,
            color: color, segmentsPerEncoder: segmentsPerEncoder[0],
            isSeekable: scan.info.isSeekable, rungs: ladder.rungs,
            decisions: ladder.decisions, source: scan.video?.format, placement: scan.video?.placement,
            shownFrameCount: scan.video.map {
                expectedCounts($0, origin: origin, grid: grid).reduce(0) { $0 + $1.shown }
            },
            sortedTimeDelay: scan.video?.delay, hdr: hdr,
            presentationDelay: presentationDelay(ladder.rungs, frameRate: rate))
    }

    /// The ladders to make, in the order of their codecs' cost: one in SDR for each codec, and one in HDR for those
    /// with 10 bits if the source is HDR. Each codec is a wave, so that a dearer one never delays a cheaper one.
    private static func targets(
        _ stream: VideoStream, settings: TranscodeSettings, name: String
    ) throws(ClairoError) -> [LadderPlanner.Target] {
        let codecs = VideoCodec.allCases.filter(settings.codecs.contains)
        let isHDR = stream.dynamicRange != .sdr && settings.hdr != .sdr
        if isHDR, settings.hdr == .keep, codecs == [.h264] {
            throw .usage(
                "\(name) is in HDR, which H.264 does not keep",
                advice: "Add hevc or av1 to --codec, or give --hdr auto.")
        }
        return codecs.enumerated().flatMap { wave, codec in
            let ranges = isHDR && codec != .h264 ? [.sdr, stream.dynamicRange] : [DynamicRange.sdr]
            return ranges.map { LadderPlanner.Target(codec: codec, dynamicRange: $0, wave: wave) }
        }
    }

    /// The counts of all segments if every frame of the source can be decoded. Empty without video.
    static func expectedCounts(_ plan: Plan, scan: SourceScan) -> [SegmentCounts] {
        guard let video = plan.video, let timing = scan.video else { return [] }
        return expectedCounts(timing, origin: plan.origin, grid: video.grid)
    }

    /// Frames with a position of their own are shown; the others share one with the next frame.
    private static func expectedCounts(
        _ scan: SourceScan.VideoScan, origin: Rational, grid: SegmentGrid
    ) -> [SegmentCounts] {
        var counts = (0..<grid.segmentCount).map { SegmentCounts(segment: $0) }
        var last = -1
        for (number, pts) in scan.pts.enumerated() {
            var position = grid.frame(at: Rational(pts) * scan.timeBase, origin: origin)
            position = FrameTimeline.ordered(position, after: last, scan.placement)
            guard position < grid.frameCount else { break }
            let segment = grid.segment(ofFrame: max(position, 0))
            if position >= 0 { counts[segment].decoded += 1 }
            // Frames before the start are replaced by the first one of the output.
            if max(position, 0) > last || number == 0 { counts[segment].shown += 1 }
            last = max(last, position, 0)
        }
        return counts
    }

    /// The output frame at which the last source frame begins; a low frame rate shows it for many output frames.
    private static func lastPosition(_ scan: SourceScan.VideoScan, origin: Rational, rate: Rational) -> Int64 {
        let grid = SegmentGrid(frameRate: rate, frameCount: 0)
        func position(_ pts: Int64) -> Int { grid.frame(at: Rational(pts) * scan.timeBase, origin: origin) }
        guard scan.placement != .times else { return Int64(max(-1, position(scan.pts.last ?? 0))) }
        return Int64(
            scan.pts.reduce(-1) { last, pts in
                max(last, FrameTimeline.ordered(position(pts), after: last, scan.placement))
            })
    }

    /// The rate of the source's busiest part in H.264; nil if it is unknown.
    private static func ownRate(
        _ stream: VideoStream, timing: SourceScan.VideoScan?, grid: SegmentGrid
    ) -> SourceRate? {
        guard let timing else { return nil }
        let codecs = [stream.codec] + timing.laterCodecs
        // The rates of streams with several codecs are compared by the one that needs most in H.264.
        guard codecs.allSatisfy({ SourceRate.bitsAsH264($0) != nil }),
            let codec = codecs.max(by: { SourceRate.bitsAsH264($0) ?? 0 < SourceRate.bitsAsH264($1) ?? 0 })
        else { return nil }
        return SourceRate(
            codec: codec, pts: timing.pts, sizes: timing.sizes, keyFrames: timing.keyFrames.map(\.pts).sorted(),
            timeBase: timing.timeBase, duration: stream.end - stream.start,
            gopSeconds: Double(grid.gopFrames) / grid.frameRate.doubleValue)
    }

    /// The length of the output in seconds.
    private static func outputLength(
        video: VideoPlan?, audioEnd: Rational?, origin: Rational, settings: TranscodeSettings, name: String
    ) throws(ClairoError) -> Rational {
        if let video { return video.grid.duration }
        guard let audioEnd, audioEnd > origin else { throw .badMedia("\(name) has no audio that can be read") }
        let length = audioEnd - origin
        return settings.duration.map { min($0, length) } ?? length
    }

    /// The ends of all segments except for the last: those of the video, if there is one.
    private static func boundaries(
        _ grid: SegmentGrid?, length: Rational, settings: TranscodeSettings
    ) -> [Rational] {
        if let grid {
            return (1..<max(grid.segmentCount, 1)).map { grid.time(ofFrame: grid.frames(ofSegment: $0).lowerBound) }
        }
        let count = Int((length / Rational(seconds: settings.segmentSeconds)).ceil)
        return (1..<max(count, 1)).map { Rational(Int64($0)) * Rational(seconds: settings.segmentSeconds) }
    }

    /// The frames by which rungs of all codecs delay presentation: two, as x264 and x265 need for B-frames, or more if a
    /// copied rung needs more or the priming of audio takes longer.
    private static func presentationDelay(_ rungs: [Rung], frameRate: Rational) -> Int {
        let priming = Rational(Int64(AudioCodec.allCases.map(\.priming).max() ?? 0), Int64(AudioPlan.sampleRate))
        return max(2, Int((priming * frameRate).ceil), rungs.compactMap(\.copyReorderDelay).max() ?? 0)
    }

    private static func chunks(
        _ video: VideoPlan?, scan: SourceScan, origin: Rational, settings: TranscodeSettings
    ) -> ([Chunk], Double) {
        guard let video, let timing = scan.video, let stream = scan.info.primaryVideo else { return ([], 0) }
        let grid = video.grid
        // Deinterlacing needs earlier frames, so decoding starts a few frames before the chunk. Interlaced frames may
        // begin anywhere.
        let margin = 4
        let usesDecodeTime = scan.info.container.hasPrefix("mov")
        let keyFrames = timing.keyFrames.sorted { $0.pts < $1.pts }
        var chunks: [Chunk] = []
        var total = 0.0
        for wave in 0..<video.waveCount {
            let rungs = video.rungs(ofWave: wave).map { video.rungs[$0] }
            total +=
                Double(grid.frameCount)
                * CostModel.cpuSecondsPerFrame(source: stream.codedSize, rungs: rungs, preset: settings.preset)
            let size =
                video.isSeekable ? rungs.first?.segmentsPerEncoder ?? video.segmentsPerEncoder : grid.segmentCount
            for first in stride(from: 0, to: grid.segmentCount, by: max(size, 1)) {
                let wanted = grid.frames(ofSegment: first).lowerBound - margin
                let key = keyFrames.last { key in
                    grid.frame(at: Rational(key.pts) * timing.timeBase, origin: origin) <= wanted
                }
                chunks.append(
                    Chunk(
                        index: chunks.count, wave: wave, segments: first..<min(first + size, grid.segmentCount),
                        seekTimestamp: video.isSeekable ? key.map { usesDecodeTime ? $0.dts : $0.pts } : nil))
            }
        }
        return (chunks, total)
    }

    private static func predict(
        _ video: VideoPlan?, audio: [AudioPlan], length: Rational, cpuSeconds: Double, settings: TranscodeSettings
    ) -> Prediction {
        let seconds = length.doubleValue
        let videoRate = (video?.rungs ?? []).reduce(0.0) {
            $0 + CostModel.expectedRate($1, frameRate: video?.grid.frameRate ?? Rational(25), quality: settings.quality)
        }
        let audioRate = audio.reduce(0.0) { $0 + Double($1.bitRate) }
        // Each progressive file repeats a rung with the audio of every language.
        let rungCount = Double(video?.rungs.count ?? 1)
        let hasStreams = settings.outputFormats.contains(.hls) || settings.outputFormats.contains(.dash)
        let streams = hasStreams ? videoRate + audioRate : 0
        let files =
            settings.outputFormats.contains(.mp4)
            ? videoRate + rungCount * audio.progressive.reduce(0.0) { $0 + Double($1.bitRate) } : 0
        return Prediction(
            bytes: Int64(clampedFrom: (streams + files) * seconds / 8),
            cpuSeconds: cpuSeconds + seconds * 0.03 * Double(audio.count))
    }
}

extension AudioPlan {
    /// Gives the track the delay of a video, and lets it end no later: an access unit that would end after the last frame
    /// is left out. Only a video that is shorter than an access unit gets one that is longer.
    mutating func accompany(_ video: VideoPlan) {
        guard let frames = video.presentationDelay else { return }
        let rate = Rational(Int64(Self.sampleRate))
        presentationDelay = Int((video.grid.time(ofFrame: frames) * rate).rounded)
        let units = (delay + Int((video.grid.duration * rate).floor)) / frameSamples
        sampleCount = max(units, delay / frameSamples + 1) * frameSamples - delay
    }
}
