import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoPipeline

/// What a task attempt may write, under which names, and what is recorded of it.
@Suite struct AttemptFolderTests {
    private let store = MemoryStore()
    private let plan = Plan.sample(chunks: 2, segmentsPerChunk: 2)
    private let lease = Lease(since: .now, seconds: 3600)
    private let video = VideoID.make()
    private let job = JobID.make()

    private let rung = Plan.sampleRung
    private var prefix: String { "videos/\(video)/\(job)/" }
    /// The names of all stored objects in the job's folder.
    private var stored: [String] {
        get throws {
            let keys = try store.list(prefix: "").map(\.rawValue)
            #expect(keys.allSatisfy { $0.hasPrefix(prefix) })
            return keys.map { String($0.dropFirst(prefix.count)) }
        }
    }

    private func folder(
        _ kind: WorkTask.Kind = .chunk, index: Int = 0, attempt: Int = 1, lease: Lease? = nil, plan: Plan? = nil
    ) -> AttemptFolder {
        let task = WorkTask(
            id: .make(), jobID: job, videoID: video, kind: kind, index: index, state: .running, priority: .normal,
            attempt: attempt, notBefore: .now, createdAt: .now)
        return AttemptFolder(store: store, task: task, plan: plan ?? self.plan, lease: lease ?? self.lease)
    }

    private func record(_ name: String, _ data: Data) -> FileRecord {
        FileRecord(key: name, bytes: Int64(data.count), sha256: Checksum.sha256(data))
    }

    // MARK: Names

    @Test func aFirstAttemptUsesThePlansNames() throws {
        let folder = folder()
        let keys = [rung.initKey, rung.segmentKey(0), rung.segmentKey(1)]
        for key in keys { try folder.put(Data(key.rawValue.utf8), at: key) }
        #expect(try stored == ["video/180p/00001.m4s", "video/180p/00002.m4s", "video/180p/init.mp4"])
        #expect(folder.files.map(\.key) == keys.map(\.rawValue).sorted())
    }

    @Test func aLaterAttemptHasItsOwnNamesAndOverwritesNothing() throws {
        let key = rung.segmentKey(0)
        try folder().put(Data("first".utf8), at: key)
        let third = folder(attempt: 3)
        #expect(try third.info(of: key) == nil)
        try third.put(Data("third".utf8), at: key)
        #expect(try stored == ["video/180p/00001-3.m4s", "video/180p/00001.m4s"])
        #expect(try folder().get(key) == Data("first".utf8))
        #expect(try third.get(key) == Data("third".utf8))
        #expect(try third.open(key).size == 5)
        #expect(try third.info(of: key)?.key == key)
        #expect(third.files == [record("video/180p/00001-3.m4s", Data("third".utf8))])
        try third.delete(key)
        #expect(try stored == ["video/180p/00001.m4s"])
    }

    @Test func audioOfALaterAttemptHasItsOwnNames() throws {
        let folder = folder(.track, attempt: 2)
        for key in [plan.audio[0].initKey, plan.audio[0].segmentKey(0)] { try folder.put(Data([1]), at: key) }
        #expect(try stored == folder.files.map(\.key))
        #expect(try stored.allSatisfy { $0.contains("-2.") })
    }

    @Test func everyAttemptOfTheFinishTaskUsesTheSameNames() throws {
        try folder(.finish, attempt: 4).put(Data([1]), at: "master.m3u8")
        #expect(try stored == ["master.m3u8"])
    }

    @Test func aListReturnsNamesRelativeToTheFolder() throws {
        let folder = folder()
        for key: ObjectKey in ["a/1", "a/2", "a/3", "b"] { try folder.put(Data([1]), at: key) }
        try store.put(Data([1]), at: "videos/another/a/4")
        #expect(try folder.list(prefix: "a/", after: nil, limit: 10) == ["a/1", "a/2", "a/3"])
        #expect(try folder.list(prefix: "a/", after: "a/1", limit: 1) == ["a/2"])
    }

    // MARK: Parameter sets

    @Test func parameterSetsOfTheFirstChunkAreStoredAndRecordedUnderThePlansName() throws {
        let folder = folder(attempt: 2)
        try folder.put(Data("sets".utf8), at: rung.initKey)
        #expect(try stored == ["video/180p/init-2.mp4"])
        #expect(folder.files == [record("video/180p/init.mp4", Data("sets".utf8))])
    }

