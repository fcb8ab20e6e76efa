import ClairoCore
import ClairoTestSupport
import Testing

/// An attacker may control the result of an executor. Only results that a task can produce are accepted.
@Suite struct TaskResultTests {
    private static let plan = Plan.sample(chunks: 3, segmentsPerChunk: 2)
    private static let request = TaskSpec.PlanRequest(source: plan.source, settings: plan.settings)

    private func isPossible(_ result: TaskResult, _ work: TaskSpec.Work) -> Bool {
        (try? result.validated(for: work)) != nil
    }

    private func isPossible(_ change: (inout Plan) -> Void) -> Bool {
        var plan = Self.plan
        change(&plan)
        return isPossible(TaskResult(plan: plan), .plan(Self.request))
    }

    @Test func aPlanThatMatchesItsRequestIsAccepted() throws {
        #expect(isPossible { _ in })
        #expect(isPossible { ($0.video, $0.chunks) = (nil, []) })
        #expect(isPossible { $0.audio = [] })
    }

    @Test(arguments: [
        [4_611_686_018_427_387_904..<4_611_686_018_427_387_905], [0..<(1 << 50)], [0..<2, 2..<4],
        [0..<2, 2..<4, 4..<7],
        [0..<2, 3..<4, 4..<6], [0..<2, 2..<2, 2..<6], [-1..<2, 2..<6], [], [2..<4, 0..<2, 4..<6],
    ]) func chunksMustCoverEachSegmentOnce(segments: [Range<Int>]) {
        #expect(
            !isPossible { plan in
                plan.chunks = segments.enumerated().map { Chunk(index: $0, segments: $1, seekTimestamp: nil) }
            })
    }

    @Test func chunksMustBeNumberedInOrder() { #expect(!isPossible { $0.chunks[1].index = 7 }) }

    @Test func aPlanMustHaveTheRequestedSourceAndSettings() {
        #expect(!isPossible { $0.source.size += 1 })
        #expect(!isPossible { $0.source.identity = "sha256:1" })
        #expect(!isPossible { $0.settings.formats = [] })
        #expect(!isPossible { $0.settings.allowPartial = true })
        #expect(!isPossible { $0.version = Plan.currentVersion + 1 })
    }

    @Test func aStoryboardMustFollowFromTheVideo() throws {
        let storyboard = try #require(Self.plan.video.flatMap(ImagePlan.init(storyboardOf:)))
        #expect(isPossible { $0.images = [storyboard] })
        #expect(!isPossible { $0.images = [storyboard, storyboard] })
        #expect(
            !isPossible {
                $0.images = [storyboard]; $0.images?[0].id = "../x"
            })
        #expect(
            !isPossible {
                $0.images = [storyboard]; $0.images?[0].framesPerTile = 1
            })
        #expect(!isPossible { ($0.video, $0.chunks, $0.images) = (nil, [], [storyboard]) })
    }

    @Test func thePartsOfTheSourceMustBePlausible() {
        func isPossible(_ files: [Int64], _ boundaries: [Int64] = [], _ continued: [Int: Int] = [:]) -> Bool {
            self.isPossible { plan in
                plan.parts = SourceParts(
                    files: files.enumerated().map { SourceParts.File(offset: $1, firstStream: 2 * $0) },
                    boundaries: boundaries, continuedTracks: continued)
            }
        }
        #expect(isPossible([0]) && isPossible([0], [1], [2: 0, 3: 1]))
        #expect(!isPossible([]) && !isPossible([1]) && !isPossible([0, 0]) && !isPossible([0, 1 << 60]))
        #expect(!isPossible([0], [1, 1]) && !isPossible([0], [-1]) && !isPossible([0], [1 << 60]))
        #expect(!isPossible([0], [], [-1: 0]) && !isPossible([0], [], [2: 1, 1: 0]))
    }

    @Test(arguments: ["", "..", "a/b", "../../etc", "180p\n", "ü", String(repeating: "x", count: 41)])
    func namesUsedForFoldersMustBePlainWords(name: String) {
        #expect(!isPossible { $0.video?.rungs[0].id = name })
        #expect(!isPossible { $0.audio[0].language = name })
    }

    @Test func numbersInAPlanMustBePlausible() {
        #expect(!isPossible { $0.video?.rungs[0].maxRate = .max })
        #expect(!isPossible { $0.video?.rungs[0].bufferSize = -1 })
        #expect(!isPossible { $0.video?.rungs[0].size.width = .max })
        #expect(!isPossible { $0.video?.rungs[0].laterAttempts = [] })
        #expect(!isPossible { $0.video?.rungs = [] })
        #expect(!isPossible { $0.video?.rungs += Plan.sample(chunks: 1, segmentsPerChunk: 1).video?.rungs ?? [] })
        #expect(!isPossible { $0.video?.segmentsPerEncoder = 0 })
        #expect(!isPossible { $0.video?.sourceFrameCount = .max })
        // A segment duration that differs from the settings.
        #expect(
            !isPossible { plan in
                plan.video?.grid = SegmentGrid(frameRate: Rational(25), frameCount: 900, segmentSeconds: 2)
                plan.chunks = [Chunk(index: 0, segments: 0..<18, seekTimestamp: nil)]
            })
        #expect(!isPossible { $0.audio[0].sampleCount = .max })
        #expect(!isPossible { $0.audio[0].bitRate = -1 })
        #expect(!isPossible { $0.audio[0].segmentBoundaries = [Rational(6), Rational(6)] })
        #expect(!isPossible { ($0.video, $0.chunks, $0.audio) = (nil, [], []) })
        #expect(!isPossible { $0.prediction.bytes = -1 })
    }

    @Test func aResultMustHaveExactlyTheFieldsOfItsTask() {
        let chunk = TaskSpec.Work.chunk(Self.plan, index: 0)
        #expect(isPossible(TaskResult(decodedFrames: 300), chunk))
        #expect(!isPossible(TaskResult(plan: Self.plan), chunk))
        #expect(!isPossible(TaskResult(), .plan(Self.request)))
        #expect(!isPossible(TaskResult(), .probe(name: "x")))
        #expect(!isPossible(TaskResult(renditions: [Self.rendition]), chunk))
    }

    @Test func countsAndCostsMustNotOverflowTheirSums() {
        let audio = TaskSpec.Work.track(Self.plan, index: 0)
        func isPossible(_ change: (inout TaskResult) -> Void) -> Bool {
            var result = TaskResult(usage: TaskUsage(cpuSeconds: 1, wallSeconds: 2, peakMemory: 3, steps: [.decode: 1]))
            change(&result)
            return self.isPossible(result, audio)
        }
        #expect(isPossible { _ in })
        for count in [Int.max, -1] {
            #expect(!isPossible { $0.decodedFrames = count })
            #expect(!isPossible { $0.decodeErrors = count })
            #expect(!isPossible { $0.usage.peakMemory = Int64(count) })
        }
        for seconds in [-1, 1e308, .infinity, .nan] {
            #expect(!isPossible { $0.usage.cpuSeconds = seconds })
            #expect(!isPossible { $0.usage.wallSeconds = seconds })
            #expect(!isPossible { $0.usage.steps = ["decode": seconds] })
        }
        #expect(!isPossible { $0.warnings = Array(repeating: MediaWarning(.other, "x"), count: 1001) })
        let long = MediaWarning(.other, "x", advice: String(repeating: "x", count: 1 << 20))
        #expect(!isPossible { $0.warnings = [long] })
        #expect(!isPossible { $0.schema = TaskSpec.currentSchema + 1 })
        #expect(
            !isPossible { $0.files = [FileRecord(key: "a", bytes: .max, sha256: String(repeating: "0", count: 64))] })
        #expect(!isPossible { $0.files = [FileRecord(key: "a", bytes: 1, sha256: "0")] })
    }

    private static let rendition = RenditionRecord(
        id: "180p", kind: .video, codec: "avc1.640028", size: FrameSize(width: 320, height: 180),
        frameRate: Rational(25), frameCount: 900, dynamicRange: .sdr, duration: 36, averageRate: 1, peakRate: 2,
        bytes: 3)
    private static let track = RenditionRecord(
        id: plan.audio[0].id, kind: .audio, codec: "mp4a.40.2", format: .aac, channels: 2, language: "und",
        title: "Ton", loudness: AudioLoudness(integrated: -16, truePeak: -1), duration: 36, averageRate: 1, peakRate: 2,
        bytes: 3)

    @Test func publishedRenditionsMustMatchThePlan() {
        let finish = TaskSpec.Work.finish(TaskSpec.FinishRequest(plan: Self.plan, segments: [], warnings: []))
        func isPossible(_ record: RenditionRecord, _ change: (inout RenditionRecord) -> Void) -> Bool {
            var record = record
            change(&record)
            return self.isPossible(TaskResult(renditions: [record]), finish)
        }
        let (rendition, track) = (Self.rendition, Self.track)
        #expect(isPossible(rendition) { _ in } && isPossible(track) { _ in })
        #expect(self.isPossible(TaskResult(renditions: [rendition, track]), finish))
        for record in [rendition, track] {
            #expect(!isPossible(record) { $0.id = "181p" })
            #expect(!isPossible(record) { $0.kind = .text })
            #expect(!isPossible(record) { $0.codec = "a b" })
            #expect(!isPossible(record) { $0.bytes = -1 })
            #expect(!isPossible(record) { $0.peakRate = .max })
            #expect(!isPossible(record) { $0.duration = 1e308 })
            #expect(!self.isPossible(TaskResult(renditions: [record, record]), finish))
        }
        #expect(!isPossible(rendition) { $0.size?.height = 181 })
        #expect(!isPossible(rendition) { $0.size = nil })
        #expect(!isPossible(rendition) { $0.frameCount = -1 })
        #expect(!isPossible(track) { $0.language = "../x" })
        #expect(!isPossible(track) { $0.channels = 0 })
        #expect(!isPossible(track) { $0.title = String(repeating: "x", count: 5000) })
        #expect(!isPossible(track) { $0.loudness?.truePeak = .infinity })
    }
}
