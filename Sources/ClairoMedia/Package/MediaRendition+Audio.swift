internal import ClairoCore
internal import Foundation
internal import Libav

extension AudioPlan: MediaRendition {
    func check(initSegment: Data) throws(ClairoError) {}

    func codecString(initSegment: Data) throws(ClairoError) -> String {
        let configuration = try InitSegment.configuration(of: initSegment, codec: codec)
        guard let text = codec.coding.codecString(configuration: configuration) else {
            throw FragmentReader.damaged("its decoder configuration is too short")
        }
        return text
    }

    func measure(_ fragments: [FragmentReader.Fragment], bytes: Int, index: Int, priming: Int64)
        throws(ClairoError) -> MeasuredSegment
    {
        let packets = packets(ofSegment: index)
        guard fragments.reduce(0, { $0 + $1.samples.count }) == packets.count,
            fragments.isGapless(from: Int64(packets.lowerBound * frameSamples))
        else { throw FragmentReader.damaged("\(segmentKey(index)) does not hold access units \(packets)") }
        // The delay is not presented.
        let presented = packets.count * frameSamples - (index == 0 ? delay : 0)
        return MeasuredSegment(duration: Rational(Int64(presented), timescale), bytes: bytes)
    }

    /// Returns chunks of half a second, so that players read the progressive file evenly.
    func progressiveChunks(_ fragments: [FragmentReader.Fragment], index: Int) -> [ProgressiveMP4.Chunk] {
        let (key, first) = (segmentKey(index), packets(ofSegment: index).lowerBound)
        let samples = fragments.flatMap(\.samples)
        return stride(from: 0, to: samples.count, by: 24).map { start in
            let time = (first + start) * frameSamples - delay
            return ProgressiveMP4.Chunk(
                segment: key, samples: Array(samples[start..<min(start + 24, samples.count)]),
                time: Double(time) / Double(timescale))
        }
    }

    func trackDescription(initSegment: Data) throws(ClairoError) -> TrackDescription {
        TrackDescription(
            self, configuration: try InitSegment.configuration(of: initSegment, codec: codec),
            priming: InitSegment.priming(of: initSegment))
    }

    func add(to presentation: inout Presentation, codec: String, initBytes: Int, segments: [MeasuredSegment]) {
        presentation.audio.append(
            AudioRendition(track: self, codec: codec, initBytes: initBytes, segments: segments))
    }

    func problem(
        ofSegment index: Int, in data: Data, interrupt: Interrupt, onFrame: () throws -> Void
    ) throws -> String? {
        try AudioContent(data, codec: codec, interrupt: interrupt, onFrame: onFrame)
            .problem(packets: packets(ofSegment: index), delay: delay)
    }

    func decode(with verifier: Verifier, _ checks: inout Checks) throws -> CheckedRendition? {
        try verifier.decode(self, &checks)
    }
}
