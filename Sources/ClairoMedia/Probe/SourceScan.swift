public import ClairoCore
internal import Libav

/// The result of scanning a source: `MediaInfo` for display, and what planning needs beyond it.
public struct SourceScan: Sendable {
    /// The contents of the file, as `clairo probe` shows them.
    public let info: MediaInfo
    let video: VideoScan?
    /// Present if the caller asked whether the video can be copied without encoding.
    let copy: CopyInspection?

    /// The timestamps of the selected video stream, in ticks of its time base.
    struct VideoScan: Sendable {
        let timeBase: Rational
        /// The sorted presentation times of all frames.
        let pts: [Int64]
        let keyFrames: [KeyFrame]
        /// The total size of all key frames.
        let keyFrameBytes: Int64
        /// The end of the last frame.
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
    /// The warnings about the source that are added to the output.
    var planWarnings: [String] { warnings + (truncation.map { ["the source is cut short: \($0)"] } ?? []) }
}
