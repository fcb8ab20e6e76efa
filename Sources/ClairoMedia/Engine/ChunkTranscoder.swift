internal import ClairoCore
internal import Foundation
internal import Libav

/// Makes the video segments of one run: one decode feeds every rung.
///
/// ```
/// caller's thread                          one thread per rung
/// demux ─► decode ─► conform ─┬─ queue ─► encode 1080 ─► segments ─► store
///                             └─ queue ─► encode  720 ─► …
/// ```
///
/// The queues are bounded, so the slowest encoder sets the pace and the memory. A stage that fails abandons its queue,
/// which stops the others.
struct ChunkTranscoder {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    let video: VideoPlan
    let sink: SegmentSink
    let control: JobControl
    /// Frames waiting before each encoder.
    static let queueLength = 4

    /// - Parameters:
    ///   - segments: whole encoder runs, in which every segment that some rung lacks lies.
    ///   - missing: for each rung of the plan (by position), the segments to make.
    func run(segments: Range<Int>, seek: Int64?, missing: [Int: Set<Int>], threads: Int32) throws {
        let grid = video.grid
        let encoded = video.rungs.indices.filter { !video.rungs[$0].isCopy }
        guard !encoded.isEmpty, !segments.isEmpty else { return }
        let frames =
            grid.frames(ofSegment: segments.lowerBound)
            .lowerBound..<grid.frames(ofSegment: segments.upperBound - 1).upperBound
        let queues = encoded.map { _ in BoundedQueue<GridFrame>(capacity: Self.queueLength) }
        let workers = zip(encoded, queues).map { index, queue in
            let encoder = RungEncoder(
                rung: video.rungs[index], plan: plan, video: video, missing: missing[index] ?? [], sink: sink,
                control: control)
            // The largest rung is about half of the work and one thread: whenever it has a frame it is to have a core.
            let niceness: Int32 = index == encoded.first ? 0 : 5
            return WorkerThread(name: "encode-\(encoder.rung.name)", niceness: niceness) {
                do {
                    try encoder.run(queue)
                } catch {
                    queues.forEach { $0.abandon() }
                    throw error
                }
            }
        }
        // An encoder is fed all of its run, even where some of the run's segments exist: only so its bytes are the same.
        let fed = encoded.map { index in
            Set((missing[index] ?? []).map { video.encoderRun(ofSegment: $0).lowerBound })
        }
        func isFed(_ position: Int, _ segment: Int) -> Bool {
            fed[position].contains(video.encoderRun(ofSegment: segment).lowerBound)
        }
        let reader = FrameReader(source: source, limits: limits, plan: plan, video: video, control: control)
        let conformer = Conformer(plan: video, sizes: encoded.map { video.rungs[$0].size })
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
        // A worker's own error says more than "another stage stopped".
        let workerFailures = workers.compactMap { $0.join() }
        if let error = workerFailures.first(where: { !($0 is StageStopped) && ($0 as? ClairoError) != .cancelled }) {
            throw error
        }
        if control.isCancelled { throw ClairoError.cancelled }
        if let failure { throw failure }
        if let error = workerFailures.first { throw error }
    }

    /// Another stage has failed and tells why itself.
    private struct StageStopped: Error {}
}
