internal import ClairoCore

/// Counts the frames of one run of the decoder by the segments of the output that they begin in.
struct RunCounts {
    private let grid: SegmentGrid
    private let frames: Range<Int>
    private let control: JobControl
    private var counts: [Int: SegmentCounts] = [:]
    /// The errors so far, and the first segment whose counts may still change.
    private var errors = 0
    private var open: Int

    /// - Parameter frames: The output frames of the run. Source frames before or after them do not count.
    init(frames: Range<Int>, grid: SegmentGrid, control: JobControl) {
        self.grid = grid
        self.frames = frames
        self.control = control
        open = grid.segment(ofFrame: frames.lowerBound)
    }

    /// Counts a decoded frame.
    mutating func countDecoded(at position: Int) {
        if frames.contains(position) { change(position) { $0.decoded += 1 } }
    }

    /// Counts a frame that is shown for the first time.
    mutating func countShown(at position: Int) { change(position) { $0.shown += 1 } }

    /// Counts the errors since the last call.
    /// - Parameters:
    ///   - total: All errors of the run so far.
    ///   - position: The position after the last decoded frame. Errors before the run or after it are those of other
    ///     runs.
    mutating func countErrors(_ total: Int, at position: Int) {
        let new = total - errors
        guard new > 0 else { return }
        errors = total
        let isLast = frames.upperBound == grid.frameCount && position >= frames.upperBound
        if frames.contains(position) || isLast { change(position) { $0.errors += new } }
    }

    /// Passes on the counts of the segments before a position, which do not change any more.
    mutating func close(before position: Int) {
        let end = grid.segment(ofFrame: min(max(position, frames.lowerBound), frames.upperBound - 1))
        guard end > open else { return }
        for segment in open..<end { control.count(counts[segment] ?? SegmentCounts(segment: segment)) }
        open = end
    }

    /// Passes on all counts.
    mutating func closeAll() {
        guard !frames.isEmpty else { return }
        close(before: frames.upperBound)
        control.count(counts[open] ?? SegmentCounts(segment: open))
    }

    private mutating func change(_ position: Int, _ body: (inout SegmentCounts) -> Void) {
        guard !frames.isEmpty else { return }
        let segment = grid.segment(ofFrame: min(max(position, frames.lowerBound), frames.upperBound - 1))
        body(&counts[segment, default: SegmentCounts(segment: segment)])
    }
}
