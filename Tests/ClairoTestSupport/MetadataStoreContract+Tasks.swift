internal import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static var tasks: [Clause] {
        [
            Clause("a succeeded plan task gives the job its plan and its tasks") { store async throws in
                let plan = try await claim(try await create([.plan], in: store)[0], in: store)
                let job = try #require(try await store.job(plan.jobID))
                let tasks = [(WorkTask.Kind.chunk, 0), (.chunk, 1), (.track, 0)].map {
                    MetadataSamples.task(of: job, $0, index: $1)
                }
                let result = TaskResult(
                    plan: MetadataSamples.plan, warnings: [MetadataSamples.warning], decodedFrames: 7)
                let messages = [MetadataSamples.message(of: job.videoID, topic: "clairo.tasks", key: "t")]
                for _ in 0..<2 {
                    // The second call repeats one with a lost reply.
                    #expect(
                        try await store.succeedPlan(
                            plan.claim, result: result, plan: MetadataSamples.plan, tasks: tasks, messages: messages))
                }
                let now = try #require(try await store.job(job.id))
                #expect(now.state == .running)
                #expect(now.plan == MetadataSamples.plan)
                #expect(now.warnings == [MetadataSamples.warning])
                let all = try await store.tasks(of: job.id)
                #expect(Array(all.dropFirst()) == tasks)
                #expect(all[0].state == .succeeded)
                #expect(all[0].result == result)
                #expect(try await store.unsentMessages() == 2)
            },
            Clause("a succeeded task keeps its result, and the last one creates the finish task once") {
                store async throws in
                let tasks = try await create([.chunk, .chunk, .track], in: store)
                let job = try #require(try await store.job(tasks[0].jobID))
                let finish = MetadataSamples.task(of: job, .finish)
                let message = MetadataSamples.message(of: job.videoID, topic: "clairo.tasks", key: "finish")
                let result = TaskResult(
                    files: [FileRecord(key: "video/720p/00001.m4s", bytes: 9, sha256: "ab")], decodedFrames: 1500)
                for (index, task) in tasks.enumerated() {
                    let claimed = try await claim(task, in: store)
                    for _ in 0..<2 {
                        #expect(
                            try await store.succeedTask(
                                claimed.claim, result: result, finish: finish, messages: [message]))
                    }
                    let isLast = index == tasks.count - 1
                    #expect(try await store.job(job.id)?.state == (isLast ? .finishing : job.state))
                    #expect(try await store.tasks(of: job.id).count == (isLast ? 4 : 3))
                    #expect(try await store.unsentMessages() == (isLast ? 2 : 1))
                }
                let after = try await store.tasks(of: job.id)
                #expect(after.dropLast().allSatisfy { $0.state == .succeeded && $0.result == result })
                #expect(after.allSatisfy { $0.owner == nil && $0.leaseUntil == nil })
                #expect(after.dropLast().allSatisfy { $0.framesDone == $0.framesPlanned })
                #expect(after.last == finish)
            },
            Clause("if a job's last tasks end concurrently, one creates the finish task") { store async throws in
                for _ in 0..<40 {
                    let tasks = try await create([.chunk, .chunk, .track], in: store)
                    let claimed = try await claim(tasks, in: store)
                    // Each call supplies its own finish task, so a second one would be visible.
                    let results = try await concurrently(3) { try await succeed(claimed[$0], in: store) }
                    #expect(results == [true, true, true])
                    let after = try await store.tasks(of: tasks[0].jobID)
                    #expect(after.filter { $0.kind == .finish }.count == 1)
                    #expect(try await store.job(tasks[0].jobID)?.state == .finishing)
                }
            },
            Clause("a succeeded finish task publishes the video, its output and its renditions") {
                store async throws in
                let finish = try await reachFinish(in: store)
                let job = try #require(try await store.job(finish.jobID))
                let renditions = [MetadataSamples.rendition(of: job), MetadataSamples.rendition(of: job, 720)]
                let message = MetadataSamples.message(of: job.videoID, topic: "clairo.events")
                let pending = try await store.unsentMessages()
                let warnings = [MetadataSamples.warning, MediaWarning(.damaged, "Größe \"x\"")]
                for _ in 0..<2 {
                    #expect(
                        try await store.succeedFinish(
                            finish.claim, result: TaskResult(warnings: warnings), renditions: renditions.reversed(),
                            output: MetadataSamples.output, messages: [message]))
                }
                let now = try #require(try await store.job(job.id))
                #expect(now.state == .succeeded)
                #expect(now.finishedAt != nil)
                #expect(now.warnings == warnings)
                let video = try #require(try await store.video(job.videoID))
                #expect(video.state == .ready)
                #expect(video.output == MetadataSamples.output)
                #expect(video.error == nil)
                #expect(try await store.renditions(of: job.videoID) == renditions)
                #expect(try await store.unsentMessages() == pending + 1)
                #expect(try await store.pendingWork().tasks == 0)
            },
            Clause("renditions of all kinds are read as they were written, by kind") { store async throws in
                let finish = try await reachFinish(in: store)
                let job = try #require(try await store.job(finish.jobID))
                let renditions = MetadataSamples.renditionsOfAllKinds(of: job)
                #expect(
                    try await store.succeedFinish(
                        finish.claim, result: TaskResult(), renditions: renditions.reversed(),
                        output: MetadataSamples.output, messages: []))
                #expect(try await store.renditions(of: job.videoID) == renditions)
            },
            Clause("a later job's renditions replace the earlier ones") { store async throws in
                let first = try await publish(try await reachFinish(in: store), heights: [1080, 720], in: store)
                let second = MetadataSamples.job(of: first.videoID)
                #expect(
                    try await store.startJob(
                        second, tasks: [MetadataSamples.task(of: second)], messages: [], from: [.ready]))
                #expect(try await store.renditions(of: first.videoID).count == 2)
                let finish = try await end(second, in: store)
                _ = try await publish(finish, heights: [480], in: store)
                #expect(try await store.renditions(of: first.videoID).map(\.record.id) == ["480p"])
                #expect(try await store.video(first.videoID)?.jobID == second.id)
            },
            Clause("a task to be retried becomes due after its delay") { store async throws in
                let tasks = try await create([.chunk, .chunk], in: store)
                let failure = Failure(kind: .transient, message: "lost the store", advice: "wait")
                for (claimed, delay) in zip(try await claim(tasks, in: store), [0.0, 3600]) {
                    let message = MetadataSamples.message(of: claimed.videoID, topic: "clairo.tasks", delay: delay)
                    for _ in 0..<2 {
                        #expect(
                            try await store.retryTask(
                                claimed.claim, failure: failure, afterSeconds: delay, countsAsAttempt: true,
                                messages: [message]))
                    }
                }
                let after = try await store.tasks(of: tasks[0].jobID)
                #expect(after.map(\.state) == [.pending, .pending])
                #expect(after.allSatisfy { $0.error == failure && $0.owner == nil && $0.maxAttempts == 5 })
                #expect(after[1].notBefore.seconds(since: after[1].updatedAt) > 3599)
                #expect(try await store.unsentMessages() == 3)
                let again = try #require(try await claimNext(in: store))
                #expect(again.id == tasks[0].id)
                #expect(again.attempt == 2)
                #expect(try await claimNext(in: store) == nil)
            },
            Clause("a lack of capacity and a release do not count as attempts") { store async throws in
                let tasks = try await create([.chunk, .chunk], in: store)
                let full = try await claim(tasks[0], in: store)
                #expect(
                    try await store.retryTask(
                        full.claim, failure: Failure(kind: .capacity, message: "full"), afterSeconds: 3600,
                        countsAsAttempt: false, messages: []))
                let back = try await claim(tasks[1], in: store)
                let message = MetadataSamples.message(of: back.videoID, topic: "clairo.tasks")
                for _ in 0..<2 { #expect(try await store.releaseTask(back.claim, messages: [message])) }
                let after = try await store.tasks(of: tasks[0].jobID)
                #expect(after.allSatisfy { $0.attempt == 1 && $0.maxAttempts == 6 && $0.state == .pending })
                #expect(try await store.unsentMessages() == 2)
                #expect(try await claimNext(in: store)?.attempt == 2)
            },
            Clause("a permanent failure ends the job and the video and voids other claims") { store async throws in
                let tasks = try await create([.chunk, .chunk, .chunk, .track], in: store)
                let held = try await claim(tasks[0], in: store)
                #expect(try await succeed(try await claim(tasks[1], in: store), in: store))
                let failing = try await claim(tasks[2], in: store)
                let failure = Failure(kind: .badInput, message: "damaged", advice: "Send it again.")
                let letter = MetadataSamples.deadLetter(of: failing.videoID, topic: "clairo.tasks")
                let message = MetadataSamples.message(of: failing.videoID, topic: "clairo.tasks.dlq")
                for _ in 0..<2 {
                    #expect(
                        try await store.failTask(
                            failing.claim, failure: failure, messages: [message], deadLetter: letter))
                }
                let after = try await store.tasks(of: failing.jobID)
                #expect(after.map(\.state) == [.cancelled, .succeeded, .failed, .cancelled])
                #expect(after.map(\.error) == [nil, nil, failure, nil])
                let job = try #require(try await store.job(failing.jobID))
                #expect(job.state == .failed)
                #expect(job.error == failure)
                #expect(job.finishedAt != nil)
                let video = try #require(try await store.video(failing.videoID))
                #expect(video.state == .failed)
                #expect(video.error == failure)
                #expect(try await store.deadLetter(letter.id) == letter)
                #expect(try await store.unsentMessages() == 2)
                #expect(try await claimNext(in: store) == nil)
                try await expectVoid(held, in: store)
            },
            Clause("if tasks of a job fail concurrently, one sets the error") { store async throws in
                for _ in 0..<10 {
                    let tasks = try await create([.chunk, .chunk, .chunk], in: store)
                    let claimed = try await claim(tasks, in: store)
                    let hold = try await concurrently(3) { index in
                        try await store.failTask(
                            claimed[index].claim, failure: Failure(kind: .badInput, message: "\(index)"), messages: [],
                            deadLetter: nil)
                    }
                    #expect(hold.count { $0 } == 1)
                    let after = try await store.tasks(of: tasks[0].jobID)
                    let failed = after.filter { $0.state == .failed }
                    #expect(failed.count == 1)
                    #expect(after.count { $0.state == .cancelled } == 2)
                    #expect(try await store.video(tasks[0].videoID)?.error == failed.first?.error)
                }
            },
            Clause("the claims of a deleted video are void") { store async throws in
                let claimed = try await claim(try await create([.chunk, .chunk], in: store)[0], in: store)
                #expect(try await store.deleteVideo(claimed.videoID))
                #expect(try await store.renewLease(claimed.claim, leaseSeconds: lease, framesDone: 1) == false)
                #expect(try await succeed(claimed, in: store) == false)
                #expect(try await store.releaseTask(claimed.claim, messages: []) == false)
                let failure = Failure(kind: .defect, message: "x")
                #expect(
                    try await store.failTask(claimed.claim, failure: failure, messages: [], deadLetter: nil) == false)
                #expect(try await store.pendingWork().isEmpty)
            },
        ]
    }

    /// Ends the job's only chunk task and claims its finish task.
    static func end(_ job: Job, in store: any MetadataStore) async throws -> WorkTask {
        let chunk = try #require(try await store.tasks(of: job.id).first)
        #expect(try await succeed(try await claim(chunk, in: store), in: store))
        return try await claim(try #require(try await store.tasks(of: job.id).last), in: store)
    }

    /// A job whose finish task is claimed.
    static func reachFinish(in store: any MetadataStore) async throws -> WorkTask {
        let chunk = try await create([.chunk], in: store)[0]
        return try await end(try #require(try await store.job(chunk.jobID)), in: store)
    }

    static func publish(_ finish: WorkTask, heights: [Int], in store: any MetadataStore) async throws -> Job {
        let job = try #require(try await store.job(finish.jobID))
        #expect(
            try await store.succeedFinish(
                finish.claim, result: TaskResult(), renditions: heights.map { MetadataSamples.rendition(of: job, $0) },
                output: MetadataSamples.output, messages: []))
        return job
    }
}
