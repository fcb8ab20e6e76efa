internal import ClairoCore
internal import Foundation
internal import Libav

/// A rendition with the operations that depend on its kind: checking, measuring, packaging and verifying its bytes.
///
/// Each kind has one conformance. All other code loops over `Plan.mediaRenditions`.
protocol MediaRendition: SegmentedRendition {
    /// Checks that the init segment belongs to this rendition.
    func check(initSegment: Data) throws(ClairoError)

    /// The RFC 6381 codec string of the init segment.
    func codecString(initSegment: Data) throws(ClairoError) -> String

    /// Measures segment `index` as it is on the store.
    /// - Parameters:
    ///   - fragments: The fragments of the segment.
    ///   - bytes: The size of the segment.
    ///   - priming: The priming from the init segment, in ticks.
    /// - Throws: An error if the segment does not hold the planned samples at the planned times.
    func measure(_ fragments: [FragmentReader.Fragment], bytes: Int, index: Int, priming: Int64)
        throws(ClairoError) -> MeasuredSegment

    /// The samples of segment `index`, grouped into the chunks of a progressive file.
    func progressiveChunks(_ fragments: [FragmentReader.Fragment], index: Int) -> [ProgressiveMP4.Chunk]

    /// The description of the track for an MP4 file.
    func trackDescription(initSegment: Data) throws(ClairoError) -> TrackDescription

    /// Adds the measurements to a presentation.
    func add(to presentation: inout Presentation, codec: String, initBytes: Int, segments: [MeasuredSegment])

    /// Decodes segment `index` on its own.
    /// - Parameters:
    ///   - data: The init segment followed by the segment.
    ///   - onFrame: Called for each decoded frame.
    /// - Returns: The problem found, or nil.
    func problem(
        ofSegment index: Int, in data: Data, interrupt: Interrupt, onFrame: () throws -> Void
    ) throws -> String?

    /// Decodes the whole rendition and records the checks.
    /// - Returns: Nil if there is nothing to decode.
    func decode(with verifier: Verifier, _ checks: inout Checks) throws -> CheckedRendition?
}

extension Plan {
    /// The renditions with coded media, in the order of `renditions`.
    var mediaRenditions: [any MediaRendition] { (video?.renditions ?? []) + audio }
}

extension [FragmentReader.Fragment] {
    /// Whether the decoding times of the fragments are contiguous from `start`.
    func isGapless(from start: Int64) -> Bool {
        var time = start
        for fragment in self {
            guard fragment.decodeTime == time else { return false }
            time += fragment.samples.reduce(0) { $0 + Int64($1.duration) }
        }
        return true
    }

    /// The sorted presentation times of all samples.
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
