internal import ClairoCore
internal import Foundation
internal import Libav

/// Writes the segments of copied rungs: it demuxes, regroups and muxes the source's coded pictures without decoding.
enum CopyRung {
    /// - Parameter missing: The segments to make, by the index of the rung in the plan.
    static func writeMissing(
        plan: Plan, video: VideoPlan, missing: [Int: Set<Int>], source: any ByteSource, limits: InputLimits,
        sink: SegmentSink, control: JobControl
    ) throws {
        for (index, rung) in video.rungs.enumerated() {
            guard let delay = rung.copyReorderDelay, let wanted = missing[index], !wanted.isEmpty else { continue }
            let demuxer = try Demuxer.open(source, limits: limits, interrupt: control.interrupt)
            demuxer.select(streams: [video.streamIndex])
            guard let stream = demuxer.streams.first(where: { $0.index == video.streamIndex }),
                let format = AVCFormat(record: Data(stream.extradata))
            else { throw ClairoError.defect("\(rung.name): the source has no avcC record any more") }
            let track = TrackDescription(
                media: .h264(size: rung.size, configuration: format.record, color: video.color),
                timescale: video.grid.timescale, language: "und", priming: Int64(delay) * video.grid.ticksPerFrame)
            let initSegment = FragmentWriter.initSegment(track)
            try sink.write(initSegment: initSegment, at: rung.initKey)

            let timeBase = Rational(stream.timeBase)
            var samples: [TimedSample] = []
            var segment = 0
            while let packet = try demuxer.read() {
                try control.checkCancellation()
                guard packet.streamIndex == video.streamIndex else { continue }
                guard let pts = packet.pts,
                    let units = H264.nalUnits(lengthPrefixed: packet.data, lengthSize: format.lengthSize)
                else { throw ClairoError.badMedia("\(plan.source.name): its samples are damaged") }
                let frame = video.grid.frame(at: Rational(pts) * timeBase, origin: plan.origin)
                samples.append(
                    TimedSample(
                        data: H264.sample(from: units), frame: frame,
                        isSync: units.contains { H264.type(of: $0) == H264.NALType.idr }))
                if wanted.contains(segment) { control.finishFrame() }
                guard samples.count == video.grid.frames(ofSegment: segment).count else { continue }
                if wanted.contains(segment) {
                    let bytes = try VideoSegment.bytes(
                        samples, segment: segment, grid: video.grid, reorderDelay: delay, name: rung.name)
                    try sink.write(bytes, index: segment, of: PlannedRung(rung, of: video), initSegment: initSegment)
                }
                samples.removeAll(keepingCapacity: true)
                segment += 1
                if segment == video.grid.segmentCount { break }
            }
            guard segment == video.grid.segmentCount else {
                throw ClairoError.badMedia("\(plan.source.name) has fewer frames than when it was planned")
            }
        }
    }
}
