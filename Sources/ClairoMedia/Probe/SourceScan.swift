public import ClairoCore
internal import Libav

/// The result of scanning a source: `MediaInfo` for display, and what planning needs beyond it.
public struct SourceScan: Sendable {
    /// The contents of the file, as `clairo probe` shows them.
    public let info: MediaInfo
    let video: VideoScan?
    /// Present if the caller asked whether the video can be copied without encoding.
    let copy: CopyInspection?
    /// What joins the stretches of the source; see `Plan.corrections`.
    var corrections: [Int: [ClockCorrection]] = [:]
    /// Mono streams that become one stereo track: the index of the right channel by that of the left one.
    var pairs: [Int: Int] = [:]

    /// How the streams of the source form tracks; nil if they are the tracks.
    var parts: SourceParts?

    /// The seconds of audio in the used streams, without gaps: the longest of them.
    var audibleSeconds = 0.0

    /// The selected video stream. Times are in ticks of its time base, on the joined timeline.
    struct VideoScan: Sendable {
        let timeBase: Rational
        /// The sorted presentation times of all frames.
        let pts: [Int64]
        /// The sizes of the frames in bytes, in the order of `pts`.
        let sizes: [Int32]
        let keyFrames: [KeyFrame]
        /// The total size of all key frames.
        let keyFrameBytes: Int64
        /// The end of the last frame.
        let end: Rational
        let start: Rational
        let stream: StreamInfo
        let placement: FramePlacement
        /// With sorted times, the ticks from decoding to presentation.
        let delay: Int64?
        /// Whether the container marks frames as key frames that are none.
        var hasFalseKeyFrames = false
        /// libav's names of the codecs of the streams that continue this one.
        var laterCodecs: [String] = []
        /// The format that most of the stream has; the ladder is planned for it.
        var format: SourceFormat?
    }

    struct KeyFrame: Sendable, Hashable {
        let pts: Int64
        let dts: Int64
    }
}

extension MediaInfo {
    /// The warnings about the source that are added to the output.
    var planWarnings: [MediaWarning] {
        let cut = truncation.map { truncation in
            MediaWarning(
                .truncated, "the source is cut short: \(truncation)",
                advice: "Use a complete copy of the source if there is one.")
        }
        // Leaves room for the warnings of encoding.
        return ([cut].compactMap { $0 } + warnings).bounded(to: 80)
    }
}
