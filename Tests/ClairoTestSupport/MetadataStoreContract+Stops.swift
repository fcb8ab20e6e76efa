internal import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static var stops: [Clause] {
        [
            Clause("cancelling a video stops its job and voids its claims") { store async throws in
                let tasks = try await create([.chunk, .chunk, .chunk], in: store)
                #expect(try await succeed(try await claim(tasks[0], in: store), in: store))
                let held = try await claim(tasks[1], in: store)
                let video = try #require(
                    try await store.cancelVideo(held.videoID) { job in
                        [MetadataSamples.message(of: job.videoID, topic: "clairo.events", key: job.state.rawValue)]
                    })
                #expect(video.state == .cancelled)
                #expect(try await store.video(video.id) == video)
                let job = try #require(try await store.job(held.jobID))
                #expect(job.state == .cancelled)
                #expect(job.finishedAt != nil)
                #expect(try await store.tasks(of: job.id).map(\.state) == [.succeeded, .cancelled, .cancelled])
                let sent = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
                #expect(sent.last?.key == "cancelled")
                #expect(try await claimNext(in: store) == nil)
                try await expectVoid(held, in: store)
            },
            Clause("a video without a job can be cancelled and then gets none") { store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                #expect(try await store.cancelVideo(video.id) { _ in [] }?.state == .cancelled)
                let job = MetadataSamples.job(of: video.id)
                #expect(try await store.startJob(job, tasks: [], messages: [], from: [.uploaded]) == false)
                #expect(try await store.job(job.id) == nil)
                #expect(try await store.retryJob(of: video.id, attempts: 3, lost: []) { _ in [] } == nil)
            },
            Clause("cancelling without a running job writes nothing") { store async throws in
                for state in [Video.State.ready, .failed, .cancelled] {
                    let video = MetadataSamples.video(state: state)
                    #expect(try await register(video, in: store))
                    #expect(try await store.cancelVideo(video.id) { _ in [] } == nil)
                    #expect(try await store.video(video.id) == video)
                }
                #expect(try await store.cancelVideo(.make()) { _ in [] } == nil)
            },
            Clause("a cancel concurrent with the end of a job's last tasks is safe") { store async throws in
                for round in 0..<40 {
                    let kinds: [WorkTask.Kind] = round % 2 == 0 ? [.chunk] : [.chunk, .chunk]
                    let tasks = try await create(kinds, in: store)
                    let held = try await claim(tasks, in: store)
                    let (jobID, videoID) = (tasks[0].jobID, tasks[0].videoID)
                    let isEnded = try await concurrently(held.count + 1) { index in
                        if index < held.count { return (index, try await succeed(held[index], in: store)) }
                        return (index, try await store.cancelVideo(videoID) { _ in [] } != nil)
                    }
                    let ends = Dictionary(uniqueKeysWithValues: isEnded)
                    #expect(ends[held.count] == true)
                    #expect(try await store.video(videoID)?.state == .cancelled)
                    #expect(try await store.job(jobID)?.state == .cancelled)
                    let after = try await store.tasks(of: jobID)
                    for index in held.indices {
                        #expect(after[index].state == (ends[index] == true ? .succeeded : .cancelled))
                    }
                    #expect(after.dropFirst(held.count).allSatisfy { $0.kind == .finish && $0.state == .cancelled })
                    #expect(try await store.pendingWork().tasks == 0)
                }
            },
            Clause("of a concurrent cancel and end of the finish task, one wins") { store async throws in
                for _ in 0..<20 {
                    let finish = try await reachFinish(in: store)
                    let job = try #require(try await store.job(finish.jobID))
                    let results = try await concurrently(2) { index in
                        if index == 0 { return try await store.cancelVideo(job.videoID) { _ in [] } != nil }
                        return try await store.succeedFinish(
                            finish.claim, result: TaskResult(), renditions: [MetadataSamples.rendition(of: job)],
                            output: MetadataSamples.output, messages: [])
                    }
                    #expect(results.count { $0 } == 1)
                    let video = try #require(try await store.video(job.videoID))
                    let isReady = video.state == .ready
                    #expect(isReady || video.state == .cancelled)
                    #expect(try await store.job(job.id)?.state == (isReady ? .succeeded : .cancelled))
                    #expect(try await store.renditions(of: video.id).count == (isReady ? 1 : 0))
                    #expect((video.output != nil) == isReady)
                }
            },
            Clause("a retry keeps succeeded tasks and resumes the others with more attempts") { store async throws in
                let tasks = try await create([.chunk, .chunk, .chunk], places: [7, 8, 9], in: store)
                let done = try await claim(tasks[0], in: store)
                #expect(try await succeed(done, in: store))
                let stale = try await claim(tasks[1], in: store)
                let failing = try await claim(tasks[2], in: store)
                #expect(
                    try await store.failTask(
                        failing.claim, failure: Failure(kind: .defect, message: "crashed"), messages: [],
                        deadLetter: nil))
                let job = try #require(
                    try await store.retryJob(of: failing.videoID, attempts: 3, lost: []) { task in
                        [MetadataSamples.message(of: task.videoID, topic: "again", key: task.id.rawValue)]
                    })
                #expect(try await store.job(job.id) == job)
                #expect(job.attempt == 2)
                #expect(job.error == nil)
                #expect(job.finishedAt == nil)
                #expect(try await store.video(job.videoID)?.state == .processing)
                #expect(try await store.video(job.videoID)?.error == nil)
                let after = try await store.tasks(of: job.id)
                #expect(after.map(\.state) == [.succeeded, .pending, .pending])
                #expect(after.map(\.maxAttempts) == [5, 4, 4])
                #expect(after.map(\.queueAt) == tasks.map(\.queueAt))
                #expect(after.allSatisfy { $0.error == nil && $0.owner == nil && $0.attempt == 1 })
                let sent = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
                #expect(
                    Set(sent.filter { $0.topic == "again" }.map(\.key)) == Set(tasks.dropFirst().map(\.id.rawValue)))
                // A previous owner of a task can no longer change it.
                #expect(try await store.renewLease(stale.claim, leaseSeconds: lease, framesDone: 1) == false)
                #expect(try await succeed(stale, in: store) == false)
                for task in tasks.dropFirst() {
                    let again = try await claim(task, in: store)
                    #expect(again.attempt == 2)
                    #expect(try await succeed(again, in: store))
                }
                #expect(try await store.job(job.id)?.state == .finishing)
                #expect(try await store.tasks(of: job.id).last?.kind == .finish)
                #expect(try await store.retryJob(of: job.videoID, attempts: 3, lost: []) { _ in [] } == nil)
            },
            Clause("a retry resumes the job in its state: planning, running or finishing") { store async throws in
                let plan = try await claim(try await create([.plan], in: store)[0], in: store)
                func stopAndRetry() async throws -> Job? {
                    #expect(try await store.cancelVideo(plan.videoID) { _ in [] } != nil)
                    return try await store.retryJob(of: plan.videoID, attempts: 3, lost: []) { _ in [] }
                }
                #expect(try await stopAndRetry()?.state == .planning)
                let again = try await claim(plan, in: store)
                let job = try #require(try await store.job(plan.jobID))
                #expect(
                    try await store.succeedPlan(
                        again.claim, result: TaskResult(), plan: MetadataSamples.plan,
                        tasks: [MetadataSamples.task(of: job)], messages: []))
                #expect(try await stopAndRetry()?.state == .running)
                let chunk = try #require(try await claimNext([.chunk], in: store))
                #expect(try await succeed(chunk, in: store))
                #expect(try await stopAndRetry()?.state == .finishing)
                let finish = try #require(try await claimNext(in: store))
                #expect(finish.kind == .finish)
                _ = try await publish(finish, heights: [720], in: store)
                #expect(try await store.video(plan.videoID)?.state == .ready)
            },
            Clause("a retry repeats succeeded tasks whose files are lost before it finishes the job") {
                store async throws in
                let tasks = try await create([.chunk, .chunk], in: store)
                for task in tasks { #expect(try await succeed(try await claim(task, in: store), in: store)) }
                let finish = try #require(try await claimNext([.finish], in: store))
                #expect(
                    try await store.failTask(
                        finish.claim, failure: Failure(kind: .defect, message: "a segment is damaged"), messages: [],
                        deadLetter: nil))
                let job = try #require(
                    try await store.retryJob(of: finish.videoID, attempts: 3, lost: [tasks[1].id]) { task in
                        [MetadataSamples.message(of: task.videoID, topic: "again", key: task.id.rawValue)]
                    })
                #expect(job.state != .finishing)
                let after = try await store.tasks(of: job.id)
                #expect(after.map(\.id) == tasks.map(\.id))
                #expect(after.map(\.state) == [.succeeded, .pending])
                #expect(after[0].result != nil)
                #expect(after[1].result == nil)
                let sent = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
                #expect(sent.filter { $0.topic == "again" }.map(\.key) == [tasks[1].id.rawValue])
                try await expectVoid(finish, in: store)
                let again = try await claim(tasks[1], in: store)
                #expect(again.attempt == 2)
                #expect(try await succeed(again, in: store))
                #expect(try await store.job(job.id)?.state == .finishing)
                let last = try #require(try await claimNext([.finish], in: store))
                #expect(last.id != finish.id)
                _ = try await publish(last, heights: [720], in: store)
                #expect(try await store.video(job.videoID)?.state == .ready)
            },
            Clause("a job replaced while running is stopped and cannot publish") { store async throws in
                let finish = try await reachFinish(in: store)
                let job = MetadataSamples.job(of: finish.videoID)
                #expect(
                    try await store.startJob(
                        job, tasks: [MetadataSamples.task(of: job)], messages: [], from: [.processing]))
                #expect(try await store.job(finish.jobID)?.state == .cancelled)
                try await expectVoid(finish, in: store)
                #expect(try await store.pendingWork().tasks == 1)
                _ = try await publish(try await end(job, in: store), heights: [720], in: store)
            },
        ]
    }
}
