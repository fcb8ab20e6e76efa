internal import ClairoCore

/// Makes the tracks of a plan, of any kind.
struct TrackTranscoder {
    let source: any ByteSource
    let limits: InputLimits
    let plan: Plan
    /// The subtitles that came with the request.
    var files: [SubtitleFile] = []
    let sink: SegmentSink
    let control: JobControl

    /// Makes the track `plan.tracks[index]`.
    /// - Returns: What was measured of a track of audio.
    func run(_ index: Int) throws -> AudioLoudness? {
        switch plan.tracks[index] {
        case let track as AudioPlan:
            return try AudioTranscoder(
                source: source, limits: limits, plan: plan, track: track, sink: sink, control: control
            ).run()
        case let track as TextPlan:
            try TextTranscoder(
                source: source, limits: limits, plan: plan, track: track, files: files, sink: sink, control: control
            ).run()
            return nil
        default: throw ClairoError.defect("No transcoder makes the track \(plan.tracks[index].folder)")
        }
    }
}