    @Test func theFirstChunkOfEachWaveStoresItsParameterSets() throws {
        let plan = plan.addingAWave()
        let key = try #require(plan.video?.renditions.last?.initKey)
        for index in [2, 3] { try folder(index: index, plan: plan).put(Data([1]), at: key) }
        #expect(try stored == ["video/180p-hevc/init.mp4"])
        let task = WorkTask(
            id: .make(), jobID: job, videoID: video, kind: .chunk, index: 2, priority: .normal, attempt: 2,
            notBefore: .now, result: TaskResult(files: [record(key.rawValue, Data([1]))]), createdAt: .now)
        #expect(
            AttemptFolder.objects(of: task, plan: plan).map(\.key.rawValue) == ["\(prefix)video/180p-hevc/init-2.mp4"])
    }

    @Test(arguments: [1, 2]) func parameterSetsOfAnotherChunkAreRecordedAndNotStored(attempt: Int) throws {
        let first = Data("of the first chunk".utf8)
        try folder().put(first, at: rung.initKey)
        let other = folder(index: 1, attempt: attempt)
        #expect(try other.info(of: rung.initKey) == nil)
        let sets = Data("of another chunk".utf8)
        try other.put(sets, at: rung.initKey)
        #expect(try other.get(rung.initKey) == sets)
        #expect(try other.info(of: rung.initKey)?.size == Int64(sets.count))
        #expect(other.files == [record("video/180p/init.mp4", sets)])
        // Neither a stream nor a deletion affects the stored ones.
        try other.put(at: rung.initKey) { write in
            try write(Data("in ".utf8))
            try write(Data("pieces".utf8))
        }
        #expect(other.files == [record("video/180p/init.mp4", Data("in pieces".utf8))])
        try other.delete(rung.initKey)
        #expect(other.files.isEmpty)
        #expect(try other.info(of: rung.initKey) == nil)
        #expect(try stored == ["video/180p/init.mp4"])
        #expect(try folder().get(rung.initKey) == first)
    }

    /// They are kept in memory, so their size must be limited.
    @Test func parameterSetsOfAnotherChunkAreLimitedInSize() throws {
        let other = folder(index: 1)
        let large = Data(count: 1 << 20 + 1)
        #expect { try other.put(large, at: rung.initKey) } throws: { ($0 as? ClairoError)?.kind == .defect }
        var taken = 0
        #expect {
            try other.put(at: rung.initKey) { write in
                for _ in 0..<100 {
                    try write(Data(count: 1 << 18))
                    taken += 1
                }
            }
        } throws: { ($0 as? ClairoError)?.kind == .defect }
        #expect(taken == 4)
        #expect(other.files.isEmpty)
        #expect(try other.info(of: rung.initKey) == nil)
        try other.put(Data(count: 1 << 20), at: rung.initKey)
    }

    // MARK: Failures

    /// A folder on disk, and names that cause errors for which the task is to blame.
    private func folder(on root: URL) -> AttemptFolder {
        AttemptFolder(
            store: DirectoryStore(root: root),
            spec: TaskSpec(
                taskID: .make(), jobID: job, videoID: video, attempt: 1, traceID: "", work: .chunk(plan, index: 0)),
            check: {})
    }

    @Test func anImpossibleNameIsTheTasksFaultAndNotTheWorkers() throws {
        let scratch = try Scratch()
        let folder = folder(on: scratch.url("out"))
        try folder.put(Data([1]), at: "a")
        try folder.put(Data([1]), at: "b/c")
        for key in ["a/b", "a/b/c", "b", String(repeating: "x", count: 300)] {
            for isStream in [false, true] {
                #expect("\(key)") {
                    if isStream {
                        try folder.put(at: ObjectKey(key)) { try $0(Data([1])) }
                    } else {
                        try folder.put(Data([1]), at: ObjectKey(key))
                    }
                } throws: {
                    ($0 as? ClairoError)?.kind == .defect
                }
            }
        }
    }

    @Test func anUnwritableFolderIsARefusalByTheStore() throws {
        let scratch = try Scratch()
        try scratch.write("in the way", to: "out")
        for isStream in [false, true] {
            let folder = folder(on: scratch.url("out"))
            #expect {
                if isStream {
                    try folder.put(at: rung.segmentKey(0)) { try $0(Data([1])) }
                } else {
                    try folder.put(Data([1]), at: rung.segmentKey(0))
                }
            } throws: {
                ($0 as? ClairoError)?.kind == .refused && ($0 as? ClairoError)?.exitCode == .cannotCreate
            }
        }
    }

    @Test func onlyTheFilesOfAFailedAttemptAreRemoved() throws {
        try folder().put(Data([1]), at: rung.initKey)
        try folder().put(Data([1]), at: rung.segmentKey(0))
        let second = folder(index: 1, attempt: 2)
        for key in [rung.initKey, rung.segmentKey(2), "left/over"] { try second.put(Data([2]), at: key) }
        lease.lose()
        second.discard()
        #expect(try stored == ["video/180p/00001.m4s", "video/180p/init.mp4"])
        // The finish task uses the same names in every attempt.
        let finish = folder(.finish, lease: Lease(since: .now, seconds: 60))
        try finish.put(Data([1]), at: "master.m3u8")
        finish.discard()
        #expect(try stored.contains("master.m3u8"))
    }

    // MARK: Leases

    @Test func nothingIsWrittenOnceTheLeaseIsLost() throws {
        let folder = folder()
        try folder.put(Data("kept".utf8), at: rung.segmentKey(0))
        lease.lose()
        let before = folder.files
        #expect(throws: ClairoError.cancelled) { try folder.put(Data([1]), at: rung.segmentKey(0)) }
        #expect(throws: ClairoError.cancelled) { try folder.put(Data([1]), at: rung.segmentKey(1)) }
        #expect(throws: ClairoError.cancelled) { try folder.put(at: rung.segmentKey(1)) { try $0(Data([1])) } }
        #expect(throws: ClairoError.cancelled) { try folder.delete(rung.segmentKey(0)) }
        #expect(try stored == ["video/180p/00001.m4s"])
        #expect(try folder.get(rung.segmentKey(0)) == Data("kept".utf8))
        #expect(folder.files == before)
    }

    @Test func aStreamThatLosesItsLeaseMidwayLeavesNothing() throws {
        let folder = folder()
        #expect(throws: ClairoError.cancelled) {
            try folder.put(at: rung.segmentKey(0)) { write in
                try write(Data([1]))
                lease.lose()
                try write(Data([2]))
            }
        }
        // Even if the last piece was written before.
        let second = Lease(since: .now, seconds: 3600)
        let other = self.folder(lease: second)
        #expect(throws: ClairoError.cancelled) {
            try other.put(at: rung.segmentKey(1)) { write in
                try write(Data([1]))
                second.lose()
            }
        }
        #expect(try stored.isEmpty)
        #expect(folder.files.isEmpty && other.files.isEmpty)
    }

    @Test func anExpiredLeaseIsLostUnlessItWasRenewed() throws {
        let lease = Lease(since: .now - .seconds(60), seconds: 60)
        let folder = folder(lease: lease)
        #expect(throws: ClairoError.cancelled) { try folder.put(Data([1]), at: rung.segmentKey(0)) }
        #expect(lease.stop.isCancelled)
        #expect(try stored.isEmpty)
        // If renewed in time, the lease is valid.
        let renewed = Lease(since: .now - .seconds(60), seconds: 60)
        renewed.renewed(since: .now)
        try self.folder(lease: renewed).put(Data([1]), at: rung.segmentKey(0))
        #expect(try stored.count == 1)
    }

    // MARK: Records

    @Test func theRecordsDescribeTheLastContentOfEachFile() throws {
        let folder = folder()
        try folder.put(Data("longer, at first".utf8), at: rung.segmentKey(1))
        try folder.put(Data("short".utf8), at: rung.segmentKey(1))
        try folder.put(at: rung.segmentKey(0)) { write in
            for piece in ["in ", "three ", "pieces"] { try write(Data(piece.utf8)) }
        }
        try folder.put(Data(), at: "empty")
        try folder.put(Data([1]), at: "gone")
        try folder.delete("gone")
        #expect(
            folder.files == [
                record("empty", Data()), record("video/180p/00001.m4s", Data("in three pieces".utf8)),
                record("video/180p/00002.m4s", Data("short".utf8)),
            ])
        for file in folder.files {
            #expect(Checksum.sha256(try store.get(ObjectKey(prefix + file.key))) == file.sha256)
        }
    }

    // MARK: Remote folders

    /// The folder of the same attempt, as used by a task on another machine.
    private func remote(index: Int = 0, attempt: Int = 1) -> AttemptFolder {
        AttemptFolder(
            store: store,
            spec: TaskSpec(
                taskID: .make(), jobID: job, videoID: video, attempt: attempt, traceID: "",
                work: .chunk(plan, index: index)), check: {})
    }

    @Test(arguments: [0, 1], [1, 3]) func aRemoteFolderUsesTheSameNamesAndItsRecordsAreAdopted(
        index: Int, attempt: Int
    ) throws {
        let (here, there) = (folder(index: index, attempt: attempt), remote(index: index, attempt: attempt))
        for key in [rung.initKey, rung.segmentKey(0)] { try there.put(Data(key.rawValue.utf8), at: key) }
        try here.adopt(there.ownFiles)
        #expect(here.files == there.files)
        // Afterwards, it behaves as if the files had been written here.
        let before = try stored
        for key in [rung.initKey, rung.segmentKey(0)] { try here.put(Data(key.rawValue.utf8), at: key) }
        #expect(try stored == before)
        #expect(here.files == there.files)
    }

    @Test func aFileThatDiffersFromItsReportIsNotAdopted() throws {
        let there = remote()
        let key = rung.segmentKey(0)
        try there.put(Data("segment".utf8), at: key)
        let files = there.ownFiles
        for other in [Data("longer than it".utf8), Data("SEGMENT".utf8), nil] {
            if let other {
                try store.put(other, at: ObjectKey(prefix + key.rawValue))
            } else {
                try store.delete(ObjectKey(prefix + key.rawValue))
            }
            let here = folder()
            #expect { try here.adopt(files) } throws: { ($0 as? ClairoError)?.kind == .transient }
            #expect(here.files.isEmpty)
        }
    }

    @Test func nothingIsAdoptedOnceTheLeaseIsLost() throws {
        let there = remote()
        try there.put(Data("segment".utf8), at: rung.segmentKey(0))
        let here = folder()
        lease.lose()
        #expect(throws: ClairoError.cancelled) { try here.adopt(there.ownFiles) }
        #expect(here.files.isEmpty)
    }
}
