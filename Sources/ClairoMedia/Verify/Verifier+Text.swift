internal import ClairoCore
internal import Foundation

extension Verifier {
    /// Checks that each text track is WebVTT with ordered times, and that its segments have exactly the cues of its whole
    /// file.
    func checkText(_ manifest: OutputManifest, _ checks: inout Checks) throws {
        for track in manifest.plan.text ?? [] {
            try control.checkCancellation()
            guard let whole = try bytes(of: track.wholeKey) else {
                checks.expect(false, "text", track.folder, "", "\(track.wholeKey) is missing")
                continue
            }
            let segments = manifest.plan.publishesStreams ? 0..<track.segmentCount : 0..<0
            let problem = try TextSegments.problem(of: track, whole: whole, segments: segments) {
                try bytes(of: track.segmentKey($0))
            }
            checks.expect(
                problem == nil, "text", track.folder, "\(segments.count) segments with the cues of the whole file",
                problem ?? "")
        }
    }
}
