internal import ClairoCore
internal import Foundation
internal import Libav

/// A picture on its way to an encoder, with its frame number.
struct GridPicture: Sendable {
    var frame: Frame
    var index: Int
}

/// Encodes the frames of one rung and writes its segments.
///
/// A fresh encoder is opened for every run of `segmentsPerEncoder` segments and drained at its end, so their bytes depend on
/// their pictures and the plan alone. That is what lets any worker make any chunk, and a killed job go on where it
/// stopped with the same result.
struct RungEncoder {
    let rung: Rung
    let plan: Plan
    let video: VideoPlan
    /// Segments to write; the others of a run are encoded only because the encoder has to see them.
    let missing: Set<Int>
    let sink: SegmentSink
    let control: JobControl

    /// Takes pictures until the queue ends. Frames come in order; whole encoder runs may be missing between them.
    func run(_ queue: BoundedQueue<GridPicture>) throws {
        let grid = video.grid
        var encoder: Encoder?
        var initSegment: Data?
        var samples: [TimedSample] = []
        while let picture = queue.pop() {
            try control.checkCancellation()
            let segments = video.encoderRun(ofSegment: grid.segment(ofFrame: picture.index))
            if encoder == nil {
                guard picture.index == grid.frames(ofSegment: segments.lowerBound).lowerBound else {
                    throw ClairoError.defect("\(rung.name): frame \(picture.index) does not begin a run")
                }
                let opened = try control.clock.measure(.encode) { try open(first: picture.frame) }
                let description = try self.initSegment(of: opened)
                // Every encoder of a rung must have the same parameter sets.
                if initSegment == nil { try sink.write(initSegment: description, at: rung.initKey) }
                guard initSegment ?? description == description else {
                    throw ClairoError.defect("\(rung.name): the encoder's parameter sets changed between segments")
                }
                (encoder, initSegment) = (opened, description)
            }
            guard let current = encoder, let initSegment else { continue }
            try control.clock.measure(.encode) { try current.send(picture.frame, pts: Int64(picture.index)) }
            try collect(current, into: &samples, initSegment)
            if picture.index == grid.frames(ofSegment: segments.upperBound - 1).upperBound - 1 {
                try control.clock.measure(.encode) { try current.send(nil) }
                try collect(current, into: &samples, initSegment)
                guard samples.isEmpty else {
                    throw ClairoError.defect("\(rung.name): \(samples.count) pictures are left over")
                }
                encoder = nil
            }
        }
    }

    /// The last build of x264 that is known to have the error which `instructionSets` works around.
    private static let lastFaultyX264 = 164

    /// Up to build 164, the macroblock tree of x264 handles eight macroblocks at a time with AVX-512 and takes stale memory for
    /// those beyond the end of a row: the same frames give other bytes on the next run. Frames whose rows end in the middle of
    /// eight, such as 854x480 and 426x240, do without AVX-512.
    private static func instructionSets(width: Int) -> String {
        let macroblocks = (width + 15) / 16
        guard Processor.hasAVX512, X264.build ?? 0 <= lastFaultyX264, macroblocks % 8 != 0 else { return "" }
        return ":asm=MMX2,SSE2Fast,LZCNT,SSSE3,SSE4.2,AVX,FMA3,BMI2,AVX2"
    }

    private func open(first frame: Frame) throws -> Encoder {
        let rate = video.grid.frameRate
        let gop = video.grid.gopFrames
        return try Encoder(
            video: VideoEncoderSettings(
                encoder: "libx264", width: rung.size.width, height: rung.size.height,
                frameRate: Ratio(Int32(clamping: rate.num), Int32(clamping: rate.den)), gopFrames: gop,
                maxRate: rung.maxRate, bufferSize: rung.bufferSize,
                options: [
                    ("preset", plan.settings.preset), ("crf", String(plan.settings.quality)), ("profile", "high"),
                    (
                        "x264-params",
                        "scenecut=0:open-gop=0:min-keyint=\(gop)"
                            + ":rc-lookahead=\(CostModel.lookahead(plan.settings.preset, gopFrames: gop))"
                            + Self.instructionSets(width: rung.size.width)
                    ),
                ],
                threads: 1, colorPrimaries: Int32(video.color.primaries), colorTransfer: Int32(video.color.transfer),
                colorMatrix: Int32(video.color.matrix)),
            first: frame)
    }

