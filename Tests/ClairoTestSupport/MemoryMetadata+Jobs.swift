public import ClairoCore

extension MemoryMetadata {
    public func startJob(_ job: Job, tasks: [WorkTask], messages: [OutboxMessage], from states: Set<Video.State>)
        async throws(ClairoError) -> Bool
    {
        try change { (state) throws(ClairoError) in
            guard let video = state.videos[job.videoID] else { throw .noInput("Video \(job.videoID) does not exist") }
            guard states.contains(video.state) else { return false }
            guard state.jobs[job.id] == nil else { throw .defect("Job \(job.id) already exists") }
            if states.contains(.processing) {
                for other in state.jobs.values where other.videoID == video.id && !other.state.isFinal {
                    state.stop(other.id, as: .cancelled)
                }
            }
            state.jobs[job.id] = job
            try state.add(tasks)
            state.setVideo(job, to: .processing)
            try state.post(messages, about: job.videoID)
            return true
        }
    }

    public func job(_ id: JobID) async throws(ClairoError) -> Job? { try change { $0.jobs[id] } }

    public func jobs(of id: VideoID) async throws(ClairoError) -> [Job] {
        try change { state in state.jobs.values.filter { $0.videoID == id }.sorted { $0.id > $1.id } }
    }

    public func jobs(in states: Set<Job.State>, after: JobID?, limit: Int) async throws(ClairoError) -> [Job] {
        try change { state in
            let found = state.jobs.values.filter { job in
                states.contains(job.state) && after.map { job.id > $0 } ?? true
            }
            return Array(found.sorted { $0.id < $1.id }.prefix(max(0, limit)))
        }
    }

    public func lastQueueAt(tenant: String, priorities: Set<Priority>) async throws(ClairoError) -> Timestamp? {
        try change { state in
            state.jobs.values.filter { $0.tenant == tenant && priorities.contains($0.priority) && !$0.state.isFinal }
                .map(\.queueAt).max()
        }
    }

    public func cancelVideo(_ id: VideoID, messages: @Sendable @escaping (Job) -> [OutboxMessage])
        async throws(ClairoError) -> Video?
    {
        try change { (state) throws(ClairoError) in
            guard let video = state.videos[id] else { return nil }
            if video.state == .processing, let jobID = video.jobID, let job = state.jobs[jobID], !job.state.isFinal {
                state.stop(jobID, as: .cancelled)
                if let stopped = state.jobs[jobID] { try state.post(messages(stopped), about: id) }
            } else if video.state != .uploaded {
                return nil
            }
            state.videos[id]?.state = .cancelled
            state.videos[id]?.updatedAt = .now
            return state.videos[id]
        }
    }

    public func retryJob(
        of id: VideoID, attempts: Int, lost: Set<TaskID>, messages: @Sendable @escaping (WorkTask) -> [OutboxMessage]
    ) async throws(ClairoError) -> Job? {
        try change { (state) throws(ClairoError) in
            guard let video = state.videos[id], video.state != .deleting, let jobID = video.jobID,
                var job = state.jobs[jobID], [.failed, .cancelled].contains(job.state), job.sweptAt == nil
            else { return nil }
            let now = Timestamp.now
            let undone = state.tasks(of: jobID).filter { $0.state != .succeeded || lost.contains($0.id) }
            let isEarly = undone.contains { $0.kind.makesSegments }
            for var task in undone {
                if task.kind == .finish, isEarly {
                    state.tasks[task.id] = nil
                    continue
                }
                (task.state, task.maxAttempts, task.error) = (.pending, task.attempt + attempts, nil)
                task.result = nil
                (task.notBefore, task.updatedAt, task.framesDone) = (now, now, 0)
                state.tasks[task.id] = task
                try state.post(messages(task), about: id)
            }
            job.state = job.plan == nil ? .planning : state.tasksLeft(of: jobID) > 0 ? .running : .finishing
            (job.error, job.finishedAt, job.updatedAt) = (nil, nil, now)
            job.attempt += 1
            state.jobs[jobID] = job
            state.garbage[jobID] = nil
            state.setVideo(job, to: .processing)
            return job
        }
    }

    public func pendingWork() async throws(ClairoError) -> PendingWork {
        try change { state in
            let most = PendingWork.most
            return PendingWork(
                videos: min(most, state.videos.values.count { $0.state == .uploaded }),
                tasks: min(most, state.tasks.values.count { !$0.state.isFinal }),
                messages: min(most, state.outbox.count { $0.message.topic != Topic.webhook }))
        }
    }

    public func purge(
        olderThanSeconds seconds: Double, webhookSeconds: Double, limit: Int
    ) async throws(ClairoError) -> Int {
        try change { state in
            let now = Timestamp.now
            let before = now.advanced(bySeconds: -seconds)
            let letters = Set(
                state.deadLetters.filter { $0.redrivenAt.map { $0 < before } ?? false }.map(\.id).prefix(limit))
            let queued = Set(
                state.queue.filter { queued in
                    ![Topic.uploads, Topic.tasks].contains(queued.message.topic) && queued.message.createdAt < before
                        && queued.claimableAt <= now
                }.map(\.message.id).prefix(limit))
            let webhookBefore = now.advanced(bySeconds: -webhookSeconds)
            let hooks = Set(
                state.outbox.filter { posted in
                    posted.message.topic == Topic.webhook && posted.message.createdAt < webhookBefore
                        && posted.claimableAt <= now
                }.map(\.message.id).prefix(limit))
            state.deadLetters.removeAll { letters.contains($0.id) }
            state.queue.removeAll { queued.contains($0.message.id) }
            state.outbox.removeAll { hooks.contains($0.message.id) }
            return letters.count + queued.count + hooks.count
        }
    }
}

extension MemoryMetadata.State {
    mutating func stop(_ id: JobID, as jobState: Job.State, failure: Failure? = nil) {
        let now = Timestamp.now
        jobs[id]?.state = jobState
        jobs[id]?.error = failure
        jobs[id]?.finishedAt = now
        jobs[id]?.updatedAt = now
        noteGarbage(ofStopped: id, now: now)
        for var task in tasks(of: id) where !task.state.isFinal {
            (task.state, task.owner, task.leaseUntil, task.updatedAt) = (.cancelled, nil, nil, now)
            tasks[task.id] = task
        }
    }

    /// Updates the video's row from its job.
    mutating func setVideo(_ job: Job, to videoState: Video.State, error: Failure? = nil) {
        guard var video = videos[job.videoID] else { return }
        (video.state, video.jobID, video.error, video.updatedAt) = (videoState, job.id, error, .now)
        videos[video.id] = video
    }

    func tasks(of id: JobID) -> [WorkTask] {
        let order = WorkTask.Kind.allCases
        return tasks.values.filter { $0.jobID == id }.sorted { a, b in
            (order.firstIndex(of: a.kind) ?? 0, a.index, a.id.rawValue)
                < (order.firstIndex(of: b.kind) ?? 0, b.index, b.id.rawValue)
        }
    }

    func tasksLeft(of id: JobID) -> Int {
        tasks.values.count { $0.jobID == id && $0.kind.makesSegments && $0.state != .succeeded }
    }

    mutating func add(_ new: [WorkTask]) throws(ClairoError) {
        for task in new {
            guard tasks[task.id] == nil else { throw .defect("Task \(task.id) already exists") }
            tasks[task.id] = task
        }
    }
}
