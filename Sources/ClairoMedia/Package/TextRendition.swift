public import ClairoCore
internal import Foundation

/// A text track and its written files.
public struct TextRendition: Sendable, Hashable {
    /// The planned track.
    public var track: TextPlan
    /// The segments in order.
    public var segments: [MeasuredSegment]
    /// The size of the whole file in bytes.
    public var wholeBytes: Int

    public init(track: TextPlan, segments: [MeasuredSegment], wholeBytes: Int) {
        self.track = track
        self.segments = segments
        self.wholeBytes = wholeBytes
    }

    /// The codec, for CODECS and DASH.
    public var codec: String { WebVTT.codec }
}

extension TextPlan {
    /// Measures the files of the track, and checks them against each other.
    /// - Parameters:
    ///   - whole: The content of the whole file.
    ///   - segments: The content of each segment.
    /// - Throws: An error if the files are not those of one track.
    func measure(whole: Data, segments: [Data]) throws(ClairoError) -> TextRendition {
        if let problem = TextSegments.problem(of: self, whole: whole, segment: { segments[$0] }) {
            throw .defect("\(folder): \(problem)")
        }
        let measured = segments.enumerated().map { index, segment in
            let times = times(ofSegment: index)
            return MeasuredSegment(duration: times.upperBound - times.lowerBound, bytes: segment.count)
        }
        return TextRendition(track: self, segments: measured, wholeBytes: whole.count)
    }
}
