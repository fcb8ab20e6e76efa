import ClairoCore
import ClairoTestSupport
import Testing

@testable import ClairoExecutors

@Suite struct TaskPermissionsTests {
    private func allowed(_ work: TaskSpec.Work, _ operation: RequestHead.Operation, _ key: ObjectKey?) -> Bool {
        let head =
            operation == .delete
            ? RequestHead(operation: operation, keys: key.map { [$0] })
            : RequestHead(operation: operation, key: key)
        return TaskPermissions(work).allow(head)
    }

    private static let changes: [RequestHead.Operation] = [.put, .beginPut, .delete]

    private func expect(_ work: TaskSpec.Work, changes allowed: [ObjectKey], not others: [ObjectKey]) {
        for change in Self.changes {
            for key in allowed { #expect(self.allowed(work, change, key), "\(change) \(key)") }
            for key in others { #expect(!self.allowed(work, change, key), "\(change) \(key)") }
            #expect(!self.allowed(work, change, nil) || change == .delete)
        }
        // It reads what it needs, and continues what was allowed.
        for operation in [RequestHead.Operation.get, .open, .read, .close, .info, .list, .source] {
            #expect(self.allowed(work, operation, "video/180p/00001.m4s"))
        }
        for operation in [RequestHead.Operation.writePut, .endPut, .abortPut] {
            #expect(self.allowed(work, operation, nil))
        }
    }

    private static let finished: [ObjectKey] = [
        "master.m3u8", "manifest.mpd", "clairo.json", "poster.jpg", "poster.webp", "video/180p/playlist.m3u8",
        "video/180p/iframes.m3u8", "mp4/180p.mp4",
    ]

    @Test func aChunkTaskMayChangeOnlyItsOwnSegments() {
        let plan = Plan.sample(chunks: 2, segmentsPerChunk: 2)
        let others: [ObjectKey] = Self.finished + ["video/360p/00003.m4s", plan.audio[0].segmentKey(2), "x"]
        let halves: [[ObjectKey]] = [
            ["video/180p/00001.m4s", "video/180p/00002.m4s"], ["video/180p/00003.m4s", "video/180p/00004.m4s"],
        ]
        for (own, foreign) in [(0, 1), (1, 0)] {
            expect(
                .chunk(plan, index: own), changes: ["video/180p/init.mp4"] + halves[own],
                not: halves[foreign] + others)
        }
        expect(.chunk(plan, index: 2), changes: [], not: halves[0] + ["video/180p/init.mp4"])
    }

    @Test func aChunkTaskMayChangeOnlyTheSegmentsOfItsWave() {
        let plan = Plan.sample(chunks: 1, segmentsPerChunk: 1).addingAWave()
        let waves: [[ObjectKey]] = [
            ["video/180p/init.mp4", "video/180p/00001.m4s"], ["video/180p-hevc/init.mp4", "video/180p-hevc/00001.m4s"],
        ]
        expect(.chunk(plan, index: 0), changes: waves[0], not: waves[1])
        expect(.chunk(plan, index: 1), changes: waves[1], not: waves[0])
    }

    @Test func theFirstChunkWritesTheRungsThatAreCopied() {
        var plan = Plan.sample(chunks: 2, segmentsPerChunk: 1)
        plan.video?.rungs[0].copyReorderDelay = 2
        let copied: [ObjectKey] = ["video/180p/init.mp4", "video/180p/00001.m4s", "video/180p/00002.m4s"]
        expect(.chunk(plan, index: 0), changes: copied, not: Self.finished)
        expect(.chunk(plan, index: 1), changes: [], not: copied + Self.finished)
    }

    @Test func aTrackTaskMayChangeOnlyItsTrack() {
        let plan = Plan.sample(chunks: 1, segmentsPerChunk: 2)
        expect(
            .track(plan, index: 0), changes: plan.audio[0].objectKeys,
            not: Self.finished + ["video/180p/00001.m4s", "audio/other/00001.m4s", plan.audio[0].playlistKey])
        expect(.track(plan, index: 1), changes: [], not: plan.audio[0].objectKeys)
    }

    @Test func aFinishTaskMayChangeWhatRefersToSegmentsAndDeleteLeftovers() {
        let plan = Plan.sample(chunks: 2, segmentsPerChunk: 1).madeAgain(chunks: [1])
        let work = TaskSpec.Work.finish(TaskSpec.FinishRequest(plan: plan, segments: [], warnings: []))
        expect(
            work, changes: Self.finished + [plan.audio[0].playlistKey],
            not: plan.segmentKeys + ["other.txt", "videos/x", "mp4/360p.mp4"])
        // The second chunk was made by the second attempt.
        let leftover: ObjectKey = "video/180p/00002.m4s"
        #expect(allowed(work, .delete, leftover) && !allowed(work, .put, leftover))
        #expect(!allowed(work, .delete, "video/360p/00001.m4s"))
    }

    @Test func aFinishTaskMayWriteTheStoryboard() throws {
        var plan = Plan.sample(chunks: 2, segmentsPerChunk: 4)
        let image = try #require(plan.video.flatMap(ImagePlan.init(storyboardOf:)))
        plan.images = [image]
        let keys: [ObjectKey] = [
            "images/storyboard/00001.jpg", "images/storyboard/playlist.m3u8", "images/storyboard/storyboard.vtt",
        ]
        expect(
            .finish(TaskSpec.FinishRequest(plan: plan, segments: [], warnings: [])), changes: keys,
            not: ["images/storyboard/00002.jpg", "images/other/00001.jpg"])
        expect(.chunk(plan, index: 0), changes: [], not: keys)
        plan.images = nil
        expect(.finish(TaskSpec.FinishRequest(plan: plan, segments: [], warnings: [])), changes: [], not: keys)
    }

    @Test func aFinishTaskMayRemoveAllSegmentsOfAnOutputOfMP4Alone() {
        var plan = Plan.sample(chunks: 1, segmentsPerChunk: 2)
        plan.settings.formats = [.mp4]
        let work = TaskSpec.Work.finish(TaskSpec.FinishRequest(plan: plan, segments: [], warnings: []))
        for key in plan.segmentKeys { #expect(allowed(work, .delete, key) && !allowed(work, .put, key)) }
        plan.settings.formats = [.hls, .mp4]
        let other = TaskSpec.Work.finish(TaskSpec.FinishRequest(plan: plan, segments: [], warnings: []))
        for key in plan.segmentKeys { #expect(!allowed(other, .delete, key)) }
    }

    @Test func aDeletionOfSeveralObjectsIsAllowedOnlyIfEachIs() {
        let rights = TaskPermissions(.chunk(Plan.sample(chunks: 2, segmentsPerChunk: 1), index: 0))
        let keys: [ObjectKey] = ["video/180p/00001.m4s", "video/180p/00002.m4s"]
        #expect(rights.allow(RequestHead(operation: .delete, keys: [keys[0]])))
        #expect(!rights.allow(RequestHead(operation: .delete, keys: keys)))
    }

    @Test func aProbeTaskMayNotWrite() {
        for work in [TaskSpec.Work.probe(name: "x"), .inspect(name: "x")] {
            #expect(allowed(work, .source, nil))
            for operation in [RequestHead.Operation.get, .put, .list, .info, .delete] {
                #expect(!allowed(work, operation, "clairo.json"))
            }
        }
    }

    @Test func aVerifyTaskMayNotWrite() {
        for operation in [RequestHead.Operation.get, .open, .info, .list] {
            #expect(allowed(.verify, operation, "clairo.json"))
        }
        for operation in [RequestHead.Operation.put, .beginPut, .delete] {
            #expect(!allowed(.verify, operation, "clairo.json"))
        }
    }

    @Test func anInteractiveJobMayAccessOnlyFilesOfAnOutput() {
        let work = TaskSpec.Work.transcode(
            TaskSpec.TranscodeRequest(
                source: SourceFingerprint(name: "x", size: 1, identity: ""), settings: TranscodeSettings(),
                resources: TranscodeResources()))
        for key in ["clairo.json", "video/720p/00001.m4s", "audio/eng-aac-128k/init.mp4", "mp4/720p.mp4", "poster.jpg"]
        {
            #expect(allowed(work, .put, ObjectKey(key)), "\(key)")
        }
        for key in [".bashrc", ".ssh/authorized_keys", "video", "thesis.odt", "videos/x.mp4"] {
            for operation in [RequestHead.Operation.put, .beginPut, .get, .open, .info, .delete] {
                #expect(!allowed(work, operation, ObjectKey(key)), "\(key)")
            }
        }
        // The task checks whether the folder contains foreign files.
        #expect(allowed(work, .list, "thesis.odt") && allowed(work, .writePut, nil))
    }
}
