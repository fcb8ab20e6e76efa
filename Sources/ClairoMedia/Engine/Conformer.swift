internal import ClairoCore
internal import Libav

/// Converts decoded frames to the encoders' input format: upright, square pixels, SDR, limited range, 8-bit 4:2:0, in
/// the size of each rung. Each rung is scaled from the one above it.
///
/// If the source changes its format midway, the filter graph is rebuilt.
final class Conformer {
    private let plan: VideoPlan
    private let sizes: [FrameSize]
    private var graph: FilterGraph?
    private var shape: Shape?

    private struct Shape: Equatable {
        var width: Int
        var height: Int
        var format: Int32
        var isFullRange: Bool
        var transfer: Int32
        var matrix: Int32

        init(_ frame: Frame) {
            width = frame.width
            height = frame.height
            format = frame.format
            isFullRange = frame.isFullRange
            transfer = frame.colorTransfer
            matrix = frame.colorMatrix
        }
    }

    /// - Parameter sizes: The sizes of the rungs to make, from the largest to the smallest.
    init(plan: VideoPlan, sizes: [FrameSize]) {
        self.plan = plan
        self.sizes = sizes
    }

    /// Returns one frame for each rung.
    func conform(_ frame: Frame) throws -> [Frame] {
        let current = Shape(frame)
        if current != shape {
            graph = try FilterGraph(
                video: description(for: frame), like: frame, timeBase: Ratio(1, 1_000_000), outputs: sizes.count)
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

    private func description(for frame: Frame) -> String {
        var filters: [String] = []
        if plan.toneMap {
            // Scale first: tone mapping works in linear light with floating point, which is expensive. 203 nits is the
            // reference white of ITU-R BT.2408.
            let first = turnedBack(sizes[0])
            let transfer = plan.dynamicRange == .hlg ? "arib-std-b67" : "smpte2084"
            filters += [
                "zscale=w=\(first.width):h=\(first.height):tin=\(transfer):pin=2020:min=2020_ncl:t=linear:npl=203",
                "format=gbrpf32le", "zscale=p=709", "tonemap=tonemap=mobius:desat=0",
                "zscale=t=709:m=709:r=limited", "format=yuv420p",
            ]
        }
        if plan.orientation.isMirrored { filters.append("hflip") }
        switch plan.orientation.rotation {
        case 90: filters.append("transpose=clock")
        case 180: filters += ["hflip", "vflip"]
        case 270: filters.append("transpose=cclock")
        default: break
        }
        let needsRange = frame.isFullRange && !plan.toneMap
        let range = needsRange ? ":in_range=pc:out_range=tv" : ""
        let matrix = isRGB(frame) ? ":out_color_matrix=\(plan.color.matrix == 1 ? "bt709" : "smpte170m")" : ""
        filters.append("\(scale(sizes[0]))\(range)\(matrix)")
        filters += ["format=yuv420p", "setsar=1"]
        var text = "[in]" + filters.joined(separator: ",")
        for index in sizes.indices.dropFirst() {
            // The frame of the rung above goes to its encoder and, by reference, to the next scaler.
            text += ",split[out\(index - 1)][c\(index)];[c\(index)]\(scale(sizes[index])),setsar=1"
        }
        return text + "[out\(sizes.count - 1)]"
    }

    private func scale(_ size: FrameSize) -> String { "scale=w=\(size.width):h=\(size.height):flags=bicubic" }

    /// The size before rotation.
    private func turnedBack(_ size: FrameSize) -> FrameSize {
        plan.orientation.swapsSides ? FrameSize(width: size.height, height: size.width) : size
    }

    private func isRGB(_ frame: Frame) -> Bool {
        ["rgb", "bgr", "gbr", "pal8", "argb", "abgr", "0rgb", "0bgr"].contains { frame.pixelFormatName.hasPrefix($0) }
    }
}
