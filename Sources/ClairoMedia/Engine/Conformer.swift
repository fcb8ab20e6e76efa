internal import ClairoCore
internal import Libav

/// Converts decoded frames to the encoders' input format: upright, square pixels, SDR, limited range, 8-bit 4:2:0, in
/// the size of each rung. Each rung is scaled from the one above it.
///
/// If the source changes its format midway, the filter graph is rebuilt for the new one (`FrameConversion`).
final class Conformer {
    private let plan: VideoPlan
    private let sizes: [FrameSize]
    private var graph: FilterGraph?
    private var shape: FrameShape?

    /// - Parameter sizes: The sizes of the rungs to make, from the largest to the smallest.
    init(plan: VideoPlan, sizes: [FrameSize]) {
        self.plan = plan
        self.sizes = sizes
    }

    /// Returns one frame for each rung.
    func conform(_ frame: Frame) throws -> [Frame] {
        let current = FrameShape(frame)
        if current != shape {
            graph = try FilterGraph(
                video: FrameConversion(shape: current, plan: plan, sizes: sizes).description, like: frame,
                timeBase: Ratio(1, 1_000_000), outputs: sizes.count)
            shape = current
        }
        guard let graph else { return [] }
        try graph.push(frame, pts: 0)
        return try sizes.indices.map { index in
            guard case .value(let output) = try graph.pull(output: index) else {
                throw ClairoError.defect("The scaler gave no frame for rung \(index)")
            }
            return output
        }
    }
}
