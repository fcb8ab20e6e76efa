internal import ClairoCore
internal import Libav

extension SourceAnalyzer {
    /// Decodes the first frames to read size, pixel shape, scan and colour from the bitstream, and chooses the format
    /// that the ladder is planned for.
    func refine(
        _ video: inout VideoStream, scan: inout SourceScan.VideoScan?, contents: SourceContents,
        warnings: inout [MediaWarning]
    ) throws {
        let alphaDecoder = contents.stream(video.index).flatMap { $0.hasAlphaMode ? Self.alphaDecoder($0) : nil }
        let frames = try firstFrames(
            of: video, corrections: contents.corrections[video.index], parts: contents.parts, decoder: alphaDecoder)
        guard let first = frames.first else { return }
        let times = frames.compactMap(\.pts)
        if frames.allSatisfy(\.isInterlaced),
            let (joined, timing) = contents.joiningFields(of: video.index, decoded: times)
        {
            scan = joined
            video.frameRate = timing.rate
            video.isVariableFrameRate = timing.isVariable
            video.frameCount = joined.pts.count
            video.keyFrameCount = joined.keyFrames.count
            (video.start, video.end) = (joined.start.doubleValue, joined.end.doubleValue)
        }
        // A container that calls every frame a key frame, and is wrong, does not say where decoding can begin.
        let tallied = contents.tally.streams[video.index]
        if let tallied, tallied.keyFrames.count == tallied.count, frames.contains(where: { !$0.isKey }) {
            scan?.hasFalseKeyFrames = true
        }
        let sampler = contents.tally.formats[video.index]
        let history = FormatHistory(
            first: FrameFormat(first), samples: sampler?.samples ?? [], packets: contents.packets[video.index],
            timeBase: scan?.timeBase ?? .zero, end: scan?.end.doubleValue ?? 0)
        let format = history.main
        video.isInterlaced = frames.contains(where: \.isInterlaced) || sampler?.hasInterlacedFrames == true
        video.codedSize = format.codedSize
        video.pixelFormat = format.pixelFormat
        video.bitDepth = format.bitDepth
        let declared = declaredColor(of: video.index, contents)
        if let problem = contradiction(container: declared, bitstream: format.color) {
            warnings.append(MediaWarning(.colorContradiction, problem))
        }
        video.color = format.color.completed(by: declared)
        video.dynamicRange = DynamicRange(transfer: video.color.transfer)
        let hdr = HDRInspection(
            bitstream: first.hdrMetadata, container: contents.stream(video.index)?.hdrMetadata,
            range: video.dynamicRange)
        (video.masteringDisplay, video.contentLight) = (hdr.masteringDisplay, hdr.contentLight)
        warnings += hdr.warnings
        let picture = contents.pictures[video.index]
        let crop = picture.flatMap { $0.crop.apply(to: format.codedSize) == nil ? nil : $0.crop }
        let stored = scan?.stream.sampleAspectRatio
        let isFirst = format == history.first
        let container = picture?.sampleAspectRatio.map(Ratio.init) ?? (stored?.isUsable == true ? stored : nil)
        video.apply(
            sampleAspectRatio: (isFirst ? container : nil) ?? format.aspectRatio.map(Ratio.init), crop: crop)
        guard Int64(max(video.codedSize.pixels, video.displaySize.pixels)) <= limits.maxPixels else {
            throw ClairoError.badMedia(
                "\(name): its frames have \(video.displaySize) pixels, more than the limit of \(limits.maxPixels)",
                advice: "Raise the limit with --max-pixels if you trust the file.")
        }
        warnings += history.warnings
        scan?.format = SourceFormat(
            codedSize: format.codedSize, sampleAspectRatio: video.sampleAspectRatio,
            bitstreamAspectRatio: format.aspectRatio, crop: crop,
            color: OutputColor.resolve(video.color, size: video.displaySize, isRGB: video.color.matrix == 0),
            decoder: alphaDecoder)
    }

    /// Only the decoders of libvpx return the alpha plane.
    private static func alphaDecoder(_ stream: StreamInfo) -> String? {
        switch stream.codecName {
        case "vp8": "libvpx"
        case "vp9": "libvpx-vp9"
        default: nil
        }
    }

