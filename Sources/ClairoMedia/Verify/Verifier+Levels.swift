internal import ClairoCore

extension Verifier {
    /// Checks the level that each rung signals against its size, frame rate and bit rate.
    func checkLevels(_ manifest: OutputManifest, _ decoded: [String: CheckedRendition], _ checks: inout Checks) {
        guard let video = manifest.plan.video else { return }
        for rung in video.rungs {
            guard let codec = decoded[rung.folder]?.codec else { continue }
            let problem = rung.codec.coding.levelProblem(
                codec: codec, size: rung.size, frameRate: video.grid.frameRate,
                // The rate of a copy is not limited by the plan.
                bitRate: rung.isCopy ? 0 : rung.maxRate)
            checks.expect(problem == nil, "level", rung.folder, "\(codec) allows its size and rate", problem ?? "")
        }
    }
}
