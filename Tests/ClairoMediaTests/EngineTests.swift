import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

@Suite struct JobControlTests {
    @Test func aCancelledJobReportsItsCancellation() throws {
        let control = JobControl()
        try control.checkCancellation()
        control.cancel()
        #expect(control.isCancelled)
        #expect(throws: ClairoError.cancelled) { try control.checkCancellation() }
    }

    @Test func aQuietStopCanBeUndoneButACancellationCannot() {
        let control = JobControl()
        control.stopQuietly()
        #expect(control.isCancelled)
        control.resumeAfterQuietStop()
        #expect(!control.isCancelled)
        control.stopQuietly()
        control.cancel()
        control.resumeAfterQuietStop()
        #expect(control.isCancelled)
    }

    @Test func progressCountsResumedFramesAsDone() {
        let control = JobControl()
        #expect(control.snapshot.phase == .reading)
        #expect(control.snapshot.mediaSeconds == 0)
        control.begin(.encoding)
        control.plan(frames: 200, resumed: 50, duration: 8)
        for _ in 0..<50 { control.finishFrame() }
        #expect(
            control.snapshot
                == JobProgress(
                    phase: .encoding, framesDone: 100, framesPlanned: 200, framesResumed: 50, mediaSeconds: 4))
    }

    @Test func samplesAreCountedByStream() {
        let control = JobControl()
        control.countDecoded(samples: 48_000, stream: 1)
        control.countDecoded(samples: 96_000, stream: 3)
        // A track that is made again replaces its number.
        control.countDecoded(samples: 40_000, stream: 1)
        #expect(control.audioSamples == [1: 40_000, 3: 96_000])
    }

    @Test func damageCountsAddUp() {
        let control = JobControl()
        control.count(SegmentCounts(segment: 0, decoded: 10, errors: 1, shown: 9))
        control.count(SegmentCounts(segment: 1, decoded: 7, errors: 0, shown: 7))
        // A segment that is decoded again replaces its counts.
        control.count(SegmentCounts(segment: 1, decoded: 5, errors: 2, shown: 4))
        #expect(control.damage == DecodingDamage(frames: 15, errors: 3))
        #expect(control.shownFrames == 13)
        control.assume((0..<3).map { SegmentCounts(segment: $0, decoded: 10, shown: 10) })
        #expect(control.damage == DecodingDamage(frames: 25, errors: 3))
    }
}

@Suite struct ResourceBudgetTests {
    private static let source = FrameSize(width: 1920, height: 1080)
    private static let ladder = LadderPlanner.plan(
        LadderPlanner.Source(size: source, frameRate: Rational(25), bitRate: 0, segmentSeconds: 6), heights: nil
    ).rungs

    private static func jobs(asked: Int? = nil, cores: Int, memory: Int64, preset: String = "medium") -> Int {
        let video = VideoPlan(
            streamIndex: 0, grid: SegmentGrid(frameRate: Rational(25), frameCount: 1000), sourceFrameCount: 1000,
            orientation: .upright, deinterlace: false, dynamicRange: .sdr, color: .unspecified, segmentsPerEncoder: 1,
            isSeekable: true, rungs: ladder, decisions: [])
        return ResourceBudget(memory: memory)
            .jobs(asked: asked, cores: cores, video: video, source: source, preset: preset)
    }

    private static func memory(
        rungs: [Rung] = ladder, source: FrameSize? = source, preset: String
    ) -> Int64 {
        ResourceBudget.chunkMemory(rungs: rungs, source: source, preset: preset, gopFrames: 50)
    }

    @Test func runsOneChunkForEveryTwoCores() {
        #expect([1, 2, 3, 4, 16].map { Self.jobs(cores: $0, memory: .max) } == [1, 1, 1, 2, 8])
    }

    @Test func theRequestedNumberOverridesTheCores() {
        #expect(Self.jobs(asked: 5, cores: 2, memory: .max) == 5)
    }

