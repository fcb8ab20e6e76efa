internal import ClairoCore
internal import Libav

/// Converts decoded frames to the encoders' input format: upright, square pixels, limited range, 4:2:0, in the size,
/// range and depth of each rung. Each rung is scaled from the one above it; rungs of the same format share a frame.
///
/// If the source changes its format midway, the filter graphs are rebuilt for the new one (`FrameConversion`).
final class Conformer {
    /// A filter graph for the rungs of one range and depth.
    private struct Branch {
        let look: OutputLook
        /// From the largest to the smallest.
        var sizes: [FrameSize] = []
        var graph: FilterGraph?

        func outputs(of frame: Frame) throws -> [Frame] {
            guard let graph else { return [] }
            try graph.push(frame, pts: 0)
            return try sizes.indices.map { index in
                guard case .value(let output) = try graph.pull(output: index) else {
                    throw ClairoError.defect("The scaler gave no frame for size \(sizes[index])")
                }
                return output
            }
        }
    }

    private let plan: VideoPlan
    private var branches: [Branch] = []
    /// For each rung, its branch and its output there.
    private var places: [(branch: Int, output: Int)] = []
    private var shape: FrameShape?

    /// - Parameter rungs: The rungs to make, from the largest to the smallest in each range.
    init(plan: VideoPlan, rungs: [Rung]) {
        self.plan = plan
        for rung in rungs {
            let look = OutputLook(rung)
            let branch = branches.firstIndex { $0.look == look } ?? branches.count
            if branch == branches.count { branches.append(Branch(look: look)) }
            let output = branches[branch].sizes.firstIndex(of: rung.size) ?? branches[branch].sizes.count
            if output == branches[branch].sizes.count { branches[branch].sizes.append(rung.size) }
            places.append((branch, output))
        }
    }

    /// Returns one frame for each rung.
    func conform(_ frame: Frame) throws -> [Frame] {
        let current = FrameShape(frame)
        if current != shape {
            for index in branches.indices {
                let (sizes, look) = (branches[index].sizes, branches[index].look)
                branches[index].graph = try FilterGraph(
                    video: FrameConversion(shape: current, plan: plan, sizes: sizes, look: look).description,
                    like: frame, timeBase: Ratio(1, 1_000_000), outputs: sizes.count)
            }
            shape = current
        }
        let frames = try branches.map { try $0.outputs(of: frame) }
        return places.map { frames[$0.branch][$0.output] }
    }
}
