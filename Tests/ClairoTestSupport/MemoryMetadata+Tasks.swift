public import ClairoCore

extension MemoryMetadata {
    public func tasks(of id: JobID) async throws(ClairoError) -> [WorkTask] { try change { $0.tasks(of: id) } }

    public func listTasks(of id: JobID) async throws(ClairoError) -> [WorkTask] { try change { $0.tasks(of: id) } }

    public func context(of claim: TaskClaim) async throws(ClairoError) -> TaskContext? {
        try change { state in
            guard let job = state.jobs[claim.jobID], let video = state.videos[claim.videoID] else { return nil }
            return TaskContext(job: job, video: video)
        }
    }

    public func claimNextTask(kinds: [WorkTask.Kind], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> WorkTask?
    {
        try change { state in
            let now = Timestamp.now
            let first = state.tasks.values.filter { kinds.contains($0.kind) && $0.isClaimable(at: now) }
                .min { ($0.queueAt, $0.claimableAt, $0.id) < ($1.queueAt, $1.claimableAt, $1.id) }
            return first.map { state.claim($0, owner: owner, leaseSeconds: leaseSeconds) }
        }
    }

    /// Ends the delay of a task that will be retried.
    public func makeDue(_ id: TaskID) { try? change { $0.tasks[id]?.notBefore = .now } }

    public func renewLease(_ claim: TaskClaim, leaseSeconds: Double, framesDone: Int) async throws(ClairoError)
        -> Bool
    {
        try change { state in
            guard var task = state.held(by: claim) else { return false }
            task.updatedAt = .now
            (task.leaseUntil, task.framesDone) = (task.updatedAt.advanced(bySeconds: leaseSeconds), framesDone)
            state.tasks[task.id] = task
            return true
        }
    }

    public func succeedPlan(
        _ claim: TaskClaim, result: TaskResult, plan: Plan, tasks: [WorkTask], messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool {
        try change { (state) throws(ClairoError) in
            guard let task = state.succeed(claim, result) else { return state.has(claim, ended: .succeeded) }
            state.jobs[task.jobID]?.state = .running
            state.jobs[task.jobID]?.plan = plan
            state.jobs[task.jobID]?.warnings = result.warnings
            try state.add(tasks)
            try state.post(messages, about: task.videoID)
            return true
        }
    }

    public func succeedTask(_ claim: TaskClaim, result: TaskResult, finish: WorkTask, messages: [OutboxMessage])
        async throws(ClairoError) -> Bool
    {
        try change { (state) throws(ClairoError) in
            guard let task = state.succeed(claim, result) else { return state.has(claim, ended: .succeeded) }
            guard state.tasksLeft(of: task.jobID) == 0 else { return true }
            state.jobs[task.jobID]?.state = .finishing
            try state.add([finish])
            try state.post(messages, about: task.videoID)
            return true
        }
    }

    public func succeedFinish(
        _ claim: TaskClaim, result: TaskResult, renditions: [Rendition], output: ProcessedOutput,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool {
        try change { (state) throws(ClairoError) in
            guard let task = state.held(by: claim), var job = state.jobs[task.jobID], job.state == .finishing,
                state.videos[job.videoID]?.jobID == job.id
            else { return state.has(claim, ended: .succeeded) }
            _ = state.succeed(claim, result)
            (job.state, job.updatedAt, job.finishedAt) = (.succeeded, .now, .now)
            job.warnings = result.warnings
            state.jobs[job.id] = job
            state.noteGarbage(ofSucceeded: job)
            state.setVideo(job, to: .ready)
            state.videos[job.videoID]?.output = output
            state.renditions[job.videoID] = renditions
            try state.post(messages, about: job.videoID)
            return true
        }
    }

    public func retryTask(
        _ claim: TaskClaim, failure: Failure, afterSeconds seconds: Double, countsAsAttempt: Bool,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool {
        try putBack(
            claim, failure: failure, afterSeconds: seconds, moreAttempts: countsAsAttempt ? 0 : 1, messages: messages)
    }

    public func releaseTask(_ claim: TaskClaim, messages: [OutboxMessage]) async throws(ClairoError) -> Bool {
        try putBack(claim, failure: nil, afterSeconds: 0, moreAttempts: 1, messages: messages)
    }

    private func putBack(
        _ claim: TaskClaim, failure: Failure?, afterSeconds seconds: Double, moreAttempts: Int,
        messages: [OutboxMessage]
    ) throws(ClairoError) -> Bool {
        try change { (state) throws(ClairoError) in
            guard var task = state.end(claim, as: .pending, failure: failure) else {
                return state.has(claim, ended: .pending, failure: failure)
            }
            task.notBefore = task.updatedAt.advanced(bySeconds: seconds)
            task.maxAttempts += moreAttempts
            task.framesDone = 0
            state.tasks[task.id] = task
            try state.post(messages, about: task.videoID)
            return true
        }
    }

    public func failTask(_ claim: TaskClaim, failure: Failure, messages: [OutboxMessage], deadLetter: DeadLetter?)
        async throws(ClairoError) -> Bool
    {
        try change { (state) throws(ClairoError) in
            guard let task = state.end(claim, as: .failed, failure: failure) else {
                return state.has(claim, ended: .failed, failure: failure)
            }
            state.stop(task.jobID, as: .failed, failure: failure)
            if let job = state.jobs[task.jobID], state.videos[task.videoID]?.jobID == job.id {
                state.setVideo(job, to: .failed, error: failure)
            }
            if let deadLetter { _ = state.add(deadLetter) }
            try state.post(messages, about: task.videoID)
            return true
        }
    }
}

extension WorkTask {
    fileprivate var claimableAt: Timestamp { leaseUntil ?? notBefore }

    fileprivate func isClaimable(at now: Timestamp) -> Bool { !state.isFinal && claimableAt <= now }
}

extension MemoryMetadata.State {
    fileprivate mutating func claim(_ task: WorkTask, owner: String, leaseSeconds: Double) -> WorkTask {
        var task = task
        if task.state == .running, task.maxAttempts < WorkTask.mostAttempts { task.maxAttempts += 1 }
        (task.state, task.attempt, task.owner, task.updatedAt) = (.running, task.attempt + 1, owner, .now)
        task.leaseUntil = task.updatedAt.advanced(bySeconds: leaseSeconds)
        task.framesDone = 0
        tasks[task.id] = task
        return task
    }

    fileprivate func held(by claim: TaskClaim) -> WorkTask? {
        tasks[claim.id].flatMap { $0.state == .running && $0.attempt == claim.attempt ? $0 : nil }
    }

    fileprivate mutating func end(_ claim: TaskClaim, as state: WorkTask.State, failure: Failure?) -> WorkTask? {
        guard var task = held(by: claim) else { return nil }
        (task.state, task.error, task.owner, task.leaseUntil, task.updatedAt) = (state, failure, nil, nil, .now)
        tasks[task.id] = task
        return task
    }

    fileprivate mutating func succeed(_ claim: TaskClaim, _ result: TaskResult) -> WorkTask? {
        guard var task = end(claim, as: .succeeded, failure: nil) else { return nil }
        (task.result, task.framesDone) = (result, task.framesPlanned)
        tasks[task.id] = task
        return task
    }

    fileprivate func has(_ claim: TaskClaim, ended state: WorkTask.State, failure: Failure? = nil) -> Bool {
        guard let task = tasks[claim.id] else { return false }
        return task.attempt == claim.attempt && task.state == state && task.error == failure
    }
}
