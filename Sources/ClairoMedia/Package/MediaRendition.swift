internal import ClairoCore
internal import Foundation
internal import Libav

/// A rendition with what has to be known of its kind to check, measure, package and verify its bytes.
///
/// There is one conformance for each kind. Everything else loops over `Plan.mediaRenditions`.
protocol MediaRendition: SegmentedRendition {
    /// - Throws: where the init segment is not that of this rendition.
    func check(initSegment: Data) throws(ClairoError)

    /// Measures segment `index` as it lies on the store.
    /// - Parameters:
    ///   - fragments: of the segment.
    ///   - bytes: its size.
    ///   - priming: of the init segment, in ticks.
    /// - Throws: where it does not hold what was planned, at the planned times.
    func measure(_ fragments: [FragmentReader.Fragment], bytes: Int, index: Int, priming: Int64)
        throws(ClairoError) -> MeasuredSegment

    /// The samples of segment `index` in the runs in which a progressive file interleaves them.
    func progressiveChunks(_ fragments: [FragmentReader.Fragment], index: Int) -> [ProgressiveMP4.Chunk]

    /// The track as an MP4 file describes it.
    func trackDescription(initSegment: Data) throws(ClairoError) -> TrackDescription

    /// Adds what was measured to a presentation.
    func add(to presentation: inout Presentation, codec: String, initBytes: Int, segments: [MeasuredSegment])

    /// Decodes segment `index` by itself.
    /// - Parameter data: the init segment and the segment.
    /// - Returns: what is wrong with it, or nil.
    func problem(ofSegment index: Int, in data: Data, interrupt: Interrupt) throws -> String?

    /// Decodes the whole rendition and records what was found.
    /// - Returns: nil where there is nothing to decode.
    func decode(with verifier: Verifier, _ checks: inout Checks) throws -> CheckedRendition?
}

extension Plan {
    /// Everything that is made of segments, in the order of `renditions`.
    var mediaRenditions: [any MediaRendition] { (video?.renditions ?? []) + tracks }
}

extension [FragmentReader.Fragment] {
    /// Whether each fragment is decoded where the one before it ended, beginning at `start`.
    func isGapless(from start: Int64) -> Bool {
        var time = start
        for fragment in self {
            guard fragment.decodeTime == time else { return false }
            time += fragment.samples.reduce(0) { $0 + Int64($1.duration) }
        }
        return true
    }

    /// Of all samples, sorted.
    var presentationTimes: [Int64] {
        flatMap { fragment in
            var time = fragment.decodeTime
            return fragment.samples.map { sample in
                defer { time += Int64(sample.duration) }
                return time + Int64(sample.compositionOffset)
            }
        }.sorted()
    }
}
