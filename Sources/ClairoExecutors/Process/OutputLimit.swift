internal import ClairoCore

extension TaskSpec.Work {
    /// The maximum number of bytes that a task may write: four times what its plan implies, plus 64 MiB. Nil for work
    /// that makes its own plan.
    var outputLimit: Int64? {
        switch self {
        case .probe, .inspect, .plan, .verify: 0
        case .chunk(let plan, let index): Self.limit(plan.bytes(ofChunk: index))
        case .track(let plan, let index):
            // Text has a limit of its own, below that of other small files.
            Self.limit(plan.audio.indices.contains(index) ? plan.audio[index].bytes : 0)
        // The MP4 files contain the segments once more.
        case .finish(let request): Self.limit(request.segments.reduce(0) { $0 + Double($1.bytes) } * 2)
        case .transcode: nil
        }
    }

    /// The allowance for files that do not grow with the media: parameter sets, playlists, images.
    private static let least = 64.0 * 1024 * 1024

    private static func limit(_ bytes: Double) -> Int64 { Int64(min(bytes * 4 + least, 1e15)) }
}

extension Plan {
    /// The size of a chunk in bytes at the maximum rates of its encoders.
    fileprivate func bytes(ofChunk index: Int) -> Double {
        guard let video, let chunk = chunks.first(where: { $0.index == index }) else { return 0 }
        let grid = video.grid
        let frames = Double(chunk.segments.count) * Double(grid.segmentFrames)
        let seconds = frames / grid.frameRate.doubleValue
        return video.rungs.reduce(0) { sum, rung in
            // The first chunk copies the whole source track.
            if rung.isCopy { return index == 0 ? sum + Double(source.size) + Double(grid.frameCount) * perFrame : sum }
            return sum + (Double(rung.maxRate) * seconds + Double(rung.bufferSize)) / 8 + frames * perFrame
        }
    }

    /// Bytes of fragment metadata per frame.
    private var perFrame: Double { 64 }
}

extension AudioPlan {
    fileprivate var bytes: Double { Double(bitRate) * duration.doubleValue / 8 + Double(packetCount) * 64 }
}