    private func firstFrames(
        of video: VideoStream, corrections: [ClockCorrection]?, parts: SourceParts?, decoder name: String?
    ) throws -> [Frame] {
        let reader = try SourceReader(source, limits: limits, interrupt: interrupt, parts: parts)
        reader.select(tracks: [video.index])
        var packets = CorrectedPackets(reader, track: video.index, corrections: corrections)
        let control = JobControl()
        var decoders = TrackDecoder(reader, track: video.index, of: self.name, named: name)
        var frames: [Frame] = []
        var sent = 0
        while frames.count < 8, sent < 300 {
            if interrupt.isTriggered { throw ClairoError.cancelled }
            let next = try packets.next(control)
            let ended = decoders.ended(before: next)
            let decoder = try ended ?? decoders.decoder(for: next)
            sent += 1
            try decoder.send(ended == nil ? next?.packet : nil)
            receiving: while true {
                switch try decoder.receive() {
                case .value(let frame): frames.append(frame)
                case .needsInput, .drained: break receiving
                }
            }
            // The first stream of a track tells enough.
            if next == nil || ended != nil { break }
        }
        guard !frames.isEmpty else {
            throw ClairoError.badMedia(
                "\(self.name): no frame of its \(video.codec) video can be decoded (\(decoders.errorCount) errors)"
            )
        }
        return frames
    }

    /// The colour that the container declares.
    private func declaredColor(of index: Int, _ contents: SourceContents) -> ColorDescription {
        (contents.container.first { $0.index == index } ?? contents.stream(index))?.color ?? .unspecified
    }

    private func contradiction(container: ColorDescription, bitstream: ColorDescription) -> String? {
        func differ(_ a: Int, _ b: Int) -> Bool { a != b && a != 2 && b != 2 }
        guard differ(container.transfer, bitstream.transfer) || differ(container.matrix, bitstream.matrix) else {
            return nil
        }
        return "container and bitstream declare different colours "
            + "(\(container.primaries)/\(container.transfer)/\(container.matrix) and "
            + "\(bitstream.primaries)/\(bitstream.transfer)/\(bitstream.matrix)); the bitstream is believed"
    }
}

extension ColorDescription {
    /// These values, with those of `other` in the place of unspecified ones.
    func completed(by other: ColorDescription) -> ColorDescription {
        ColorDescription(
            primaries: primaries == 2 ? other.primaries : primaries,
            transfer: transfer == 2 ? other.transfer : transfer, matrix: matrix == 2 ? other.matrix : matrix,
            isFullRange: isFullRange)
    }
}

/// The formats that the frames of a stream have, one after the other.
struct FormatHistory {
    let first: FrameFormat
    private let parts: [(format: FrameFormat, start: Double, seconds: Double)]

    /// A format that holds for at least this many seconds is worth a ladder.
    private static let leastSeconds = 5.0

    init(
        first: FrameFormat, samples: [FormatSampler.Sample], packets: JoinedPackets?, timeBase: Rational, end: Double
    ) {
        self.first = first
        var starts: [(FrameFormat, Double)] = [(first, -.infinity)]
        for sample in samples {
            guard let ticks = packets?.time(ofKeyPacket: sample.packet) else { continue }
            starts.append((sample.format, (Rational(ticks) * timeBase).doubleValue))
        }
        let begin = packets?.records.first.map { (Rational($0.time) * timeBase).doubleValue } ?? 0
        parts = starts.indices.map { index in
            let start = max(starts[index].1, begin)
            let stop = index + 1 < starts.count ? max(starts[index + 1].1, begin) : max(end, begin)
            return (starts[index].0, start, max(0, stop - start))
        }
    }

    /// The format that the ladder follows: the largest that holds for five seconds, or else the one that holds longest.
    var main: FrameFormat {
        let totals = parts.reduce(into: [FrameFormat: Double]()) { $0[$1.format, default: 0] += $1.seconds }
        // In the order of the source, so that the first of equals is chosen in every run.
        var best = first
        func rank(_ format: FrameFormat) -> (Int, Double) {
            let seconds = totals[format] ?? 0
            return seconds >= Self.leastSeconds ? (format.codedSize.pixels, seconds) : (0, seconds)
        }
        for part in parts where rank(part.format) > rank(best) { best = part.format }
        return best
    }

    var warnings: [MediaWarning] {
        let changes = zip(parts.dropFirst(), parts).filter {
            $0.format != $1.format && $0.seconds > 0 && $1.seconds > 0
        }
        guard let change = changes.first else { return [] }
        let sizes = Set(parts.map(\.format.codedSize))
        return [
            MediaWarning(
                .formatChanges,
                "the format of the frames changes \(changes.count == 1 ? "once" : "\(changes.count) times"), first at "
                    + clock(max(0, change.0.start - (parts.first?.start ?? 0)))
                    + (sizes.count > 1 ? "; frames of another size or shape are fitted into the ladder" : ""))
        ]
    }
}
