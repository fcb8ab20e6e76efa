internal import ClairoCore
internal import Foundation
internal import Libav

/// A conformed frame for an encoder, with its index on the output grid.
struct GridFrame: Sendable {
    var frame: Frame
    var index: Int
}

/// Encodes the frames of one rung and writes its segments.
///
/// A new encoder is opened for every run of `segmentsPerEncoder` segments and drained at its end, so the bytes depend
/// only on the frames and the plan. Therefore any worker can make any chunk, and a killed job can continue with the
/// same result.
struct RungEncoder {
    let rung: Rung
    let plan: Plan
    let video: VideoPlan
    /// Segments to write. The others of a run are encoded only because the encoder needs their frames.
    let missing: Set<Int>
    let sink: SegmentSink
    let control: JobControl

    /// Encodes frames until the queue ends. Frames are in order; whole encoder runs may be missing between them.
    func run(_ queue: BoundedQueue<GridFrame>) throws {
        let grid = video.grid
        var encoder: Encoder?
        var initSegment: Data?
        var samples: [TimedSample] = []
        while let next = queue.pop() {
            try control.checkCancellation()
            let segments = video.encoderRun(ofSegment: grid.segment(ofFrame: next.index), rung: rung)
            if encoder == nil {
                guard next.index == grid.frames(ofSegment: segments.lowerBound).lowerBound else {
                    throw ClairoError.defect("\(rung.id): frame \(next.index) does not begin a run")
                }
                encoder = try control.clock.measure(.encode) {
                    try rung.codec.coding.openEncoder(rung, of: video, settings: plan.settings, first: next.frame)
                }
            }
            guard let current = encoder else { continue }
            try control.clock.measure(.encode) { try current.send(next.frame, pts: Int64(next.index)) }
            try collect(current, into: &samples, &initSegment)
            if next.index == grid.frames(ofSegment: segments.upperBound - 1).upperBound - 1 {
                try control.clock.measure(.encode) { try current.send(nil) }
                try collect(current, into: &samples, &initSegment)
                guard samples.isEmpty else {
                    throw ClairoError.defect("\(rung.id): \(samples.count) frames are left over")
                }
                encoder = nil
            }
        }
    }

    /// Receives finished access units. GOPs are closed, so the access units of a segment are consecutive.
    private func collect(_ encoder: Encoder, into samples: inout [TimedSample], _ initSegment: inout Data?) throws {
        while case .value(let packet) = try control.clock.measure(.encode, { try encoder.receive() }) {
            try control.checkCancellation()
            if packet.isKey { try write(initSegmentOf: encoder, packet.data, &initSegment) }
            samples.append(
                TimedSample(
                    data: rung.codec.coding.sample(packet: packet.data), frame: Int(packet.pts),
                    isSync: packet.isKey))
            let segment = video.grid.segment(ofFrame: samples[0].frame)
            if missing.contains(segment) { control.finishFrame() }
            guard samples.count == video.grid.frames(ofSegment: segment).count else { continue }
            if missing.contains(segment) {
                guard let initSegment else {
                    throw ClairoError.defect("\(rung.id): the encoder's first frame is no key frame")
                }
                let bytes = try VideoSegment.bytes(
                    samples, segment: segment, grid: video.grid,
                    delay: video.presentationDelay ?? rung.codec.coding.reorderDelay(of: encoder), name: rung.id)
                try sink.write(bytes, index: segment, of: PlannedRung(rung, of: video), initSegment: initSegment)
            }
            samples.removeAll(keepingCapacity: true)
        }
    }

    /// Writes the init segment with the first key frame. Those of all later ones must be the same.
    private func write(initSegmentOf encoder: Encoder, _ packet: Data, _ initSegment: inout Data?) throws {
        let description = try rung.codec.coding.initSegment(of: encoder, first: packet, rung, of: video)
        if initSegment == nil { try sink.write(initSegment: description, at: rung.initKey) }
        guard initSegment ?? description == description else {
            throw ClairoError.defect("\(rung.id): the encoder's parameter sets changed between segments")
        }
        initSegment = description
    }
}

/// An access unit and its frame on the output grid.
struct TimedSample {
    var data: Data
    var frame: Int
    var isSync: Bool
}

/// Lays out the access units of one video segment.
enum VideoSegment {
    /// - Parameters:
    ///   - samples: One access unit for each frame of the segment, in decoding order.
    ///   - delay: The number of frames that delay all presentation times, so that no composition offset is
    ///     negative, which players treat differently. The edit list in the init segment removes the delay.
    static func bytes(
        _ samples: [TimedSample], segment: Int, grid: SegmentGrid, delay: Int, name: String
    ) throws(ClairoError) -> Data {
        let frames = grid.frames(ofSegment: segment)
        guard samples.count == frames.count, samples.first?.isSync == true else {
            throw .defect(
                "\(name): segment \(segment + 1) has \(samples.count) frames instead of \(frames.count), or no IDR first"
            )
        }
        // Decoding times increase by one frame per sample; composition offsets express reordering.
        var fragments: [[Sample]] = []
        for (position, sample) in samples.enumerated() {
            guard frames.contains(sample.frame) else {
                throw .defect("\(name): frame \(sample.frame) does not belong to segment \(segment + 1)")
            }
            let offset = Int64(sample.frame - frames.lowerBound - position + delay) * grid.ticksPerFrame
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