    @Test func memoryLimitsTheChunksToAtLeastOne() {
        let chunk = Self.memory(preset: "medium")
        #expect(Self.jobs(asked: 8, cores: 16, memory: 3 * chunk) == 3)
        #expect(Self.jobs(asked: 8, cores: 16, memory: 3 * chunk - 1) == 2)
        #expect([chunk - 1, 0, -1].map { Self.jobs(asked: 8, cores: 16, memory: $0) } == [1, 1, 1])
    }

    @Test func lookaheadGrowsWithThePresetUpToHalfAGOP() {
        let presets = ["ultrafast", "veryfast", "faster", "fast", "medium", "slow", "slower"]
        #expect(presets.map { H264.lookahead($0, gopFrames: 50) } == [0, 10, 20, 25, 25, 25, 25])
        #expect(presets.map { H264.lookahead($0, gopFrames: 2) } == [0, 10, 10, 10, 10, 10, 10])
        #expect(H264.lookahead("slower", gopFrames: 120) == 60)
    }

    @Test func longerLookaheadAndLargerFramesNeedMoreMemory() {
        let needs = ["ultrafast", "veryfast", "faster", "medium"].map { Self.memory(preset: $0) }
        #expect(zip(needs, needs.dropFirst()).allSatisfy { $0 < $1 })
        #expect(Self.memory(rungs: Array(Self.ladder.dropFirst()), preset: "medium") < needs[3])
        #expect(Self.memory(rungs: [], source: nil, preset: "ultrafast") > 0)
    }

    @Test func theDefaultIsPartOfTheMachine() {
        let resources = TranscodeResources()
        #expect(resources.memory > 0 && resources.cores > 0)
        #expect(Double(resources.memory) <= Double(ProcessInfo.processInfo.physicalMemory) * 0.76)
    }
}

@Suite struct ISO639Tests {
    @Test(
        arguments: [
            ("eng", "eng"), ("en", "en"), ("DEU", "deu"), (nil, "und"), ("", "und"), ("e", "und"), ("engl", "und"),
            ("../", "und"), ("e\u{0}", "und"), ("é", "und"), ("日本", "und"), ("e1", "und"), ("K\u{212A}", "kk"),
        ] as [(String?, String)])
    func onlyLettersOfALanguageCodeReachAFolderName(language: String?, code: String) {
        #expect(ISO639.code(language) == code)
    }

    @Test(arguments: [("en", "eng"), ("de", "deu"), ("eng", "eng"), ("fre", "fre"), ("xx", "xx"), ("und", "und")])
    func knownTwoLetterCodesBecomeThreeLetterCodes(code: String, three: String) {
        #expect(ISO639.threeLetters(code) == three)
    }
}

@Suite struct ChecksumTests {
    /// FIPS 180-2, appendix B, and the empty message.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ])
    func digestsMatchTheVectorsOfTheStandard(text: String, digest: String) throws {
        #expect(Checksum.sha256(Data(text.utf8)) == digest)
        #expect(try Checksum.sha256(MemorySource(Data(text.utf8), largestRead: 3)) == digest)
    }

    @Test func theChecksumOfPiecesIsThatOfTheWhole() throws {
        let data = MemoryMedia.noise(3_000_000)
        var running = Checksum.Running()
        for start in stride(from: 0, to: data.count, by: 999_999) {
            running.update(data[start..<min(start + 999_999, data.count)])
        }
        #expect(running.bytes == 3_000_000)
        #expect(running.finish() == Checksum.sha256(data))
        #expect(try Checksum.sha256(MemorySource(data)) == Checksum.sha256(data))
    }

    @Test func aCancelledChecksumStops() {
        #expect(throws: ClairoError.cancelled) {
            try Checksum.sha256(MemorySource(Data([1])), check: { () throws(ClairoError) in throw .cancelled })
        }
    }
}
