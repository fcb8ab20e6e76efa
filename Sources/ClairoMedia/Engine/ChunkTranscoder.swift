internal import ClairoCore
internal import Foundation
internal import Libav

/// Makes the video segments of one run for the rungs of a wave. A single decode feeds all of them.
///
/// ```
/// caller's thread                          one thread per rung
/// demux ─► decode ─► conform ─┬─ queue ─► encode 1080 ─► segments ─► store
///                             └─ queue ─► encode  720 ─► …
/// ```
///
/// The queues are bounded, so the slowest encoder limits both throughput and memory use. A thread that fails abandons
/// the queues, which stops the others.
struct ChunkTranscoder {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let video: VideoPlan
    let sink: SegmentSink
    let control: JobControl
    /// Capacity of the queue before each encoder, in frames.
    static let queueLength = 4

    /// - Parameters:
    ///   - segments: Whole encoder runs that contain all missing segments.
    ///   - missing: The segments to make, by the index of the rung in the plan.
    func run(wave: Int, segments: Range<Int>, seek: Int64?, missing: [Int: Set<Int>], threads: Int32) throws {
        let grid = video.grid
        let encoded = video.rungs(ofWave: wave).filter { !video.rungs[$0].isCopy }
        guard !encoded.isEmpty, !segments.isEmpty else { return }
        let frames =
            grid.frames(ofSegment: segments.lowerBound)
            .lowerBound..<grid.frames(ofSegment: segments.upperBound - 1).upperBound
        let queues = encoded.map { _ in BoundedQueue<GridFrame>(capacity: Self.queueLength) }
        let workers = zip(encoded, queues).map { index, queue in
            let encoder = RungEncoder(
                rung: video.rungs[index], plan: plan, video: video, missing: missing[index] ?? [], sink: sink,
                control: control)
            // The largest rung is about half of the work in one thread, so it gets a core whenever it has a frame.
            let niceness: Int32 = index == encoded.first ? 0 : 5
            return WorkerThread(name: "encode-\(encoder.rung.id)", niceness: niceness) {
                do {
                    try encoder.run(queue)
                } catch {
                    queues.forEach { $0.abandon() }
                    throw error
                }
            }
        }
        // An encoder gets its whole run, even if some of its segments exist, so that its output bytes stay the same.
        let fed = encoded.map { index in
            Set((missing[index] ?? []).map { video.encoderRun(ofSegment: $0, rung: video.rungs[index]).lowerBound })
        }
        func isFed(_ position: Int, _ segment: Int) -> Bool {
            fed[position].contains(
                video.encoderRun(ofSegment: segment, rung: video.rungs[encoded[position]]).lowerBound)
        }
        let reader = FrameReader(source: source, limits: limits, plan: plan, video: video, control: control)
        let conformer = Conformer(plan: video, rungs: encoded.map { video.rungs[$0] })
        var failure: (any Error)?
        do {
            try reader.read(frames: frames, seek: seek, threads: threads) { decoded, range in
                let wanted = range.filter { index in
                    encoded.indices.contains { isFed($0, grid.segment(ofFrame: index)) }
                }
                guard !wanted.isEmpty else { return }
                let conformed = try control.clock.measure(.conform) { try conformer.conform(decoded) }
                for index in wanted {
                    let segment = grid.segment(ofFrame: index)
                    for position in encoded.indices where isFed(position, segment) {
                        guard queues[position].push(GridFrame(frame: conformed[position], index: index)) else {
                            throw StageStopped()
                        }
                    }
                }
            }
            queues.forEach { $0.finish() }
        } catch {
            queues.forEach { $0.abandon() }
            failure = error
        }
        // The error of an encoder thread is more specific than `StageStopped`.
        let workerFailures = workers.compactMap { $0.join() }
        if let error = workerFailures.first(where: { !($0 is StageStopped) && ($0 as? ClairoError) != .cancelled }) {
            throw error
        }
        if control.isCancelled { throw ClairoError.cancelled }
        if let failure { throw failure }
        if let error = workerFailures.first { throw error }
    }

    /// Another thread failed, and its error is reported.
    private struct StageStopped: Error {}
}
