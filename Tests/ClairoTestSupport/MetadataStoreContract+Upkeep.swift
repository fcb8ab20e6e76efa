internal import ClairoCore
internal import Foundation
internal import Testing

extension MetadataStoreContract {
    static var deletions: [Clause] {
        [
            Clause("a deletion makes a video of any state deleting and is due at once") { store async throws in
                for state in Video.State.allCases where ![.processing, .deleting].contains(state) {
                    let video = MetadataSamples.video(state: state)
                    #expect(try await register(video, in: store))
                    let deleting = try #require(try await store.beginDeletion(of: video.id) { _ in [] })
                    #expect(deleting.state == .deleting && deleting.error == nil)
                    #expect(try await store.video(video.id) == deleting)
                    let deletion = try #require(try await store.deletion(of: video.id))
                    #expect(deletion.isQuiet && deletion.finishedAt == nil, "no worker held a task of it")
                    #expect(try await store.dueDeletions(limit: 100).map(\.videoID).contains(video.id))
                    #expect(try await store.beginDeletion(of: video.id) { _ in [] } == deleting, "idempotent")
                    #expect(try await store.deletion(of: video.id)?.requestedAt == deletion.requestedAt)
                }
                #expect(try await store.beginDeletion(of: .make()) { _ in [] } == nil)
                #expect(try await store.deletion(of: .make()) == nil)
            },
            Clause("a deletion cancels the running job, and waits for the leases of its workers") {
                store async throws in
                let tasks = try await create([.chunk, .chunk], in: store)
                let held = try await claim(tasks[0], in: store)
                let video = held.videoID
                let deleting = try await store.beginDeletion(of: video) { job in
                    [MetadataSamples.message(of: job.videoID, topic: Topic.events, key: job.state.rawValue)]
                }
                #expect(deleting?.state == .deleting)
                #expect(try await store.job(held.jobID)?.state == .cancelled)
                try await expectVoid(held, in: store)
                let sent = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
                #expect(sent.map(\.key).contains("cancelled"))
                let deletion = try #require(try await store.deletion(of: video))
                let end = try #require(held.leaseUntil).advanced(bySeconds: Deletion.quietSeconds)
                #expect(!deletion.isQuiet && deletion.quietAt == end)
                try await store.scheduleDeletion(of: video, .whenQuiet, failure: nil)
                #expect(try await store.dueDeletions(limit: 10).isEmpty)
            },
            Clause("a deletion waits for the leases that a cancel made void") { store async throws in
                let held = try await claim(try await create([.chunk], in: store)[0], in: store)
                #expect(try await store.cancelVideo(held.videoID) { _ in [] } != nil)
                _ = try await store.beginDeletion(of: held.videoID) { _ in [] }
                #expect(try await store.deletion(of: held.videoID)?.isQuiet == false)
            },
            Clause("a video that is being deleted cannot be started, cancelled, resumed or found by its content") {
                store async throws in
                let chunk = try await create([.chunk], in: store)[0]
                let video = try #require(try await store.beginDeletion(of: chunk.videoID) { _ in [] })
                #expect(try await store.cancelVideo(video.id) { _ in [] } == nil)
                #expect(try await store.retryJob(of: video.id, attempts: 3, lost: []) { _ in [] } == nil)
                let job = MetadataSamples.job(of: video.id)
                #expect(
                    try await store.startJob(
                        job, tasks: [], messages: [], from: [.uploaded, .ready, .failed, .cancelled]) == false)
                #expect(try await store.video(sha256: video.sha256) == nil)
                #expect(try await store.pendingWork().tasks == 0)
                #expect(try await store.video(video.id) == video)
            },
            Clause("of a deletion and the end of the finish task, the later one has no effect") { store async throws in
                for _ in 0..<20 {
                    let finish = try await reachFinish(in: store)
                    let job = try #require(try await store.job(finish.jobID))
                    let results = try await concurrently(2) { index in
                        if index == 0 { return try await store.beginDeletion(of: job.videoID) { _ in [] } != nil }
                        return try await store.succeedFinish(
                            finish.claim, result: TaskResult(), renditions: [MetadataSamples.rendition(of: job)],
                            output: MetadataSamples.output, messages: [])
                    }
                    #expect(results[0])
                    #expect(try await store.video(job.videoID)?.state == .deleting)
                    #expect([.succeeded, .cancelled].contains(try await store.job(job.id)?.state))
                }
            },
            Clause("a failed removal is shown as the error of the video, and is due later") { store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                _ = try await store.beginDeletion(of: video.id) { _ in [] }
                let failure = Failure(kind: .refused, message: "The bucket refuses it")
                try await store.scheduleDeletion(of: video.id, .after(seconds: 3600), failure: failure)
                #expect(try await store.video(video.id)?.error == failure)
                #expect(try await store.dueDeletions(limit: 10).isEmpty)
                try await store.scheduleDeletion(of: video.id, .after(seconds: -1), failure: nil)
                #expect(try await store.video(video.id)?.error == nil)
                #expect(try await store.dueDeletions(limit: 10).map(\.videoID) == [video.id])
                #expect(try await store.dueDeletions(limit: 0).isEmpty)
            },
            Clause("a deleted video leaves a tombstone, and is not registered again until that is removed") {
                store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                _ = try await store.beginDeletion(of: video.id) { _ in [] }
                #expect(try await register(video, in: store) == false)
                #expect(try await store.removeTombstones(olderThanSeconds: -3600, limit: 10) == 0, "it is not one yet")
                #expect(try await store.deleteVideo(video.id))
                #expect(try await store.video(video.id) == nil)
                #expect(try await store.deletion(of: video.id)?.finishedAt != nil)
                #expect(try await store.dueDeletions(limit: 10).isEmpty, "the last look is later")
                #expect(try await register(video, in: store) == false)
                #expect(try await store.video(video.id) == nil)
                #expect(try await store.deleteVideo(video.id) == false)
                #expect(try await store.removeTombstones(olderThanSeconds: 3600, limit: 10) == 0)
                // Slightly in the future, so that a tombstone of now is older.
                #expect(try await store.removeTombstones(olderThanSeconds: -3600, limit: 0) == 0)
                #expect(try await store.removeTombstones(olderThanSeconds: -3600, limit: 10) == 1)
                #expect(try await store.deletion(of: video.id) == nil)
                #expect(try await register(video, in: store))
            },
        ]
    }

    static var duties: [Clause] {
        [
            Clause("of concurrent processes, one gets a duty, and keeps it while it renews its lease") {
                store async throws in
                #expect(try await store.dutyStatus(.upkeep) == nil)
                let taken = try await concurrently(8) { index in
                    try await store.takeDuty(.upkeep, owner: "w\(index)", leaseSeconds: lease, evenIfNotDue: false)
                }
                #expect(taken.count { $0 } == 1)
                let owner = try #require(try await store.dutyStatus(.upkeep)?.owner)
                #expect(try await store.takeDuty(.upkeep, owner: owner, leaseSeconds: lease, evenIfNotDue: false))
                #expect(
                    try await store.takeDuty(.upkeep, owner: "other", leaseSeconds: lease, evenIfNotDue: true) == false)
                #expect(
                    try await store.takeDuty(.leftovers, owner: "other", leaseSeconds: lease, evenIfNotDue: false),
                    "duties are independent")
            },
            Clause("an expired lease passes to another process, and its owner cannot renew it") { store async throws in
                #expect(try await store.takeDuty(.upkeep, owner: "dead", leaseSeconds: -1, evenIfNotDue: false))
                #expect(try await store.dutyStatus(.upkeep)?.owner == nil)
                #expect(try await store.takeDuty(.upkeep, owner: "next", leaseSeconds: lease, evenIfNotDue: false))
                #expect(
                    try await store.takeDuty(.upkeep, owner: "dead", leaseSeconds: lease, evenIfNotDue: false) == false)
                try await store.endDuty(.upkeep, owner: "dead", succeeded: true, dueAfterSeconds: 0)
                #expect(try await store.dutyStatus(.upkeep) == DutyStatus(owner: "next", succeededAt: nil))
            },
            Clause("a duty is due again after its interval, or at once for who asks for it") { store async throws in
                #expect(try await store.takeDuty(.upkeep, owner: "a", leaseSeconds: lease, evenIfNotDue: false))
                try await store.endDuty(.upkeep, owner: "a", succeeded: true, dueAfterSeconds: 3600)
                let first = try #require(try await store.dutyStatus(.upkeep)?.succeededAt)
                #expect(
                    try await store.takeDuty(.upkeep, owner: "b", leaseSeconds: lease, evenIfNotDue: false) == false)
                #expect(try await store.takeDuty(.upkeep, owner: "b", leaseSeconds: lease, evenIfNotDue: true))
                try await store.endDuty(.upkeep, owner: "b", succeeded: false, dueAfterSeconds: -1)
                #expect(try await store.dutyStatus(.upkeep) == DutyStatus(owner: nil, succeededAt: first))
                #expect(try await store.takeDuty(.upkeep, owner: "a", leaseSeconds: lease, evenIfNotDue: false))
            },
        ]
    }

    static var garbage: [Clause] {
        [
            Clause("a job without a failed attempt has no garbage") { store async throws in
                let job = try await publish(try await reachFinish(in: store), heights: [720], in: store)
                #expect(try await garbage(in: store).isEmpty)
                #expect(try await store.job(job.id)?.sweptAt == nil)
            },
            Clause("a job that succeeded after a repeated attempt has garbage until it is swept") {
                store async throws in
                let tasks = try await create([.chunk], in: store)
                let lost = try await claim(tasks[0], in: store)
                #expect(try await store.releaseTask(lost.claim, messages: []))
                let job = try await publish(
                    try await end(try #require(try await store.job(lost.jobID)), in: store), heights: [720], in: store)
                let ended = try #require(try await store.job(job.id))
                let mark = try #require(
                    try await store.jobsWithGarbage(olderThanSeconds: -3600, after: nil, limit: 10).first)
                #expect(mark.job == ended)
                #expect(try await store.jobsWithGarbage(olderThanSeconds: 3600, after: nil, limit: 10).isEmpty)
                try await store.endSweep(of: ended)
                #expect(try await garbage(in: store).isEmpty)
                #expect(try await store.job(job.id) == ended)
            },
            Clause("an unsuccessful job has garbage, which a retry makes its own again") { store async throws in
                let failing = try await claim(try await create([.chunk], in: store)[0], in: store)
                #expect(
                    try await store.failTask(
                        failing.claim, failure: Failure(kind: .badInput, message: "x"), messages: [], deadLetter: nil))
                #expect(try await garbage(in: store) == [failing.jobID])
                #expect(try await store.retryJob(of: failing.videoID, attempts: 3, lost: []) { _ in [] } != nil)
                #expect(try await garbage(in: store).isEmpty)
                #expect(try await store.cancelVideo(failing.videoID) { _ in [] } != nil)
                #expect(try await garbage(in: store) == [failing.jobID])
            },
            Clause("the job of a replaced output has garbage once the new one is published") { store async throws in
                let old = try await publish(try await reachFinish(in: store), heights: [720], in: store)
                let job = MetadataSamples.job(of: old.videoID)
                #expect(
                    try await store.startJob(
                        job, tasks: [MetadataSamples.task(of: job)], messages: [], from: [.ready]))
                #expect(try await garbage(in: store).isEmpty)
                _ = try await publish(try await end(job, in: store), heights: [480], in: store)
                #expect(try await garbage(in: store) == [old.id])
            },
            Clause("a job whose output is being removed cannot be resumed") { store async throws in
                let chunk = try await create([.chunk], in: store)[0]
                #expect(try await store.cancelVideo(chunk.videoID) { _ in [] } != nil)
                let job = try #require(try await store.job(chunk.jobID))
                #expect(try await store.beginSweep(of: job))
                let swept = try #require(try await store.job(job.id)?.sweptAt)
                #expect(try await store.beginSweep(of: job), "after a crash it is swept again")
                #expect(try await store.job(job.id)?.sweptAt == swept)
                #expect(try await store.retryJob(of: job.videoID, attempts: 3, lost: []) { _ in [] } == nil)
                #expect(try await store.video(job.videoID)?.state == .cancelled)
            },
            Clause("a job that was resumed since it was read is not swept") { store async throws in
                let chunk = try await create([.chunk], in: store)[0]
                #expect(try await store.cancelVideo(chunk.videoID) { _ in [] } != nil)
                let job = try #require(try await store.job(chunk.jobID))
                #expect(try await store.retryJob(of: job.videoID, attempts: 3, lost: []) { _ in [] } != nil)
                #expect(try await store.beginSweep(of: job) == false)
                #expect(try await store.cancelVideo(chunk.videoID) { _ in [] } != nil)
                #expect(try await store.beginSweep(of: job) == false, "nor when that attempt has ended too")
                try await store.endSweep(of: job)
                #expect(try await garbage(in: store) == [job.id])
                #expect(try await store.job(job.id)?.sweptAt == nil)
            },
            Clause("of a concurrent sweep and retry, one wins") { store async throws in
                for _ in 0..<20 {
                    let chunk = try await create([.chunk], in: store)[0]
                    #expect(try await store.cancelVideo(chunk.videoID) { _ in [] } != nil)
                    let job = try #require(try await store.job(chunk.jobID))
                    let results = try await concurrently(2) { index in
                        if index == 0 { return try await store.beginSweep(of: job) }
                        return try await store.retryJob(of: job.videoID, attempts: 3, lost: []) { _ in [] } != nil
                    }
                    #expect(results.count { $0 } == 1)
                    // Leaves nothing for the next round to claim.
                    if results[1] { _ = try await store.cancelVideo(chunk.videoID) { _ in [] } }
                }
            },
            Clause("jobs with garbage are listed longest first, in pages") { store async throws in
                var ids: [JobID] = []
                for _ in 0..<5 {
                    let chunk = try await create([.chunk], in: store)[0]
                    #expect(try await store.cancelVideo(chunk.videoID) { _ in [] } != nil)
                    ids.append(chunk.jobID)
                }
                var found: [JobID] = []
                var last: JobWithGarbage?
                repeat {
                    let page = try await store.jobsWithGarbage(olderThanSeconds: -3600, after: last, limit: 2)
                    found += page.map(\.job.id)
                    last = page.last
                } while last != nil
                #expect(found == ids)
                #expect(try await store.jobsWithGarbage(olderThanSeconds: -3600, after: nil, limit: 0).isEmpty)
            },
            Clause("idle uploads are found, longest first") { store async throws in
                let ages: [Double] = [100, 10_000, 5000]
                let uploads = ages.map { age in
                    var upload = MetadataSamples.upload(expiresIn: 36_000)
                    upload.updatedAt = Timestamp.now.advanced(bySeconds: -age)
                    return upload
                }
                for upload in uploads { try await store.createUpload(upload) }
                var complete = MetadataSamples.upload(expiresIn: 36_000)
                (complete.state, complete.updatedAt) = (.complete, uploads[1].updatedAt)
                try await store.createUpload(complete)
                func idle(_ seconds: Double, limit: Int = 10) async throws -> [UploadID] {
                    try await store.idleUploads(olderThanSeconds: seconds, limit: limit).map(\.id)
                }
                #expect(try await idle(3600) == [uploads[1].id, uploads[2].id])
                #expect(try await idle(3600, limit: 1) == [uploads[1].id])
                _ = try await store.updateUpload(uploads[1])
                #expect(try await idle(3600) == [uploads[2].id])
            },
            Clause("dead letters are bounded by count and bytes, redriven ones first, then the oldest") {
                store async throws in
                var letters: [DeadLetter] = []
                for second in 0..<6 {
                    var letter = MetadataSamples.deadLetter()
                    letter.createdAt = letter.createdAt.advanced(bySeconds: Double(second - 10))
                    letter.payload = Data(repeating: 7, count: 3000)
                    letters.append(letter)
                    try await store.addDeadLetter(letter, messages: [])
                }
                #expect(try await store.redriveDeadLetter(letters[4].id, messages: []))
                func trim(_ count: Int, bytes: Int64 = 1 << 30, limit: Int = 100) async throws -> [MessageID] {
                    try await store.trimDeadLetters(toCount: count, bytes: bytes, limit: limit).map(\.id)
                }
                #expect(try await trim(6).isEmpty)
                let removed = try await store.trimDeadLetters(toCount: 4, bytes: 1 << 30, limit: 100)
                #expect(removed.map(\.id) == [letters[4].id, letters[0].id])
                #expect(removed.map(\.wasRedriven) == [true, false] && removed[0].topic == letters[4].topic)
                #expect(try await trim(0, limit: 1) == [letters[1].id])
                // A payload of 3000 bytes takes 4000 in Base64.
                #expect(try await trim(100, bytes: 12_000).isEmpty)
                #expect(try await trim(100, bytes: 7999) == [letters[2].id, letters[3].id])
                #expect(try await store.deadLetters(topic: nil, all: true, limit: 10).map(\.id) == [letters[5].id])
            },
            Clause("the queue keeps the newest messages of topics that nobody consumes") { store async throws in
                let messages = (0..<5).map { MetadataSamples.message(of: .make(), topic: Topic.events, key: "\($0)") }
                try await store.enqueue(messages)
                let others = [Topic.uploads, Topic.tasks, "held"].map {
                    MetadataSamples.message(of: .make(), topic: $0)
                }
                try await store.enqueue(others + [MetadataSamples.message(of: .make(), topic: "held", key: "k")])
                let held = try await store.claimQueued(topics: ["held"], owner: "c", limit: 1, leaseSeconds: lease)
                #expect(held.map(\.message.id) == [others[2].id])
                #expect(try await store.trimQueue(toCount: 5, limit: 100) == 0)
                #expect(try await store.trimQueue(toCount: 2, limit: 1) == 1)
                #expect(try await store.trimQueue(toCount: 1, limit: 100) == 3, "not the leased message")
                #expect(
                    try await store.queuedCounts() == [Topic.uploads: 1, Topic.tasks: 1, Topic.events: 1, "held": 2])
                let left = try await store.claimQueued(
                    topics: [Topic.events], owner: "c", limit: 10, leaseSeconds: lease)
                #expect(left.map(\.message.id) == [messages[4].id])
            },
        ]
    }

    /// Jobs that have garbage now.
    private static func garbage(in store: any MetadataStore) async throws -> [JobID] {
        // Slightly in the future, so that a mark of now is older.
        try await store.jobsWithGarbage(olderThanSeconds: -3600, after: nil, limit: 100).map(\.job.id)
    }
}
