internal import ClairoCore
internal import Foundation

/// Decides how many chunks run at once, from cores and memory.
struct ResourceBudget {
    /// The memory limit in bytes.
    let memory: Int64

    /// One chunk uses about two cores, because its largest rung is half of the work and each rung has one thread.
    func jobs(asked: Int?, cores: Int, video: VideoPlan, source: FrameSize?, preset: String) -> Int {
        let byCores = asked ?? max(1, cores / 2)
        // Waves run one after the other.
        let perChunk =
            (0..<video.waveCount).map { wave in
                Self.chunkMemory(
                    rungs: video.rungs(ofWave: wave).map { video.rungs[$0] }, source: source, preset: preset,
                    gopFrames: video.grid.gopFrames)
            }.max() ?? 0
        let byMemory = Int(clamping: memory / max(perChunk, 1))
        return max(1, min(byCores, byMemory))
    }

    /// Estimates the memory of one chunk in bytes: the frames of its encoders, queues and decoder.
    static func chunkMemory(rungs: [Rung], source: FrameSize?, preset: String, gopFrames: Int) -> Int64 {
        let perPicture = 1.5
        let encoders = rungs.reduce(0.0) {
            let held = $1.codec.coding.heldFrames(preset, gopFrames: gopFrames) + Double(ChunkTranscoder.queueLength)
            return $0 + Double($1.size.pixels) * perPicture * Double($1.bitDepth > 8 ? 2 : 1) * held
        }
        let decoder = Double(source?.pixels ?? 0) * perPicture * 12
        return Int64(encoders + decoder) + 40_000_000
    }
}
