internal import ClairoCore
internal import Foundation
internal import Libav

/// Makes the pictures of an output, the storyboard and the poster, while the packager reads the segments.
///
/// Both look at key frames of the smallest rung in SDR, which are decoded once. The poster's frame is then decoded in
/// the largest rung. Not Sendable: one thread at a time.
final class ImageMaker {
    /// A file and its key.
    typealias File = (key: ObjectKey, data: Data)

    /// The rung whose segments it needs.
    let rung: Rung
    private let video: VideoPlan
    private let plan: ImagePlan?
    private let poster: Poster
    private let wanted: [Int]
    private let control: JobControl
    private var best: Poster.Candidate?
    private var sheets: [Data] = []
    private var storyboard: Storyboard?
    private var reader: KeyFrameReader?

    /// Nil if the plan has no video in SDR.
    init?(_ plan: Plan, store: any ObjectStore, control: JobControl) {
        guard let video = plan.video, let rung = video.smallestSDRRung, video.grid.frameCount > 0 else { return nil }
        self.rung = rung
        self.video = video
        self.control = control
        let image = plan.images?.first
        self.plan = image
        poster = Poster(plan: plan, video: video, store: store, control: control)
        let tiles = image.map { image in (0..<image.tileCount).map(image.frame(ofTile:)) } ?? []
        wanted = Set(tiles).union(poster.candidates).sorted()
    }

    /// Looks at a segment of the rung. Segments come in order.
    func add(initSegment: Data, segment: Data, index: Int) throws {
        let frames = video.grid.frames(ofSegment: index)
        try openReader().read(
            InMemoryBytes(initSegment + segment), wanted: wanted.filter { frames.contains($0) })
    }

    /// Finishes the pictures after the last segment of all rungs.
    /// - Returns: The storyboard if there is one, and all files but its playlist.
    func finish() throws -> (storyboard: ImageRendition?, files: [File]) {
        try reader?.finish()
        try storyboard?.finish()
        var files = try poster.make(best: best)
        guard let plan else { return (nil, files) }
        files += zip(plan.sheetKeys, sheets).map { (key: $0, data: $1) }
        files.append((plan.trackKey, Data(StoryboardTrack.text(of: plan).utf8)))
        return (ImageRendition(plan: plan, sheetBytes: sheets.map(\.count)), files)
    }

    private func openReader() -> KeyFrameReader {
        if let reader { return reader }
        if let plan { storyboard = Storyboard(plan) { [unowned self] sheet, _ in sheets.append(sheet) } }
        let candidates = Set(poster.candidates)
        let opened = KeyFrameReader(frameRate: video.grid.frameRate, interrupt: control.interrupt) {
            [unowned self] picture in
            try control.noteLongStep()
            if !candidates.isDisjoint(with: picture.wanted) {
                best = Poster.Candidate.better(
                    best, Poster.Candidate(index: picture.index, score: try PictureScore(picture.frame)))
            }
            for frame in picture.wanted where plan.map({ frame % $0.framesPerTile == 0 }) ?? false {
                try storyboard?.add(picture.frame)
            }
        }
        reader = opened
        return opened
    }
}
