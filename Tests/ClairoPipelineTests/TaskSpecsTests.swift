import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoPipeline

/// How the finish task finds the attempts that made the job's segments.
@Suite struct TaskSpecsTests {
    private let plan = Plan.sample(chunks: 3, segmentsPerChunk: 2)

    private func file(_ key: ObjectKey, _ content: String = "x") -> FileRecord {
        FileRecord(key: key.rawValue, bytes: Int64(content.utf8.count), sha256: Checksum.sha256(Data(content.utf8)))
    }

    private func tasks(attempts: [Int], audioAttempt: Int = 1, inits: [String] = ["i", "i", "i"]) -> [WorkTask] {
        func task(_ kind: WorkTask.Kind, _ index: Int, _ attempt: Int, _ files: [FileRecord]) -> WorkTask {
            WorkTask(
                id: .make(), jobID: .make(), videoID: .make(), kind: kind, index: index, state: .succeeded,
                priority: .normal, attempt: attempt, notBefore: .now, result: TaskResult(files: files), createdAt: .now)
        }
        let rung = Plan.sampleRung
        let chunks = plan.chunks.map { chunk in
            task(
                .chunk, chunk.index, attempts[chunk.index],
                [file(rung.initKey, inits[chunk.index])]
                    + chunk.segments.map { file(rung.segmentKey($0).ofAttempt(attempts[chunk.index])) })
        }
        let track = plan.audio[0]
        return chunks + [task(.track, 0, audioAttempt, track.objectKeys.map { file($0.ofAttempt(audioAttempt)) })]
    }

    @Test func firstAttemptsHavePlainNames() throws {
        let request = try TaskSpecs.finish(plan, tasks: tasks(attempts: [1, 1, 1]))
        #expect(request.plan == plan)
        #expect(Set(request.segments.map(\.key)) == Set(plan.segmentKeys.map(\.rawValue)))
    }

    @Test func theFinishTaskListsTheSegmentsOfTheSuccessfulAttempts() throws {
        let request = try TaskSpecs.finish(plan, tasks: tasks(attempts: [1, 3, 1], audioAttempt: 2))
        let keys = request.plan.video!.rungs[0]
        #expect(
            (0..<6).map { keys.segmentKey($0).rawValue.split(separator: "/").last! } == [
                "00001.m4s", "00002.m4s", "00003-3.m4s", "00004-3.m4s", "00005.m4s", "00006.m4s",
            ])
        #expect(keys.initKey.rawValue.hasSuffix("/init.mp4"))
        #expect(request.plan.audio[0].initKey.rawValue.hasSuffix("/init-2.mp4"))
        #expect(Set(request.segments.map(\.key)) == Set(request.plan.segmentKeys.map(\.rawValue)))
    }

    @Test func theInitSegmentIsThatOfTheFirstChunksAttempt() throws {
        let request = try TaskSpecs.finish(plan, tasks: tasks(attempts: [2, 1, 1]))
        #expect(request.plan.video!.rungs[0].initKey.rawValue.hasSuffix("/init-2.mp4"))
        #expect(Set(request.segments.map(\.key)) == Set(request.plan.segmentKeys.map(\.rawValue)))
    }

    @Test func chunksWithDifferentParameterSetsAreRefused() {
        #expect(throws: ClairoError.self) {
            try TaskSpecs.finish(plan, tasks: tasks(attempts: [1, 1, 1], inits: ["i", "other", "i"]))
        }
    }

    @Test func anUnfinishedChunkIsRefused() {
        var all = tasks(attempts: [1, 1, 1])
        all[1].state = .running
        #expect(throws: ClairoError.self) { try TaskSpecs.finish(plan, tasks: all) }
    }

    private var planOfTwoWaves: Plan {
        var plan = plan.addingAWave()
        plan.video?.shownFrameCount = 900
        return plan
    }

    @Test func aChunkEncodesTheRungsOfItsWave() {
        let job = Job(
            id: .make(), videoID: .make(), profile: "default", priority: .normal, traceID: "", createdAt: .now)
        let tasks = TaskSpecs.tasks(of: planOfTwoWaves, job: job, policy: QueuePolicy(), now: .now)
        #expect(tasks.map(\.kind) == [.chunk, .chunk, .chunk, .chunk, .chunk, .chunk, .track])
        #expect(tasks.map(\.framesPlanned) == [300, 300, 300, 300, 300, 300, 0])
        let lastOfFirstWave = tasks[2].queueAt
        #expect(tasks[3...5].allSatisfy { $0.queueAt > lastOfFirstWave } && tasks[6].queueAt == tasks[0].queueAt)
    }

    @Test func whatAllWavesDecodeIsCountedOnce() throws {
        let plan = planOfTwoWaves
        var tasks = tasks(attempts: [1, 1, 1])
        let track = tasks.removeLast()
        let rung = plan.video!.rungs[1]
        tasks += plan.chunks[3...].map { chunk in
            var task = tasks[chunk.index - 3]
            task.index = chunk.index
            task.attempt = chunk.index == 4 ? 2 : 1
            let segments = chunk.segments.map { file(rung.segmentKey($0).ofAttempt(task.attempt)) }
            task.result?.files = [file(rung.initKey, "j")] + segments
            return task
        }
        for index in tasks.indices { tasks[index].result?.shownFrames = 300 }
        let whole = try TaskSpecs.finish(plan, tasks: tasks + [track])
        #expect(whole.warnings.isEmpty)
        #expect(Set(whole.segments.map(\.key)) == Set(whole.plan.segmentKeys.map(\.rawValue)))
        #expect(whole.plan.video?.rungs[0].laterAttempts == nil)
        #expect(whole.plan.video?.rungs[1].laterAttempts == [SegmentAttempt(segments: 2..<4, attempt: 2)])
        // Only a track's own task knows its loudness.
        tasks[0].result?.loudness = AudioLoudness(integrated: -10, truePeak: -1)
        #expect(try TaskSpecs.finish(plan, tasks: tasks + [track]).plan.audio[0].loudness == nil)
        tasks[1].result?.shownFrames = 200
        #expect(try TaskSpecs.finish(plan, tasks: tasks + [track]).warnings.map(\.code) == [.framesLost])
    }
}
