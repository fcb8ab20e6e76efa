/// A result that no correct task can have.
public struct ImpossibleResult: Error, Hashable {
    /// What is wrong, as the continuation of "an invalid result:".
    public let reason: String
}

/// Validates results, because whoever made the media may control what comes out of an executor. A plan determines loop
/// bounds and object names, and counts are summed, so everything is checked here before it is used.
extension TaskResult {
    /// Returns the result if it is valid for `work`.
    public func validated(for work: TaskSpec.Work) throws(ImpossibleResult) -> TaskResult {
        try expect(schema == TaskSpec.currentSchema, "its schema is \(schema)")
        try expect(
            warnings.count <= 1000
                && warnings.reduce(0) { $0 + $1.message.utf8.count + ($1.advice?.utf8.count ?? 0) } <= 1 << 20,
            "it has too many warnings")
        try expect(
            Bounds.counts.contains(decodedFrames) && Bounds.counts.contains(decodeErrors)
                && Bounds.counts.contains(shownFrames ?? 0),
            "it counts \(decodedFrames) frames and \(decodeErrors) errors")
        try loudness?.validate()
        try usage.validate()
        try files.validate()
        try validateRenditions(of: work)
        if case .plan(let request) = work {
            guard let plan else { throw ImpossibleResult(reason: "it has no plan") }
            try plan.validate(for: request)
        } else {
            try expect(plan == nil, "it has a plan")
        }
        switch work {
        case .probe, .inspect:
            guard let media else { throw ImpossibleResult(reason: "it does not describe the source") }
            try media.validate()
        case .plan, .chunk, .track, .finish, .transcode, .verify:
            try expect(media == nil, "it describes the source")
        }
        return self
    }

    private func validateRenditions(of work: TaskSpec.Work) throws(ImpossibleResult) {
        let planned: [any RenditionKeys]?
        switch work {
        case .finish(let request): planned = request.plan.published
        // Only the task itself knows the plan.
        case .transcode: planned = nil
        case .probe, .inspect, .plan, .chunk, .track, .verify: planned = []
        }
        let folders = Set(renditions.map { OutputLayout.folder($0.kind, $0.id) })
        try expect(
            renditions.count <= Bounds.renditions * RenditionKind.allCases.count && folders.count == renditions.count,
            "it has \(renditions.count) renditions")
        for rendition in renditions {
            let isPlanned = planned?.contains { rendition.isPossible(for: $0) } ?? true
            try expect(
                isPlanned && rendition.isPossible,
                "the rendition \(rendition.id.prefix(40).debugDescription) is invalid")
        }
    }
}

extension RenditionRecord {
    fileprivate func isPossible(for planned: any RenditionKeys) -> Bool {
        let rung = (planned as? PlannedRung)?.rung
        return planned.kind == kind && planned.id == id && (rung == nil || rung?.size == size)
    }

    /// The text is part of rows, messages and tables.
    fileprivate var isPossible: Bool {
        let isAllPlain = ([id, codec] + [language].compactMap(\.self)).allSatisfy(\.isPlainWord)
        let loudnesses = [loudness?.integrated, loudness?.truePeak, loudness?.gain].compactMap(\.self)
        return isAllPlain && size?.isPossible ?? true && (frameRate ?? .zero) >= .zero
            && Bounds.counts.contains(frameCount ?? 0) && (1...64).contains(channels ?? 1)
            && title?.utf8.count ?? 0 <= Bounds.title && loudnesses.allSatisfy { (-1000...1000).contains($0) }
            && Bounds.seconds.contains(duration ?? 0)
            && [averageRate, peakRate, bytes].allSatisfy(Bounds.bytes.contains)
    }
}

extension [FileRecord] {
    /// Validates the files reported by a task on another machine.
    public func validate() throws(ImpossibleResult) {
        try expect(count <= 1 << 20, "it has \(count) files")
        for file in self {
            let isDigest =
                file.sha256.utf8.count == 64
                && file.sha256.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
            try expect(
                (1...1024).contains(file.key.utf8.count) && Bounds.bytes.contains(file.bytes) && isDigest,
                "the file \(file.key.prefix(40).debugDescription) is invalid")
        }
    }
}

/// Upper bounds that are never reached, yet small enough that sums cannot overflow.
private enum Bounds {
    static let counts = 0...1_000_000_000_000
    static let bytes: ClosedRange<Int64> = 0...(1 << 50)
    static let seconds = 0...1e10
    /// Of a kind.
    static let renditions = 64
    static let chunks = 100_000
    /// UTF-8 of a track's title.
    static let title = 4096
    static let segments = 1_000_000
    /// Of a stream's clock.
    static let corrections = 10_000
}

private func expect(_ condition: Bool, _ what: @autoclosure () -> String) throws(ImpossibleResult) {
    guard condition else { throw ImpossibleResult(reason: what()) }
}

