internal import ClairoCore
internal import Foundation
internal import Libav

extension AudioPlan: MediaRendition {
    func check(initSegment: Data) throws(ClairoError) {}

    func measure(_ fragments: [FragmentReader.Fragment], bytes: Int, index: Int, priming: Int64)
        throws(ClairoError) -> MeasuredSegment
    {
        let packets = packets(ofSegment: index)
        guard fragments.reduce(0, { $0 + $1.samples.count }) == packets.count,
            fragments.isGapless(from: Int64(packets.lowerBound * Self.frameSamples))
        else { throw FragmentReader.damaged("\(segmentKey(index)) does not hold access units \(packets)") }
        // Priming is not presented.
        let presented = (packets.count - (index == 0 ? 1 : 0)) * Self.frameSamples
        return MeasuredSegment(duration: Rational(Int64(presented), timescale), bytes: bytes)
    }

    /// Returns chunks of half a second, so that players read the progressive file evenly.
    func progressiveChunks(_ fragments: [FragmentReader.Fragment], index: Int) -> [ProgressiveMP4.Chunk] {
        let (key, first) = (segmentKey(index), packets(ofSegment: index).lowerBound)
        let samples = fragments.flatMap(\.samples)
        return stride(from: 0, to: samples.count, by: 24).map { start in
            let unit = first + start - 1
            return ProgressiveMP4.Chunk(
                segment: key, samples: Array(samples[start..<min(start + 24, samples.count)]),
                time: Double(unit * Self.frameSamples) / Double(timescale))
        }
    }

    func trackDescription(initSegment: Data) throws(ClairoError) -> TrackDescription {
        TrackDescription(
            media: .aac(
                channels: channels, sampleRate: Self.sampleRate,
                configuration: try InitSegment.configuration(of: initSegment), bitRate: bitRate),
            timescale: timescale, language: ISO639.threeLetters(language), priming: InitSegment.priming(of: initSegment)
        )
    }

    func add(to presentation: inout Presentation, codec: String, initBytes: Int, segments: [MeasuredSegment]) {
        presentation.audio.append(
            AudioRendition(track: self, codec: codec, initBytes: initBytes, segments: segments))
    }

    func problem(
        ofSegment index: Int, in data: Data, interrupt: Interrupt, onFrame: () throws -> Void
    ) throws -> String? {
        try AudioContent(data, interrupt: interrupt, onFrame: onFrame).problem(packets: packets(ofSegment: index))
    }

    func decode(with verifier: Verifier, _ checks: inout Checks) throws -> CheckedRendition? {
        try verifier.decode(self, &checks)
    }
}
