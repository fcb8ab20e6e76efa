public import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static var claims: [Clause] {
        [
            Clause("a claim gives the task a lease and the next attempt") { store async throws in
                let task = try await create([.chunk], in: store)[0]
                let claimed = try #require(
                    try await store.claimNextTask(kinds: [.chunk], owner: "w1", leaseSeconds: 60))
                #expect(claimed.id == task.id)
                #expect(claimed.state == .running)
                #expect(claimed.attempt == 1)
                #expect(claimed.owner == "w1")
                let lease = try #require(claimed.leaseUntil).seconds(since: claimed.updatedAt)
                #expect(abs(lease - 60) < 0.001)
                #expect(try await store.tasks(of: task.jobID) == [claimed])
            },
            Clause("a worker reads the job and the video of its task at once") { store async throws in
                let task = try await claim(try await create([.chunk], in: store)[0], in: store)
                let context = try #require(try await store.context(of: task.claim))
                #expect(context.job == (try await store.job(task.jobID)))
                #expect(context.video == (try await store.video(task.videoID)))
                #expect(try await store.deleteVideo(task.videoID))
                #expect(try await store.context(of: task.claim) == nil)
            },
            Clause("a claimed, delayed or ended task cannot be claimed") { store async throws in
                let tasks = try await create([.chunk, .chunk, .chunk], delays: [0, 0, 3600], in: store)
                _ = try await claim(tasks[0], in: store)
                #expect(try await succeed(try await claim(tasks[1], in: store), in: store))
                #expect(try await claimNext(in: store) == nil)
            },
            Clause(
                "the next task is the one with the earliest queue position, whatever its priority, job or requested kind"
            ) {
                store async throws in
                let first = try await create(
                    [.chunk, .track, .chunk, .chunk], priorities: [.low, .high, .normal, .high], places: [5, 3, 1, 4],
                    in: store)
                let second = try await create([.plan, .chunk, .finish], places: [2, 0, 6], in: store)
                var order: [TaskID] = []
                while let task = try await claimNext([.chunk, .plan, .track], in: store) { order.append(task.id) }
                #expect(order == [second[1], first[2], second[0], first[1], first[3], first[0]].map(\.id))
                #expect(try await claimNext([], in: store) == nil)
                #expect(try await claimNext([.finish], in: store)?.id == second[2].id)
            },
            Clause("a retried task keeps its queue position") { store async throws in
                let tasks = try await create([.chunk, .chunk], places: [0, 1], in: store)
                let first = try #require(try await claimNext(in: store))
                #expect(try await store.releaseTask(first.claim, messages: []))
                #expect(try await claimNext(in: store)?.id == tasks[0].id)
            },
            Clause("sixteen concurrent claims get each task once") { store async throws in
                let tasks = try await create(Array(repeating: .chunk, count: 100), in: store)
                let claimed = try await concurrently(16) { worker in
                    var mine: [TaskID] = []
                    while let task = try await claimNext(owner: "w\(worker)", in: store) { mine.append(task.id) }
                    return mine
                }
                #expect(claimed.flatMap { $0 }.count == tasks.count)
                #expect(Set(claimed.flatMap { $0 }) == Set(tasks.map(\.id)))
            },
            Clause("of concurrent claims of one task, one succeeds") { store async throws in
                let task = try await create([.chunk], in: store)[0]
                let claims = try await concurrently(16) { worker in
                    try await claimNext(owner: "w\(worker)", in: store)
                }
                #expect(claims.compactMap { $0 }.map(\.id) == [task.id])
            },
            Clause("a task with an expired lease can be claimed, and its previous worker cannot change it") {
                store async throws in
                let task = try await create([.chunk], in: store)[0]
                let first = try #require(try await claimNext(owner: "w1", lease: 0, in: store))
                let second = try #require(try await claimNext(owner: "w2", in: store))
                #expect(second.id == task.id)
                #expect(second.attempt == first.attempt + 1)
                #expect(second.maxAttempts == first.maxAttempts + 1, "a dead worker's attempt does not count")
                #expect(second.owner == "w2")
                try await expectVoid(first, in: store)
                #expect(try await store.tasks(of: task.jobID) == [second])
                #expect(try await store.renewLease(second.claim, leaseSeconds: lease, framesDone: 7))
            },
            Clause("renewing a lease extends it and records progress") { store async throws in
                let task = try await create([.chunk], in: store)[0]
                let claimed = try #require(try await claimNext(owner: "w1", lease: -5, in: store))
                #expect(try await store.renewLease(claimed.claim, leaseSeconds: lease, framesDone: 750))
                #expect(try await claimNext(in: store) == nil)
                let now = try await store.tasks(of: task.jobID)[0]
                #expect(now.framesDone == 750)
                #expect(now.attempt == 1)
            },
        ]
    }

    /// Tasks of one job, created in order.
    /// - Parameter places: The positions in the queue, in seconds after 1970 (default: in order, just before now).
    public static func create(
        _ kinds: [WorkTask.Kind], priorities: [Priority] = [], delays: [Double] = [], places: [Double] = [],
        in store: any MetadataStore
    ) async throws -> [WorkTask] {
        let video = MetadataSamples.video()
        #expect(try await register(video, in: store))
        let job = MetadataSamples.job(of: video.id)
        let first = Timestamp.now.advanced(bySeconds: -1)
        let tasks = kinds.enumerated().map { index, kind in
            var task = MetadataSamples.task(
                of: job, kind, index: index, priority: index < priorities.count ? priorities[index] : .normal,
                delay: index < delays.count ? delays[index] : 0)
            task.queueAt =
                index < places.count
                ? Timestamp(microseconds: 0).advanced(bySeconds: places[index])
                : Timestamp(microseconds: first.microseconds + Int64(index))
            return task
        }
        #expect(try await store.startJob(job, tasks: tasks, messages: [], from: [.uploaded]))
        return tasks
    }

    static func claimNext(
        _ kinds: [WorkTask.Kind] = WorkTask.Kind.allCases, owner: String = "w", lease seconds: Double = lease,
        in store: any MetadataStore
    ) async throws -> WorkTask? {
        try await store.claimNextTask(kinds: kinds, owner: owner, leaseSeconds: seconds)
    }

    /// Claims a task, which must be the next of its kind.
    static func claim(_ task: WorkTask, in store: any MetadataStore) async throws -> WorkTask {
        let claimed = try #require(try await claimNext([task.kind], in: store))
        try #require(claimed.id == task.id)
        return claimed
    }

    /// Claims tasks, which must be the next of their kinds in this order.
    static func claim(_ tasks: [WorkTask], in store: any MetadataStore) async throws -> [WorkTask] {
        var claimed: [WorkTask] = []
        for task in tasks { claimed.append(try await claim(task, in: store)) }
        return claimed
    }

    /// Ends a claimed chunk or audio task successfully.
    static func succeed(_ task: WorkTask, in store: any MetadataStore) async throws -> Bool {
        let finish = WorkTask(
            id: .make(), jobID: task.jobID, videoID: task.videoID, kind: .finish, priority: task.priority,
            notBefore: task.createdAt, createdAt: task.createdAt)
        return try await store.succeedTask(task.claim, result: TaskResult(), finish: finish, messages: [])
    }

    /// Tries every change with a lost claim, and checks that none has an effect.
    static func expectVoid(_ task: WorkTask, in store: any MetadataStore) async throws {
        let before = try await Snapshot(task, in: store)
        let (claim, late) = (task.claim, [MetadataSamples.message(of: task.videoID, topic: "late")])
        let failure = Failure(kind: .transient, message: "late")
        let job = try #require(try await store.job(task.jobID))
        let finish = MetadataSamples.task(of: job, .finish)
        let letter = MetadataSamples.deadLetter(of: task.videoID)
        let changes: [(String, Bool)] = [
            ("renewLease", try await store.renewLease(claim, leaseSeconds: lease, framesDone: 7)),
            (
                "succeedPlan",
                try await store.succeedPlan(
                    claim, result: TaskResult(), plan: MetadataSamples.plan, tasks: [finish], messages: late)
            ),
            (
                "succeedTask",
                try await store.succeedTask(claim, result: TaskResult(), finish: finish, messages: late)
            ),
            (
                "succeedFinish",
                try await store.succeedFinish(
                    claim, result: TaskResult(), renditions: [MetadataSamples.rendition(of: job)],
                    output: MetadataSamples.output, messages: late)
            ),
            (
                "retryTask",
                try await store.retryTask(
                    claim, failure: failure, afterSeconds: 0, countsAsAttempt: true, messages: late)
            ),
            ("failTask", try await store.failTask(claim, failure: failure, messages: late, deadLetter: letter)),
            ("releaseTask", try await store.releaseTask(claim, messages: late)),
        ]
        for (name, hasHeld) in changes { #expect(!hasHeld, "\(name) took hold") }
        #expect(try await Snapshot(task, in: store) == before)
        #expect(try await store.deadLetter(letter.id) == nil)
    }

    /// Everything that the end of a task may change.
    private struct Snapshot: Equatable {
        var video: Video?
        var job: Job?
        var tasks: [WorkTask]
        var renditions: [Rendition]
        var messages: Int

        init(_ task: WorkTask, in store: any MetadataStore) async throws {
            video = try await store.video(task.videoID)
            job = try await store.job(task.jobID)
            tasks = try await store.tasks(of: task.jobID)
            renditions = try await store.renditions(of: task.videoID)
            messages = try await store.unsentMessages()
        }
    }
}

extension WorkTask {
    var claim: TaskClaim { TaskClaim(self) }
}