    private func initSegment(of encoder: Encoder) throws -> Data {
        guard let configuration = H264.configuration(annexB: encoder.extradata) else {
            throw ClairoError.defect("\(rung.name): x264 gave no parameter sets")
        }
        let track = TrackDescription(
            media: .h264(size: rung.size, configuration: configuration, color: video.color),
            timescale: video.grid.timescale, language: "und",
            priming: Int64(encoder.reorderDelay) * video.grid.ticksPerFrame)
        return FragmentWriter.initSegment(track)
    }

    /// Takes what the encoder has finished. GOPs are closed, so a segment's pictures come one behind the other.
    private func collect(_ encoder: Encoder, into samples: inout [TimedSample], _ initSegment: Data) throws {
        while case .value(let packet) = try control.clock.measure(.encode, { try encoder.receive() }) {
            try control.checkCancellation()
            samples.append(
                TimedSample(
                    data: H264.sample(from: H264.nalUnits(annexB: packet.data)), frame: Int(packet.pts),
                    isSync: packet.isKey))
            let segment = video.grid.segment(ofFrame: samples[0].frame)
            if missing.contains(segment) { control.finishFrame() }
            guard samples.count == video.grid.frames(ofSegment: segment).count else { continue }
            if missing.contains(segment) {
                let bytes = try VideoSegment.bytes(
                    samples, segment: segment, grid: video.grid, reorderDelay: encoder.reorderDelay, name: rung.name)
                try sink.write(bytes, index: segment, of: rung, grid: video.grid, initSegment: initSegment)
            }
            samples.removeAll(keepingCapacity: true)
        }
    }
}

/// An access unit and the frame of the grid that it shows.
struct TimedSample {
    var data: Data
    var frame: Int
    var isSync: Bool
}

/// Lays out the access units of one video segment.
enum VideoSegment {
    /// - Parameters:
    ///   - samples: in decoding order, one for each frame of the segment.
    ///   - reorderDelay: frames that all presentation times are put off by, so that no composition offset is negative;
    ///     the edit list in the init segment takes them away again. Players that read negative offsets differ.
    static func bytes(
        _ samples: [TimedSample], segment: Int, grid: SegmentGrid, reorderDelay: Int, name: String
    ) throws(ClairoError) -> Data {
        let frames = grid.frames(ofSegment: segment)
        guard samples.count == frames.count, samples.first?.isSync == true else {
            throw .defect(
                "\(name): segment \(segment + 1) has \(samples.count) pictures instead of \(frames.count), or no IDR first"
            )
        }
        // Decoding times count up one frame a sample; what is shown later or earlier has a composition offset.
        var fragments: [[Sample]] = []
        for (position, sample) in samples.enumerated() {
            guard frames.contains(sample.frame) else {
                throw .defect("\(name): frame \(sample.frame) does not belong to segment \(segment + 1)")
            }
            let offset = Int64(sample.frame - frames.lowerBound - position + reorderDelay) * grid.ticksPerFrame
            guard offset >= 0 else { throw .defect("\(name): frame \(sample.frame) is shown before it is decoded") }
            let entry = Sample(
                data: sample.data, duration: UInt32(grid.ticksPerFrame), compositionOffset: Int32(offset),
                isSync: sample.isSync)
            if sample.isSync { fragments.append([entry]) } else { fragments[fragments.count - 1].append(entry) }
        }
        return FragmentWriter.segment(
            fragments: fragments, firstSequence: frames.lowerBound + 1,
            decodeTime: Int64(frames.lowerBound) * grid.ticksPerFrame
        )
    }
}
