internal import ClairoCore
internal import Foundation
internal import Libav

/// Makes the sheets of a storyboard from the frames of its tiles.
///
/// Not Sendable: one thread at a time.
final class Storyboard {
    /// The quality of the sheets. At the size of a tile nobody sees the difference to a better one.
    private static let quality = [("qmin", "4"), ("qmax", "4")]

    private let plan: ImagePlan
    private let write: (_ sheet: Data, _ index: Int) throws -> Void
    /// Scales frames and puts each next to the one before. It is opened with the first frame.
    private var graph: FilterGraph?
    private var tiles = 0
    private var sheets = 0

    /// - Parameter write: Receives each sheet with its index.
    init(_ plan: ImagePlan, write: @escaping (_ sheet: Data, _ index: Int) throws -> Void) {
        self.plan = plan
        self.write = write
    }

    /// Adds the frame of the next tile.
    func add(_ frame: Frame) throws {
        let graph = try graph ?? open(like: frame)
        self.graph = graph
        try graph.push(frame, pts: Int64(tiles))
        tiles += 1
        try takeSheets(from: graph)
    }

    /// Writes the last sheet.
    /// - Throws: `defect` if there were fewer frames than tiles.
    func finish() throws {
        if let graph {
            try graph.push(nil)
            try takeSheets(from: graph)
        }
        guard tiles == plan.tileCount, sheets == plan.sheetCount else {
            throw ClairoError.defect("The storyboard has \(tiles) tiles instead of \(plan.tileCount)")
        }
    }

    private func open(like frame: Frame) throws -> FilterGraph {
        let filters = StillImage.filters(for: frame, size: plan.tile, format: .jpeg)
        return try FilterGraph(
            video: "[in]\(filters),tile=layout=\(plan.columns)x\(plan.rows):color=black[out0]", like: frame,
            timeBase: Ratio(1, 25), outputs: 1)
    }

    private func takeSheets(from graph: FilterGraph) throws {
        while case .value(let sheet) = try graph.pull() {
            try write(StillImage.encode(sheet, .jpeg, options: Self.quality), sheets)
            sheets += 1
        }
    }
}
