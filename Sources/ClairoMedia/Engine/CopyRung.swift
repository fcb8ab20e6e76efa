internal import ClairoCore
internal import Foundation
internal import Libav

/// Writes the segments of copied rungs: it demuxes, regroups and muxes the source's coded pictures without decoding.
enum CopyRung {
    /// - Parameters:
    ///   - missing: The segments to make, by the index of the rung in the plan.
    ///   - countsFrames: Whether its frames are part of the job's progress.
    /// - Throws: `CopyFailure` if the source's coded pictures cannot be copied.
    static func writeMissing(
        plan: Plan, video: VideoPlan, missing: [Int: Set<Int>], source: any ByteSource, limits: InputLimits,
        sink: SegmentSink, control: JobControl, countsFrames: Bool = true
    ) throws {
        for (index, rung) in video.rungs.enumerated() {
            guard let ownDelay = rung.copyReorderDelay, let wanted = missing[index], !wanted.isEmpty else { continue }
            let delay = video.presentationDelay ?? ownDelay
            let demuxer = try Demuxer.open(source, limits: limits, interrupt: control.interrupt)
            demuxer.select(streams: [video.streamIndex])
            guard let stream = demuxer.streams.first(where: { $0.index == video.streamIndex }),
                var format = rung.codec.coding.copyFormat(record: Data(stream.extradata))
            else { throw CopyFailure(reason: "its container has no \(rung.codec.coding.configurationBox) record") }
            var initSegment = Data()
            let timeBase = Rational(stream.timeBase)
            var samples: [TimedSample] = []
            var segment = 0
            while let packet = try demuxer.read() {
                try control.checkCancellation()
                guard packet.streamIndex == video.streamIndex else { continue }
                if initSegment.isEmpty {
                    format = format.corrected(by: packet.data)
                    initSegment = FragmentWriter.initSegment(
                        TrackDescription(
                            rung, of: video, configuration: format.configuration,
                            priming: Int64(delay) * video.grid.ticksPerFrame))
                    try sink.write(initSegment: initSegment, at: rung.initKey)
                }
                guard let pts = packet.pts, let picture = format.picture(packet.data) else {
                    throw CopyFailure(reason: "its samples are damaged")
                }
                let frame = video.grid.frame(at: Rational(pts) * timeBase, origin: plan.origin)
                samples.append(TimedSample(data: picture.sample, frame: frame, isSync: picture.isKeyFrame))
                if countsFrames, wanted.contains(segment) { control.finishFrame() }
                guard samples.count == video.grid.frames(ofSegment: segment).count else { continue }
                if wanted.contains(segment) {
                    let bytes = try VideoSegment.bytes(
                        samples, segment: segment, grid: video.grid, delay: delay, name: rung.id)
                    try sink.write(bytes, index: segment, of: PlannedRung(rung, of: video), initSegment: initSegment)
                }
                samples.removeAll(keepingCapacity: true)
                segment += 1
                if segment == video.grid.segmentCount { break }
            }
            guard segment == video.grid.segmentCount else {
                throw CopyFailure(reason: "it has fewer frames than its container declares")
            }
        }
    }

    /// Makes and decodes all segments of a plan's copied rungs, and keeps none of them.
    /// - Returns: Why the rungs cannot be published, as a clause about the source's video; nil if they can. The same
    ///   source always gives the same answer.
    static func problem(
        of plan: Plan, source: any ByteSource, limits: InputLimits, control: JobControl
    ) throws -> String? {
        guard let video = plan.video, video.rungs.contains(where: \.isCopy) else { return nil }
        // The source is decoded once for each, which may take long.
        control.plan(
            frames: video.grid.frameCount * video.rungs.count(where: \.isCopy), resumed: 0,
            duration: plan.duration.doubleValue)
        defer { control.plan(frames: 0, resumed: 0, duration: 0) }
        let problem: String?
        do {
            try writeMissing(
                plan: plan, video: video, missing: video.allSegments, source: source, limits: limits,
                sink: SegmentSink(store: NoStore(), manner: .sharing, control: control, countsDecoded: true),
                control: control, countsFrames: false)
            problem = nil
        } catch let failure as CopyFailure {
            problem = failure.reason
        } catch let unverified as UnverifiedSegment {
            problem = "its segment \(unverified.index + 1) cannot be verified: \(unverified.problem)"
        } catch let error as ClairoError where error.kind == .defect {
            problem = error.message
        } catch let error as AVError where ![AVError.outOfMemory, .inputOutput].contains(error) {
            problem = "one of its segments cannot be decoded"
        }
        // An interrupted source looks like a damaged one.
        try control.checkCancellation()
        return problem
    }
}

/// Why coded pictures cannot be copied.
struct CopyFailure: Error {
    /// A clause about the source's video, without a full stop.
    var reason: String
}

extension VideoPlan {
    /// All segments by the index of their rung.
    var allSegments: [Int: Set<Int>] {
        Dictionary(uniqueKeysWithValues: rungs.indices.map { ($0, Set(0..<grid.segmentCount)) })
    }
}

/// Discards what is written.
private struct NoStore: ObjectStore {
    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {}
    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        try body { (_: Data) throws(ClairoError) in }
    }
    func get(_ key: ObjectKey) throws(ClairoError) -> Data { throw .noInput("\(key) does not exist") }
    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource { throw .noInput("\(key) does not exist") }
    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? { nil }
    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] { [] }
    func delete(_ key: ObjectKey) throws(ClairoError) {}
}
