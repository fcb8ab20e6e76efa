internal import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static var jobs: [Clause] {
        [
            Clause("starting a job inserts it, its tasks and its messages together, and updates the video") {
                store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                var job = MetadataSamples.job(of: video.id)
                job.warnings = [MetadataSamples.warning]
                let kinds: [(WorkTask.Kind, Int)] = [
                    (.plan, 0), (.chunk, 0), (.chunk, 1), (.chunk, 10), (.track, 0), (.finish, 0),
                ]
                let tasks = kinds.map { MetadataSamples.task(of: job, $0, index: $1) }
                let message = MetadataSamples.message(of: video.id, topic: "clairo.tasks", key: "t")
                #expect(
                    try await store.startJob(
                        job, tasks: tasks.reversed(), messages: [message], from: [.uploaded, .failed]))
                #expect(try await store.job(job.id) == job)
                #expect(try await store.jobs(of: video.id) == [job])
                #expect(try await store.tasks(of: job.id) == tasks)
                let now = try await store.video(video.id)
                #expect(now?.state == .processing)
                #expect(now?.jobID == job.id)
                #expect(try await store.unsentMessages() == 2)
            },
            Clause("a job without a video is rejected and leaves nothing behind") { store async throws in
                let job = MetadataSamples.job(of: .make())
                let error = await failure {
                    _ = try await store.startJob(
                        job, tasks: [MetadataSamples.task(of: job)], messages: [], from: Set(Video.State.allCases))
                }
                #expect(error?.exitCode == .noInput)
                #expect(try await store.job(job.id) == nil)
                #expect(try await store.tasks(of: job.id).isEmpty)
            },
            Clause("jobs of a video are newest first") { store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                let jobs = (0..<3).map { _ in MetadataSamples.job(of: video.id) }.sorted { $0.id > $1.id }
                for job in jobs.reversed() {
                    #expect(try await store.startJob(job, tasks: [], messages: [], from: [.uploaded, .processing]))
                }
                #expect(try await store.jobs(of: video.id).map(\.id) == jobs.map(\.id))
                #expect(try await store.video(video.id)?.jobID == jobs[0].id)
            },
            Clause("a job is started once, and only if its video is in the required state") {
                store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                let begun = try await concurrently(8) { _ in
                    let job = MetadataSamples.job(of: video.id)
                    return try await store.startJob(
                        job, tasks: [MetadataSamples.task(of: job, .plan)],
                        messages: [MetadataSamples.message(of: video.id, topic: "clairo.tasks")], from: [.uploaded])
                }
                #expect(begun.count { $0 } == 1)
                #expect(try await store.jobs(of: video.id).count == 1)
                #expect(try await store.unsentMessages() == 2)
                #expect(try await store.pendingWork().tasks == 1)
                let other = MetadataSamples.job(of: video.id)
                #expect(try await store.startJob(other, tasks: [], messages: [], from: []) == false)
                #expect(try await store.startJob(other, tasks: [], messages: [], from: [.ready, .failed]) == false)
            },
            Clause("jobs are listed by state, oldest first, in pages") { store async throws in
                var jobs: [Job] = []
                for state in [Job.State.running, .planning, .planning, .running, .finishing] {
                    let job = try await start(state, in: store)
                    jobs.append(job)
                    if state == .planning, jobs.count == 3 {
                        #expect(try await store.cancelVideo(job.videoID) { _ in [] } != nil)
                    }
                }
                func page(_ states: Set<Job.State>, after: JobID? = nil, limit: Int = 10) async throws -> [JobID] {
                    try await store.jobs(in: states, after: after, limit: limit).map(\.id)
                }
                let live = [0, 1, 3, 4].map { jobs[$0].id }
                #expect(try await page([.planning, .running, .finishing]) == live)
                #expect(try await page([.planning, .running], limit: 2) == Array(live.prefix(2)))
                #expect(try await page([.running, .finishing], after: live[1]) == Array(live.suffix(2)))
                #expect(try await page([.cancelled]) == [jobs[2].id])
                #expect(try await page([.succeeded]).isEmpty)
                #expect(try await page([]).isEmpty)
                #expect(try await page([.planning], limit: 0).isEmpty)
            },
            Clause("a tenant's last queue position is that of its unfinished jobs") { store async throws in
                for (tenant, place) in [("a", 10.0), ("a", 30), ("a", 20), ("b", 50)] {
                    _ = try await start(tenant: tenant, place: place, in: store)
                }
                let stopped = try await start(tenant: "a", place: 40, in: store)
                func last(_ tenant: String) async throws -> Double? {
                    try await store.lastQueueAt(tenant: tenant, priorities: Set(Priority.allCases))?.seconds(
                        since: Timestamp(microseconds: 0))
                }
                #expect(try await last("a") == 40)
                #expect(try await store.cancelVideo(stopped.videoID) { _ in [] } != nil)
                #expect(try await last("a") == 30)
                #expect(try await last("b") == 50)
                #expect(try await last("c") == nil)
            },
            Clause("unfinished work is counted") { store async throws in
                #expect(try await store.pendingWork().isEmpty)
                let tasks = try await create([.plan, .chunk, .chunk, .track], delays: [0, 3600], in: store)
                #expect(try await register(MetadataSamples.video(), in: store))
                _ = try await claim(tasks[0], in: store)
                #expect(try await store.pendingWork() == PendingWork(videos: 1, tasks: 4, messages: 2))
                #expect(try await succeed(try await claim(tasks[2], in: store), in: store))
                #expect(try await store.pendingWork().tasks == 3)
                #expect(try await store.cancelVideo(tasks[0].videoID) { _ in [] } != nil)
                #expect(try await store.pendingWork() == PendingWork(videos: 1, tasks: 0, messages: 2))
            },
        ]
    }

    private static func start(
        _ state: Job.State = .planning, tenant: String = "default", place: Double = 0, in store: any MetadataStore
    ) async throws -> Job {
        let video = MetadataSamples.video()
        #expect(try await register(video, in: store))
        var job = MetadataSamples.job(of: video.id)
        (job.state, job.tenant) = (state, tenant)
        job.queueAt = Timestamp(microseconds: 0).advanced(bySeconds: place)
        #expect(
            try await store.startJob(
                job, tasks: [MetadataSamples.task(of: job, .plan)], messages: [], from: [.uploaded]))
        #expect(try await store.job(job.id) == job)
        return job
    }
}