extension String {
    /// Whether the string is a plain word that can be a folder name.
    fileprivate var isPlainWord: Bool {
        (1...40).contains(utf8.count) && first != "."
            && utf8.allSatisfy { byte in
                (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
                    || byte == UInt8(ascii: ".") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_")
            }
    }
}

extension FrameSize {
    fileprivate var isPossible: Bool { (1...1 << 20).contains(width) && (1...1 << 20).contains(height) }
}

extension SourceFormat {
    fileprivate var isPossible: Bool {
        let shape = sampleAspectRatio.doubleValue
        let edges = crop.map { [$0.top, $0.bottom, $0.left, $0.right] } ?? []
        return codedSize.isPossible && shape > 0.01 && shape < 100 && edges.allSatisfy((0...1 << 20).contains)
            && (decoder ?? "x").isPlainWord
    }
}

extension AudioLoudness {
    fileprivate func validate() throws(ImpossibleResult) {
        let values = [integrated, truePeak, gain].compactMap { $0 }
        try expect(values.allSatisfy { abs($0) <= 1000 }, "its loudness is out of range")
    }
}

extension TaskUsage {
    fileprivate func validate() throws(ImpossibleResult) {
        let steps = steps ?? [:]
        try expect(
            Bounds.seconds.contains(cpuSeconds) && Bounds.seconds.contains(wallSeconds)
                && Bounds.bytes.contains(peakMemory) && steps.count <= 64
                && steps.allSatisfy { $0.key.isPlainWord && Bounds.seconds.contains($0.value) },
            "its usage is out of range")
    }
}

extension MediaInfo {
    /// Headers may claim anything. This only rejects values that cannot be printed or multiplied.
    fileprivate func validate() throws(ImpossibleResult) {
        let times =
            [duration, declaredDuration ?? 0] + video.flatMap { [$0.start, $0.end] }
            + audio.flatMap { [$0.start, $0.end] }
        let sizes = video.flatMap { [$0.codedSize, $0.displaySize] }
        let counts = video.flatMap { [$0.frameCount, $0.keyFrameCount] }
        try expect(
            size >= 0 && times.allSatisfy { abs($0) <= 1e15 } && counts.allSatisfy(Bounds.counts.contains)
                && sizes.allSatisfy { (0...1 << 30).contains($0.width) && (0...1 << 30).contains($0.height) }
                && video.count + audio.count + subtitles.count + otherStreams.count <= 10_000
                && warnings.count <= 1000 && warnings.reduce(0) { $0 + $1.description.utf8.count } <= 1 << 20,
            "its description of the source is out of range")
    }
}

extension Plan {
    fileprivate func validate(for request: TaskSpec.PlanRequest) throws(ImpossibleResult) {
        try expect(version == Self.currentVersion, "its plan is of version \(version)")
        try expect(source == request.source, "its plan is of another source")
        try expect(settings == request.settings, "its plan has other settings")
        try expect(protection == request.protection, "its plan has other keys")
        try expect(video != nil || !audio.isEmpty, "its plan has neither video nor audio")
        try expect(
            abs(origin.doubleValue) <= 1e12 && prediction.bytes >= 0 && prediction.cpuSeconds >= 0
                && prediction.cpuSeconds <= 1e15, "the start or cost of its plan is out of range")
        try video?.validate(settings)
        try validateChunks()
        try validateCorrections()
        try validateParts()
        for track in audio { try track.validate() }
        let storyboard = video.flatMap(ImagePlan.init(storyboardOf:))
        try expect(
            (images ?? []).count <= 1 && (images ?? []).allSatisfy { $0 == storyboard },
            "the storyboard of its plan does not follow from its video")
        for track in text ?? [] { try track.validate() }
        try validateRenditions()
    }

    private func validateCorrections() throws(ImpossibleResult) {
        let corrections = corrections ?? [:]
        try expect(corrections.count <= Bounds.renditions, "its plan corrects \(corrections.count) streams")
        for (stream, list) in corrections {
            let isAscending = zip(list, list.dropFirst()).allSatisfy { $0.packet < $1.packet }
            try expect(
                list.count <= Bounds.corrections && isAscending
                    && list.allSatisfy { Bounds.counts.contains($0.packet) },
                "the corrections of stream \(stream) in its plan are invalid")
        }
    }

    private func validateParts() throws(ImpossibleResult) {
        guard let parts else { return }
        let offsets = parts.files.map(\.offset)
        let indexes = parts.files.map(\.firstStream) + parts.continuedTracks.flatMap { [$0.key, $0.value] }
        func isAscending(_ values: [Int64]) -> Bool { zip(values, values.dropFirst()).allSatisfy { $0 < $1 } }
        try expect(
            offsets.first == 0 && offsets.count <= Bounds.corrections && isAscending(offsets)
                && parts.boundaries.count <= Bounds.corrections && isAscending(parts.boundaries)
                && (offsets + parts.boundaries).allSatisfy { (0...source.size).contains($0) }
                && parts.continuedTracks.count <= Bounds.corrections
                && parts.continuedTracks.values.allSatisfy { parts.continuedTracks[$0] == nil }
                && indexes.allSatisfy(Bounds.counts.contains),
            "the parts of the source in its plan are invalid")
    }

