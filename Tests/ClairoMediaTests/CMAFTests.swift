import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// The structure of a track, of which single bytes are changed.
@Suite struct CMAFTests {
    private let tone: ToneTrack
    private let plan: AudioPlan

    init() throws {
        tone = try ToneTrack()
        plan = AudioPlan(
            streamIndex: 0, language: "eng", title: nil, channels: 2, bitRate: 128_000,
            sampleCount: (tone.packets.count - 1) * 1024, segmentBoundaries: [Rational(23 * 1024, 48_000)])
    }

    private func problems(_ header: Data? = nil, _ segments: [Data?]? = nil, isSingleFile: Bool = false) -> [String] {
        var track = CMAFTrack(
            plan, initSegment: header ?? FragmentWriter.initSegment(tone.description), isSingleFile: isSingleFile)
        for (index, segment) in (segments ?? tone.segments).enumerated() {
            track.add(segment, at: plan.segmentKey(index))
        }
        return track.problems
    }

    @Test func anIntactTrackHasNoProblem() {
        #expect(problems() == [])
        let header = FragmentWriter.selfInitializing(FragmentWriter.initSegment(tone.description))
        #expect(problems(header, tone.segments.map { $0.dropFirst(24) }, isSingleFile: true) == [])
    }

    /// A missing segment is reported elsewhere, and says nothing of the next one.
    @Test func theSegmentAfterAMissingOneIsChecked() {
        #expect(problems(nil, [nil, tone.segments[1]]) == [])
    }

    @Test(arguments: [
        (box: "cmfc", byte: 0, problem: "lacks the brand cmfc"), ("trex", 7, "trex is not that of the track"),
        ("trex", -4, "moov lacks"), ("mdhd", 23, "its timescale is"), ("hdlr", 8, "it is not audio"),
        ("stts", 7, "moov describes samples"), ("elst", 7, "its edit list"), ("elst", 15, "its edit list"),
        ("trak", -4, "it has not one track"),
    ])
    func aChangedHeaderIsFound(box: String, byte: Int, problem: String) throws {
        var header = FragmentWriter.initSegment(tone.description)
        // A brand has no body, so its own first byte changes.
        let offset = try #require(header.range(of: Data(box.utf8))).upperBound + (box == "cmfc" ? -4 : byte)
        header[offset] ^= 0x02
        #expect(problems(header).first?.contains(problem) == true, "\(problems(header))")
    }

    @Test(arguments: [
        (box: "cmfs", byte: -4, problem: "does not begin with styp"), ("mfhd", 7, "comes after fragment"),
        ("tfhd", 1, "do not count from moof"), ("tfhd", 7, "is of track"), ("tfdt", 11, "tfdt is"),
        ("tfdt", -4, "a moof has not one"), ("mdat", -4, "pairs of moof and mdat"),
    ])
    func aChangedSegmentIsFound(box: String, byte: Int, problem: String) throws {
        var segment = tone.segments[1]
        let offset = try #require(segment.range(of: Data(box.utf8))).upperBound + byte
        segment[offset] ^= 0x02
        let found = problems(nil, [tone.segments[0], segment])
        #expect(found.first?.contains(problem) == true, "\(found)")
    }

    @Test func damagedBytesDoNotTrap() {
        var generator = SeededGenerator(seed: 5)
        let header = FragmentWriter.initSegment(tone.description)
        for _ in 0..<500 {
            _ = problems(header.mutated(using: &generator), [tone.segments[0].mutated(using: &generator)])
        }
    }
}
