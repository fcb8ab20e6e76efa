import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia
@testable import Libav

@Suite struct StreamSuccessionTests {
    private static let files = [SourceParts.File(offset: 0, firstStream: 0)]

    /// Any audio stream, which a case then changes.
    private static func stream(
        _ index: Int, _ kind: StreamInfo.Kind = .audio, language: String? = nil, programs: [Int] = []
    ) throws -> StreamInfo {
        let reader = try SourceReader(
            MemorySource(MemoryMedia.wav(samples: 100)), limits: InputLimits(), interrupt: Interrupt())
        var info = try #require(reader.streams.first)
        info.index = index
        info.kind = kind
        info.language = language
        info.programs = programs
        return info
    }

    /// What joins the streams, if packets of the streams in each run take turns, one every 100 bytes.
    private static func parts(
        _ infos: [StreamInfo], _ runs: [(streams: [Int], count: Int)], last late: [Int: Int64] = [:]
    ) -> SourceParts? {
        var succession = StreamSuccession()
        let kinds = Dictionary(uniqueKeysWithValues: infos.map { ($0.index, $0.kind) })
        var position: Int64 = 0
        func take(_ index: Int, _ position: Int64) {
            guard let kind = kinds[index] else { return }
            succession.take(stream: index, kind: kind, position: position)
        }
        for run in runs {
            for _ in 0..<run.count {
                for index in run.streams {
                    take(index, position)
                    position += 100
                }
            }
        }
        for (index, position) in late.sorted(by: { $0.key < $1.key }) { take(index, position) }
        return succession.parts(of: infos, files: files)
    }

    @Test func streamsThatFollowEachOtherAreOneTrack() throws {
        let infos = try [
            Self.stream(0, .video), Self.stream(1), Self.stream(2, .video), Self.stream(3),
        ]
        let parts = Self.parts(infos, [([0, 1], 20), ([2, 3], 20)])
        #expect(parts?.continuedTracks == [2: 0, 3: 1])
        #expect(parts?.boundaries == [])
    }

    /// Muxers put the audio of a quarter of a second into one unit.
    @Test func streamsThatAreSentInTurnsAreDifferentTracks() throws {
        let infos = try [Self.stream(1), Self.stream(2)]
        var succession = StreamSuccession()
        for turn in 0..<8 {
            for index in [1, 2] {
                for packet in 0..<12 {
                    succession.take(
                        stream: index, kind: .audio, position: packet == 0 ? Int64(turn * 2 + index) * 3000 : nil,
                        time: 0.02 * Double(turn * 12 + packet))
                }
            }
        }
        #expect(succession.parts(of: infos, files: Self.files) == nil)
    }

    @Test func streamsThatAreSentTogetherAreDifferentTracks() throws {
        let infos = try [Self.stream(0, .video), Self.stream(1), Self.stream(2)]
        #expect(Self.parts(infos, [([0, 1, 2], 20)]) == nil)
        // One begins later, another ends earlier.
        #expect(Self.parts(infos, [([0, 1], 20), ([0, 1, 2], 20), ([0, 2], 20)]) == nil)
    }

    @Test func aBoundarySeparatesStreamsWhoseLastPacketsArriveLate() throws {
        let infos = try [Self.stream(0, .video), Self.stream(1), Self.stream(2, .video), Self.stream(3)]
        // The last frame of the first video began at 3950, and is returned at the end.
        let parts = Self.parts(infos, [([0, 1], 20), ([2, 3], 20)], last: [0: 3950])
        #expect(parts?.continuedTracks == [2: 0, 3: 1])
        #expect(parts?.boundaries == [4000])
    }

    @Test func aStreamMayReturnAfterAnother() throws {
        let infos = try [Self.stream(0, .video), Self.stream(1), Self.stream(2, .video)]
        let parts = Self.parts(infos, [([0, 1], 20), ([2, 1], 20), ([0, 1], 20)])
        #expect(parts?.continuedTracks == [2: 0])
        let three = try infos + [Self.stream(3, .video)]
        #expect(
            Self.parts(three, [([0, 1], 20), ([2, 1], 20), ([3, 1], 20), ([0, 1], 20)])?.continuedTracks
                == [2: 0, 3: 0])
    }

    @Test func eachLanguageContinuesInItsOwnStream() throws {
        let infos = try [
            Self.stream(0, language: "eng"), Self.stream(1, language: "fra"), Self.stream(2, language: "fra"),
            Self.stream(3, language: "eng"),
        ]
        #expect(Self.parts(infos, [([0, 1], 20), ([2, 3], 20)])?.continuedTracks == [2: 1, 3: 0])
    }

    @Test func anotherLanguageIsAnotherTrack() throws {
        let infos = try [Self.stream(0, language: "eng"), Self.stream(1, language: "fra")]
        #expect(Self.parts(infos, [([0], 20), ([1], 20)]) == nil)
    }

    @Test func streamsOfProgrammesThatAreSentTogetherAreNotJoined() throws {
        // The video of the second programme begins when that of the first has ended, but its audio ran beside it.
        let infos = try [
            Self.stream(0, .video, programs: [1]), Self.stream(1, programs: [1]), Self.stream(2, programs: [2]),
            Self.stream(3, .video, programs: [2]),
        ]
        #expect(Self.parts(infos, [([0, 1, 2], 20), ([3, 2], 20)]) == nil)
        let following = try [
            Self.stream(0, .video, programs: [1]), Self.stream(1, programs: [1]), Self.stream(2, programs: [2]),
            Self.stream(3, .video, programs: [2]),
        ]
        #expect(Self.parts(following, [([0, 1], 20), ([3, 2], 20)])?.continuedTracks == [2: 1, 3: 0])
    }
}
