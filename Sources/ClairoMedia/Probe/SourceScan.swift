public import ClairoCore
internal import Libav

/// What reading all packets of a source has shown, beyond what `MediaInfo` tells people.
public struct SourceScan: Sendable {
    /// What the file contains, as `clairo probe` shows it.
    public let info: MediaInfo
    let video: VideoScan?
    /// Filled where the caller asked whether the video could be taken over without encoding.
    let copy: CopyInspection?

    /// Times of the selected video stream in ticks of its time base.
    struct VideoScan: Sendable {
        let timeBase: Rational
        /// Presentation times of all frames, sorted.
        let pts: [Int64]
        let keyFrames: [KeyFrame]
        /// Of all key frames together.
        let keyFrameBytes: Int64
        /// Of the last frame.
        let end: Rational
        let start: Rational
        let stream: StreamInfo
    }

    struct KeyFrame: Sendable, Hashable {
        let pts: Int64
        let dts: Int64
    }
}

extension MediaInfo {
    /// What a reader of the output is to know of its source.
    var planWarnings: [String] { warnings + (truncation.map { ["the source is cut short: \($0)"] } ?? []) }
}
