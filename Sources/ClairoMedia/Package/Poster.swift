internal import ClairoCore
internal import Foundation
internal import Libav

/// Makes the poster from a frame of the largest rung in SDR.
struct Poster {
    /// A larger poster has no benefit on a web page.
    static let maxWidth = 1280

    /// The candidates are key frames at equal distances, at most this many.
    static let maxCandidates = 100

    let plan: Plan
    let video: VideoPlan
    let store: any ObjectStore
    let control: JobControl

    /// A frame of which a poster could be made.
    struct Candidate {
        /// Its index on the output grid.
        var index: Int
        var score: PictureScore

        /// The better one; of two that are equally good, the earlier.
        static func better(_ a: Candidate?, _ b: Candidate) -> Candidate {
            guard let a else { return b }
            return (b.score.value, -b.index) > (a.score.value, -a.index) ? b : a
        }
    }

    /// The poster's frame if the settings name one. A time after the end gives the last frame.
    var chosenFrame: Int? {
        plan.settings.posterAt.map { min(Int(($0 * video.grid.frameRate).floor), video.grid.frameCount - 1) }
    }

    /// The candidates.
    var candidates: [Int] {
        guard chosenFrame == nil else { return [] }
        let distance = video.grid.gopFrames * video.grid.gopsPerPicture(atMost: Self.maxCandidates)
        return Array(stride(from: 0, to: video.grid.frameCount, by: distance))
    }

    /// The size of the poster: the rung's, or smaller in the same shape.
    static func size(of rung: FrameSize) -> FrameSize {
        let width = min(rung.width, maxWidth)
        return FrameSize(width: width, height: max(2, rung.height * width / max(rung.width, 1) / 2 * 2))
    }

    /// - Parameter best: The best of the candidates; nil if there is none.
    /// - Returns: The files with their keys: JPEG, and WebP if libav can encode it.
    func make(best: Candidate?) throws -> [(key: ObjectKey, data: Data)] {
        guard let rung = video.largestSDRRung else { return [] }
        let index: Int
        if let chosenFrame {
            index = chosenFrame
        } else if let best, !best.score.isPlain {
            index = best.index
        } else {
            // All key frames are black or plain. Something may be seen between them.
            index = try searchBetweenKeyFrames(best: best)?.index ?? 0
        }
        guard let frame = try frame(index, of: rung) else {
            throw ClairoError.defect("\(rung.folder): frame \(index) cannot be decoded for the poster")
        }
        let size = Self.size(of: FrameSize(width: frame.width, height: frame.height))
        var files: [(key: ObjectKey, data: Data)] = []
        for (format, key, options) in Self.formats where format.isAvailable {
            let picture = try StillImage.convert(frame, size: size, format: format)
            files.append((key, try StillImage.encode(picture, format, options: options)))
        }
        return files
    }

    private static let formats: [(StillImage.Format, ObjectKey, [(String, String)])] = [
        (.jpeg, OutputLayout.poster, [("qmin", "2"), ("qmax", "4")]),
        (.webP, OutputLayout.posterWebP, [("quality", "85"), ("preset", "photo")]),
    ]

    // MARK: Frames

    /// Decodes a frame of a rung, from the key frame before it.
    private func frame(_ index: Int, of rung: Rung) throws -> Frame? {
        var last: Frame?
        try decode(rung, segment: video.grid.segment(ofFrame: index), from: index) { frame, position in
            if position <= index { last = frame }
            return position < index
        }
        return last
    }

    /// Looks at a few frames of every second in some segments of the smallest rung. A video of up to a minute is
    /// searched completely, and a longer one is probably black everywhere.
    private func searchBetweenKeyFrames(best: Candidate?) throws -> Candidate? {
        guard let rung = video.smallestSDRRung else { return best }
        let step = max(1, Int(video.grid.frameRate.doubleValue / 5))
        let count = video.grid.segmentCount
        var best = best
        for segment in stride(from: 0, to: count, by: max(1, (count + 9) / 10)) {
            let first = video.grid.frames(ofSegment: segment).lowerBound
            try decode(rung, segment: segment, from: first) { frame, position in
                if (position - first) % step == 0 {
                    best = Candidate.better(best, Candidate(index: position, score: try PictureScore(frame)))
                }
                return true
            }
        }
        return best
    }

    /// Decodes a segment from the last key frame at or before `start`, until `body` returns false. It receives each
    /// frame with its index.
    private func decode(
        _ rung: Rung, segment: Int, from start: Int, _ body: (Frame, Int) throws -> Bool
    ) throws {
        try control.checkCancellation()
        let initSegment = try ProtectedLayout.plainInitSegment(store.get(rung.initKey))
        let bytes = InMemoryBytes(initSegment + (try store.get(rung.segmentKey(segment))))
        let demuxer = try Demuxer(bytes, options: InputLimits().demuxerOptions, interrupt: control.interrupt)
        let decoder = try demuxer.makeDecoder(stream: 0)
        let unit = Rational(decoder.timeBase) * video.grid.frameRate
        func take() throws -> Bool {
            while case .value(let frame) = try decoder.receive() {
                try control.noteLongStep()
                guard try body(frame, Int((Rational(frame.pts ?? 0) * unit).rounded)) else { return false }
            }
            return true
        }
        var packets: [Packet] = []
        while let packet = try demuxer.read() {
            let isStart = packet.isKey && (Rational(packet.pts ?? 0) * unit).rounded <= start
            if isStart { packets.removeAll() }
            packets.append(packet)
        }
        for packet in packets {
            try decoder.send(packet)
            guard try take() else { return }
        }
        try decoder.send(nil)
        _ = try take()
    }
}