    /// What holds for renditions of all kinds.
    private func validateRenditions() throws(ImpossibleResult) {
        let renditions = renditions
        for kind in RenditionKind.allCases {
            let names = renditions.filter { $0.kind == kind }.map(\.id)
            try expect(
                names.count <= Bounds.renditions && Set(names).count == names.count,
                "its plan has \(names.count) renditions of \(kind.rawValue)")
        }
        for rendition in renditions {
            try expect(
                rendition.id.isPlainWord && rendition.segmentCount <= Bounds.segments
                    && Bounds.seconds.contains(rendition.duration.doubleValue) && rendition.hasPlainNames,
                "the rendition \(rendition.id.prefix(40).debugDescription) of its plan is invalid")
        }
    }

    /// Checks that every wave makes every segment once, in order.
    private func validateChunks() throws(ImpossibleResult) {
        try expect(chunks.count <= Bounds.chunks, "its plan has \(chunks.count) chunks")
        let count = video?.grid.segmentCount ?? 0
        let waveCount = video?.waveCount ?? 1
        var (wave, next) = (0, 0)
        for (index, chunk) in chunks.enumerated() {
            if chunk.wave == wave + 1, next == count { (wave, next) = (chunk.wave, 0) }
            try expect(
                chunk.index == index && chunk.wave == wave && chunk.segments.lowerBound == next
                    && !chunk.segments.isEmpty,
                "chunk \(index) of its plan has the segments \(chunk.segments) of wave \(chunk.wave)")
            next = chunk.segments.upperBound
        }
        try expect(
            next == count && wave == waveCount - 1,
            "its plan makes \(next) of \(count) segments, in \(wave + 1) of \(waveCount) waves")
    }
}

extension VideoPlan {
    fileprivate func validate(_ settings: TranscodeSettings) throws(ImpossibleResult) {
        let rate = grid.frameRate.doubleValue
        try expect(rate >= 0.001 && rate <= 1000 && grid.frameCount > 0, "the frames of its plan are out of range")
        let own = SegmentGrid(
            frameRate: grid.frameRate, frameCount: grid.frameCount, segmentSeconds: settings.segmentSeconds)
        try expect(grid == own, "the segments of its plan do not follow from its frames")
        try expect(
            (0...grid.frameCount).contains(sourceFrameCount)
                && (1...Bounds.counts.upperBound).contains(segmentsPerEncoder)
                && [0, 90, 180, 270].contains(orientation.rotation)
                && Bounds.counts.contains(shownFrameCount ?? 0)
                && abs(Double(sortedTimeDelay ?? 0)) <= 1e15 && (0...10_000).contains(presentationDelay ?? 0)
                && source?.isPossible ?? true,
            "the frames of its plan are out of range")
        try expect(
            !rungs.isEmpty && decisions.count <= 1000, "its plan has \(rungs.count) rungs")
        for rung in rungs {
            try expect(
                rung.size.isPossible && (0..<rungs.count).contains(rung.wave) && [8, 10].contains(rung.bitDepth)
                    && (1...Bounds.counts.upperBound).contains(rung.segmentsPerEncoder ?? 1)
                    && (rung.dynamicRange == .sdr || hdr != nil) && Bounds.bytes.contains(rung.maxRate)
                    && Bounds.bytes.contains(rung.bufferSize) && (0...10_000).contains(rung.copyReorderDelay ?? 0)
                    && rung.laterAttempts == nil,
                "the rung \(rung.id.prefix(40).debugDescription) of its plan is invalid")
        }
    }
}

extension AudioPlan {
    fileprivate func validate() throws(ImpossibleResult) {
        var last = Rational.zero
        for boundary in segmentBoundaries {
            try expect(boundary > last, "the segments of a track of its plan are out of order")
            last = boundary
        }
        try expect(
            language.isPlainWord && (1...8).contains(channels) && (1...1 << 30).contains(bitRate)
                && Bounds.counts.contains(sampleCount) && (0...sampleCount).contains(sourceSampleCount ?? 0)
                && Bounds.counts.contains(presentationDelay ?? 0)
                && last.doubleValue <= 1e10 && laterAttempt == nil && loudness == nil
                && title?.utf8.count ?? 0 <= Bounds.title,
            "the track \(id.prefix(40).debugDescription) of its plan is invalid")
    }
}

extension TextPlan {
    fileprivate func validate() throws(ImpossibleResult) {
        var last = Rational.zero
        for boundary in segmentBoundaries {
            try expect(boundary > last, "the segments of a text track of its plan are out of order")
            last = boundary
        }
        let isSource: Bool
        switch source {
        case .stream(let index), .captions(let index, .cea608): isSource = Bounds.counts.contains(index)
        case .captions(let index, .cea708(let service)):
            isSource = Bounds.counts.contains(index) && (1...63).contains(service)
        // Only a whole job has such files.
        case .file: isSource = false
        }
        try expect(
            isSource && language.isPlainWord && last <= duration && laterAttempt == nil
                && (title?.utf8.count ?? 0) <= 10_000,
            "the text track \(id.prefix(40).debugDescription) of its plan is invalid")
    }
}
