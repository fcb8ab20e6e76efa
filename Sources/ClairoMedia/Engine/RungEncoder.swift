internal import ClairoCore
internal import Foundation
internal import Libav

/// A conformed frame on its way to an encoder, with its number on the grid.
struct GridFrame: Sendable {
    var frame: Frame
    var index: Int
}

/// Encodes the frames of one rung and writes its segments.
///
/// A fresh encoder is opened for every run of `segmentsPerEncoder` segments and drained at its end, so their bytes depend on
/// their frames and the plan alone. That is what lets any worker make any chunk, and a killed job go on where it
/// stopped with the same result.
struct RungEncoder {
    let rung: Rung
    let plan: Plan
    let video: VideoPlan
    /// Segments to write; the others of a run are encoded only because the encoder has to see them.
    let missing: Set<Int>
    let sink: SegmentSink
    let control: JobControl

    /// Takes frames until the queue ends. They come in order; whole encoder runs may be missing between them.
    func run(_ queue: BoundedQueue<GridFrame>) throws {
        let grid = video.grid
        var encoder: Encoder?
        var initSegment: Data?
        var samples: [TimedSample] = []
        while let next = queue.pop() {
            try control.checkCancellation()
            let segments = video.encoderRun(ofSegment: grid.segment(ofFrame: next.index))
            if encoder == nil {
                guard next.index == grid.frames(ofSegment: segments.lowerBound).lowerBound else {
                    throw ClairoError.defect("\(rung.name): frame \(next.index) does not begin a run")
                }
                let opened = try control.clock.measure(.encode) {
                    try H264.openEncoder(rung, of: video, settings: plan.settings, first: next.frame)
                }
                let description = try H264.initSegment(of: opened, rung, of: video)
                // Every encoder of a rung must have the same parameter sets.
                if initSegment == nil { try sink.write(initSegment: description, at: rung.initKey) }
                guard initSegment ?? description == description else {
                    throw ClairoError.defect("\(rung.name): the encoder's parameter sets changed between segments")
                }
                (encoder, initSegment) = (opened, description)
            }
            guard let current = encoder, let initSegment else { continue }
            try control.clock.measure(.encode) { try current.send(next.frame, pts: Int64(next.index)) }
            try collect(current, into: &samples, initSegment)
            if next.index == grid.frames(ofSegment: segments.upperBound - 1).upperBound - 1 {
                try control.clock.measure(.encode) { try current.send(nil) }
                try collect(current, into: &samples, initSegment)
                guard samples.isEmpty else {
                    throw ClairoError.defect("\(rung.name): \(samples.count) frames are left over")
                }
                encoder = nil
            }
        }
    }

    /// Takes what the encoder has finished. GOPs are closed, so a segment's coded pictures come one behind the other.
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
                try sink.write(bytes, index: segment, of: PlannedRung(rung, of: video), initSegment: initSegment)
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
                "\(name): segment \(segment + 1) has \(samples.count) frames instead of \(frames.count), or no IDR first"
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
