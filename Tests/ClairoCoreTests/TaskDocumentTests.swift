import ClairoCore
import Foundation
import Testing

/// Documents about tasks, including those of older programs, because queues and dead letters keep them for a long time.
@Suite struct TaskDocumentTests {
    private static let plan = Plan(
        source: SourceFingerprint(name: "a.wav", size: 7, identity: "00"), settings: TranscodeSettings(),
        origin: .zero, video: nil,
        audio: [
            AudioPlan(
                streamIndex: 0, language: "und", title: nil, channels: 2, bitRate: 128_000, sampleCount: 96_000,
                segmentBoundaries: [])
        ],
        chunks: [], prediction: Prediction(bytes: 1, cpuSeconds: 2))

    private static let works: [TaskSpec.Work] = [
        .probe(name: "a.wav"), .inspect(name: "a.wav"), .chunk(plan, index: 0), .track(plan, index: 0),
        .finish(TaskSpec.FinishRequest(plan: plan, segments: [], warnings: [MediaWarning(.damaged, "w")])), .verify,
    ]

    private static func spec(_ work: TaskSpec.Work) -> TaskSpec {
        TaskSpec(
            taskID: .make(), jobID: .make(), videoID: .make(), attempt: 2, traceID: "trace", work: work, threads: 1)
    }

    @Test(arguments: works)
    func everySpecSurvivesAJSONRoundTrip(work: TaskSpec.Work) throws {
        let spec = Self.spec(work)
        #expect(try JSONDecoder().decode(TaskSpec.self, from: JSON.encode(spec)) == spec)
    }

    /// Older programs named this member of `work` `audio`.
    @Test func audioWorkOfAnOlderProgramIsReadAsATrack() throws {
        let spec = Self.spec(.track(Self.plan, index: 0))
        let document = String(decoding: try JSON.encode(spec, pretty: false), as: UTF8.self)
        let old = document.replacing(#""work":{"track":{"#, with: #""work":{"audio":{"#)
        try #require(old != document)
        #expect(try JSONDecoder().decode(TaskSpec.self, from: Data(old.utf8)) == spec)
    }

    @Test(arguments: [
        ("plan", WorkTask.Kind.plan), ("chunk", .chunk), ("track", .track), ("audio", .track), ("finish", .finish),
    ])
    func aKindIsReadByItsCurrentAndOlderNames(name: String, kind: WorkTask.Kind) throws {
        #expect(try JSONDecoder().decode([WorkTask.Kind].self, from: Data("[\"\(name)\"]".utf8)) == [kind])
    }

    @Test func aKindIsWrittenByItsCurrentName() throws {
        let document = try JSON.encode(WorkTask.Kind.allCases, pretty: false)
        #expect(String(decoding: document, as: UTF8.self) == #"["plan","chunk","track","finish"]"#)
    }

    @Test(arguments: ["Audio", "sound", ""])
    func anUnknownKindIsRefused(name: String) {
        #expect(throws: DecodingError.self) {
            try JSONDecoder().decode([WorkTask.Kind].self, from: Data("[\"\(name)\"]".utf8))
        }
    }
}
