internal import ClairoCore

/// What a verification knows about the source of the output.
enum SourceComparison: Sendable {
    /// Only what the plan says.
    case planned
    /// Only what the plan says, because the job continued an earlier run and decoded a part.
    case continued
    /// What the job counted while it decoded the source.
    case counted(SourceCounts)
}

/// The frames and samples that a job found in its source.
struct SourceCounts: Sendable {
    /// The frames in the source, by its packets.
    var frames = 0
    /// Those of them within the output's time.
    var usedFrames = 0
    /// The frames that were decoded. At the borders of chunks some are decoded twice.
    var decodedFrames: Int
    /// The decoded frames that are shown.
    var shownFrames: Int
    /// Decoded samples per channel at 48 kHz, by the index of the stream.
    var audioSamples: [Int: Int]

    /// - Parameter control: The control of the job after everything is decoded.
    init(_ plan: Plan, scan: SourceScan, control: JobControl) {
        decodedFrames = control.damage.frames
        shownFrames = control.shownFrames
        audioSamples = control.audioSamples
        guard let video = plan.video, let timing = scan.video else { return }
        frames = timing.pts.count
        usedFrames = timing.pts.reduce(0) { count, pts in
            let frame = video.grid.frame(at: Rational(pts) * timing.timeBase, origin: plan.origin)
            return count + ((0..<video.grid.frameCount).contains(frame) ? 1 : 0)
        }
    }
}

extension Verifier {
    /// Compares the output with its source and names the numbers. Missing frames are no error here: the job warns about
    /// them.
    func compareWithSource(
        _ manifest: OutputManifest, _ decoded: [String: CheckedRendition], _ checks: inout Checks
    ) {
        let plan = manifest.plan
        if let video = plan.video {
            checks.expect(true, "source-frames", "video", frames(of: video), "")
            if let end = decoded[video.rungs.first?.folder ?? ""]?.end {
                let source = Double(video.sourceFrameCount) / video.grid.frameRate.doubleValue
                expect(end.doubleValue, covers: source, unit: video.grid.frameRate.inverse, "video", &checks)
            }
        }
        for track in plan.audio {
            guard let end = decoded[track.folder]?.end, let samples = track.sourceSampleCount else { continue }
            checks.expect(
                true, "source-audio", track.folder, "\(decodedAudio(of: track))\(clock(end.doubleValue)) written", "")
            expect(end.doubleValue, covers: seconds(samples), unit: track.unitDuration, track.folder, &checks)
        }
    }

    /// Checks that a rendition is not shorter than the part of the source that it is made from.
    private func expect(
        _ written: Double, covers source: Double, unit: Rational, _ subject: String, _ checks: inout Checks
    ) {
        checks.expect(
            written + unit.doubleValue + 0.001 >= source, "source-duration", subject,
            "\(clock(source)) of the source, \(clock(written)) written",
            "only \(clock(written)) of \(clock(source)) of the source are written")
    }

    private func frames(of video: VideoPlan) -> String {
        let output = video.grid.frameCount
        let planned = "\(video.shownFrameCount ?? video.sourceFrameCount) frames of the source make \(output) frames"
        switch comparison {
        case .planned: return planned
        case .continued: return planned + "; not counted, because the run continued an earlier one"
        case .counted(let counts):
            let used = counts.usedFrames == counts.frames ? "" : ", \(counts.usedFrames) of them in this part"
            let found = "\(counts.frames) frames in the source\(used)"
            if video.rungs.allSatisfy(\.isCopy) { return "\(found), \(output) copied without decoding" }
            let dropped = max(0, counts.usedFrames - (video.shownFrameCount ?? counts.usedFrames))
            return "\(found), \(counts.decodedFrames) decoded, \(counts.shownFrames) shown, "
                + "\(dropped) dropped by the frame rate, \(max(0, output - counts.shownFrames)) repeated"
        }
    }

    /// How much of a track was decoded, with a comma if there is something to tell.
    private func decodedAudio(of track: AudioPlan) -> String {
        switch comparison {
        case .planned: return ""
        case .continued: return "not counted, because the run continued an earlier one, "
        case .counted(let counts):
            // Two mono streams may make one track.
            let streams = [track.streamIndex] + [track.pairedStreamIndex].compactMap { $0 }
            let decoded = streams.map { clock(seconds(counts.audioSamples[$0] ?? 0)) }
            return "\(decoded.joined(separator: " and ")) decoded, "
        }
    }

    private func seconds(_ samples: Int) -> Double { Double(samples) / Double(AudioPlan.sampleRate) }
}
