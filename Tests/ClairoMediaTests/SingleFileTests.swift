import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct SegmentIndexTests {
    private static let references = [
        SegmentIndex.Reference(bytes: 1000, ticks: 144_144), SegmentIndex.Reference(bytes: 300, ticks: 48_048),
    ]

    @Test func anIndexRefersToTheSegmentsThatFollow() throws {
        let box = SegmentIndex.box(Self.references, timescale: 24_000)
        #expect(
            box
                == Data(
                    hex: """
                        00000040 73696478 01000000 00000001 00005dc0 00000000 00000000 00000000 00000000 0000 0002
                        000003e8 00023310 90000000 0000012c 0000bbb0 90000000
                        """))
        let parsed = try SegmentIndex.parse(box.dropFirst(8))
        #expect(parsed.timescale == 24_000 && parsed.references == Self.references)
    }

    @Test func damagedIndexesAreErrorsAndDoNotTrap() {
        let payload = SegmentIndex.box(Self.references, timescale: 24_000).dropFirst(8)
        for length in 0..<payload.count {
            #expect(throws: ClairoError.self) { try SegmentIndex.parse(payload.prefix(length)) }
        }
        var generator = SeededGenerator(seed: 31)
        for _ in 0..<1000 { _ = try? SegmentIndex.parse(Data(payload).mutated(using: &generator)) }
    }
}

/// A track of audio in two segments, composed to one file.
@Suite struct SingleFileTests {
    private let store = MemoryStore()
    private let plan: AudioPlan
    private let tone: ToneTrack

    init() throws {
        tone = try ToneTrack()
        // The second segment begins with the 24th access unit.
        plan = AudioPlan(
            streamIndex: 0, language: "eng", title: nil, channels: 2, bitRate: 128_000,
            sampleCount: (tone.packets.count - 1) * 1024, segmentBoundaries: [Rational(23 * 1024, 48_000)])
        try store.put(FragmentWriter.initSegment(tone.description), at: plan.initKey)
        for (index, segment) in tone.segments.enumerated() { try store.put(segment, at: plan.segmentKey(index)) }
    }

    private func write() throws -> (file: SingleFile, data: Data) {
        let segments = try tone.segments.enumerated().map { index, data in
            try plan.measure(FragmentReader.fragments(of: data), bytes: data.count, index: index, priming: 1024)
        }
        var observed = Data()
        let file = try SingleFileWriter(
            rendition: plan, initSegment: store.get(plan.initKey), segments: segments, typeBytes: [24, 24]
        ).write(in: store) { observed.append($0) }
        let data = try store.get(file.key)
        #expect(observed == data)
        return (file, data)
    }

    @Test func theFileHasTheInitSegmentAnIndexAndTheFragments() throws {
        let (file, data) = try write()
        #expect(file.key == "audio/eng-aac-128k/media.mp4")
        #expect(Boxes(data: data).names == ["ftyp", "moov", "sidx", "moof", "mdat", "moof", "mdat"])
        #expect(Boxes(data: data).payload("ftyp") == Data("iso6\0\0\0\0iso6cmfcdashmp41".utf8))
        for (range, segment) in zip(file.segments, tone.segments) {
            #expect(data[Int(range.lowerBound)..<Int(range.upperBound)] == segment.dropFirst(24))
        }
        #expect(file.segments.last?.upperBound == Int64(data.count))
    }

    @Test func theFrontOfTheFileSaysWhereItsSegmentsAre() throws {
        let (file, data) = try write()
        let head = try SingleFileHead(MemorySource(data))
        #expect(head.initBytes == Int64(file.initBytes) && head.segments == file.segments)
        #expect(head.problem(of: plan) == nil)
        #expect(try SingleFileHead(MemorySource(data.dropLast())).problem(of: plan) != nil)
        var longer = plan
        longer.sampleCount += 48_000
        #expect(head.problem(of: longer) != nil)
        for length in [0, 7, file.initBytes, file.initBytes + file.indexBytes - 1] {
            #expect(throws: ClairoError.self) { try SingleFileHead(MemorySource(data.prefix(length))) }
        }
        #expect(throws: ClairoError.self) { try SingleFileHead(MemorySource(tone.segments[0])) }
    }
}
