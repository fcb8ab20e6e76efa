internal import ClairoCore

/// The transactions that end an attempt. A repeated call returns the same result, because the attempt number in the row
/// identifies the claim.
extension SQLMetadataStore {
    func tasks(of id: JobID) async throws(ClairoError) -> [WorkTask] { try await driver.read { try $0.tasks(of: id) } }

    func succeedPlan(_ claim: TaskClaim, result: TaskResult, plan: Plan, tasks: [WorkTask], messages: [OutboxMessage])
        async throws(ClairoError) -> Bool
    {
        try await driver.write { connection in
            guard let place = try connection.place(of: claim), let job = try connection.lockJob(place.job) else {
                return false
            }
            let now = try connection.now()
            guard try connection.succeed(claim, result: result, now: now) else {
                return try connection.has(claim, ended: .succeeded)
            }
            try connection.execute(
                "UPDATE jobs SET state = ?, plan = ?, warnings = ?, tasks_left = ?, updated_at = ? WHERE id = ?",
                [
                    SQLValue(Job.State.running), try .json(plan), try .json(result.warnings),
                    SQLValue(tasks.count { $0.countsForFinish }), SQLValue(now), SQLValue(job.id),
                ])
            for task in tasks { try connection.insert(task, now: now) }
            for message in messages { try connection.insert(message, of: place.video, now: now) }
            return true
        }
    }

    func succeedTask(_ claim: TaskClaim, result: TaskResult, finish: WorkTask, messages: [OutboxMessage])
        async throws(ClairoError) -> Bool
    {
        try await driver.write { connection in
            let found = try connection.row(
                "SELECT tasks_left FROM jobs WHERE id = ? \(connection.dialect.lock)", [SQLValue(finish.jobID)])
            guard let left = try found?.int("tasks_left") else { return false }
            let now = try connection.now()
            guard try connection.succeed(claim, result: result, now: now) else {
                return try connection.has(claim, ended: .succeeded)
            }
            guard left <= 1 else {
                try connection.execute(
                    "UPDATE jobs SET tasks_left = ?, updated_at = ? WHERE id = ?",
                    [SQLValue(left - 1), SQLValue(now), SQLValue(finish.jobID)])
                return true
            }
            try connection.execute(
                "UPDATE jobs SET tasks_left = 0, state = ?, updated_at = ? WHERE id = ?",
                [SQLValue(Job.State.finishing), SQLValue(now), SQLValue(finish.jobID)])
            try connection.insert(finish, now: now)
            for message in messages { try connection.insert(message, of: finish.videoID, now: now) }
            return true
        }
    }

    func succeedFinish(
        _ claim: TaskClaim, result: TaskResult, renditions: [Rendition], output: ProcessedOutput,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            guard let place = try connection.place(of: claim), let video = try connection.lockVideo(place.video),
                let job = try connection.lockJob(place.job)
            else { return false }
            guard video.jobID == job.id, job.state == .finishing else {
                return try connection.has(claim, ended: .succeeded)
            }
            let now = try connection.now()
            guard try connection.succeed(claim, result: result, now: now) else { return false }
            try connection.execute(
                "UPDATE jobs SET state = ?, warnings = ?, updated_at = ?, finished_at = ? WHERE id = ?",
                [
                    SQLValue(Job.State.succeeded), try .json(result.warnings), SQLValue(now), SQLValue(now),
                    SQLValue(job.id),
                ])
            try connection.execute(
                "UPDATE videos SET state = ?, output = ?, failure = NULL, updated_at = ? WHERE id = ?",
                [SQLValue(Video.State.ready), try .json(output), SQLValue(now), SQLValue(video.id)])
            try connection.noteGarbage(ofSucceeded: job, now: now)
            // Renditions of the previous job are no longer part of the video's output.
            try connection.execute("DELETE FROM renditions WHERE video_id = ?", [SQLValue(video.id)])
            for rendition in renditions { try connection.insert(rendition) }
            for message in messages { try connection.insert(message, of: video.id, now: now) }
            return true
        }
    }

    func retryTask(
        _ claim: TaskClaim, failure: Failure, afterSeconds seconds: Double, countsAsAttempt: Bool,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool {
        try await putBack(
            claim, failure: failure, afterSeconds: seconds, moreAttempts: countsAsAttempt ? 0 : 1, messages: messages)
    }

    func releaseTask(_ claim: TaskClaim, messages: [OutboxMessage]) async throws(ClairoError) -> Bool {
        try await putBack(claim, failure: nil, afterSeconds: 0, moreAttempts: 1, messages: messages)
    }

    private func putBack(
        _ claim: TaskClaim, failure: Failure?, afterSeconds seconds: Double, moreAttempts: Int,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            let now = try connection.now()
            let due = now.advanced(bySeconds: seconds)
            let isHeld = try connection.end(
                claim, as: .pending,
                """
                failure = ?, claimable_at = ?, not_before = ?, max_attempts = max_attempts + ?, frames_done = 0
                """,
                [try .json(failure), SQLValue(due), SQLValue(due), SQLValue(moreAttempts)], now: now)
            guard isHeld else { return try connection.has(claim, ended: .pending, failure: failure) }
            if !messages.isEmpty, let place = try connection.place(of: claim) {
                for message in messages { try connection.insert(message, of: place.video, now: now) }
            }
            return true
        }
    }

    func failTask(_ claim: TaskClaim, failure: Failure, messages: [OutboxMessage], deadLetter: DeadLetter?)
        async throws(ClairoError) -> Bool
    {
        try await driver.write { connection in
            guard let place = try connection.place(of: claim), try connection.lockVideo(place.video) != nil,
                try connection.lockJob(place.job) != nil
            else { return false }
            let now = try connection.now()
            let isHeld = try connection.end(
                claim, as: .failed, "failure = ?, claimable_at = NULL", [try .json(failure)], now: now)
            guard isHeld else { return try connection.has(claim, ended: .failed, failure: failure) }
            try connection.stop(place.job, as: .failed, failure: failure, now: now)
            try connection.execute(
                "UPDATE videos SET state = ?, failure = ?, updated_at = ? WHERE id = ? AND job_id = ?",
                [
                    SQLValue(Video.State.failed), try .json(failure), SQLValue(now), SQLValue(place.video),
                    SQLValue(place.job),
                ])
            if let deadLetter { _ = try connection.insert(deadLetter) }
            for message in messages { try connection.insert(message, of: place.video, now: now) }
            return true
        }
    }
}

extension SQLConnection {
    func task(_ id: TaskID) throws -> WorkTask? {
        try row("SELECT * FROM tasks WHERE id = ?", [SQLValue(id)]).map(WorkTask.init)
    }

    /// Returns the tasks of a job, ordered by kind and index.
    func tasks(of id: JobID) throws -> [WorkTask] {
        let order = WorkTask.Kind.allCases
        return try query("SELECT * FROM tasks WHERE job_id = ?", [SQLValue(id)]).map(WorkTask.init).sorted { a, b in
            (order.firstIndex(of: a.kind) ?? 0, a.index, a.id.rawValue)
                < (order.firstIndex(of: b.kind) ?? 0, b.index, b.id.rawValue)
        }
    }

    /// Returns the task's job and video, which never change.
    fileprivate func place(of claim: TaskClaim) throws -> (job: JobID, video: VideoID)? {
        guard let row = try row("SELECT job_id, video_id FROM tasks WHERE id = ?", [SQLValue(claim.id)]) else {
            return nil
        }
        return (try row.id("job_id"), try row.id("video_id"))
    }

    /// Ends an attempt with these assignments, if the claim is valid.
    fileprivate func end(
        _ claim: TaskClaim, as state: WorkTask.State, _ assignments: String, _ arguments: [SQLValue], now: Timestamp
    ) throws -> Bool {
        try execute(
            """
            UPDATE tasks SET state = ?, \(assignments), owner = NULL, updated_at = ?
            WHERE id = ? AND attempt = ? AND state = ?
            """,
            [SQLValue(state)] + arguments + [
                SQLValue(now), SQLValue(claim.id), SQLValue(claim.attempt), SQLValue(WorkTask.State.running),
            ]) > 0
    }

    fileprivate func succeed(_ claim: TaskClaim, result: TaskResult, now: Timestamp) throws -> Bool {
        try end(
            claim, as: .succeeded,
            "result = ?, failure = NULL, frames_done = frames_planned, claimable_at = NULL", [try .json(result)],
            now: now)
    }

    /// Whether the attempt of this claim has already ended in this way. If so, the call is a repetition of one whose
    /// reply was lost.
    fileprivate func has(_ claim: TaskClaim, ended state: WorkTask.State, failure: Failure? = nil) throws -> Bool {
        guard let task = try task(claim.id) else { return false }
        return task.attempt == claim.attempt && task.state == state && task.error == failure
    }

    func insert(_ task: WorkTask, now: Timestamp) throws {
        // The earlier of the requested time and the requested delay by the database's clock, because the sender's clock
        // may be ahead.
        let claimable = min(
            task.notBefore, now.advanced(bySeconds: max(0, task.notBefore.seconds(since: task.createdAt))))
        let isNew = try insert(
            into: "tasks",
            [
                "id": SQLValue(task.id), "job_id": SQLValue(task.jobID), "video_id": SQLValue(task.videoID),
                "kind": SQLValue(task.kind), "number": SQLValue(task.index), "state": SQLValue(task.state),
                "priority": SQLValue(task.priority), "queue_at": SQLValue(task.queueAt),
                "attempt": SQLValue(task.attempt), "max_attempts": SQLValue(task.maxAttempts),
                "owner": SQLValue(task.owner), "claim": .null,
                "claimable_at": task.state.isFinal ? .null : SQLValue(task.leaseUntil ?? claimable),
                "not_before": SQLValue(task.notBefore), "frames_done": SQLValue(task.framesDone),
                "frames_planned": SQLValue(task.framesPlanned), "result": try .json(task.result),
                "failure": try .json(task.error), "created_at": SQLValue(task.createdAt),
                "updated_at": SQLValue(task.updatedAt),
            ])
        if !isNew { throw ClairoError.defect("Task \(task.id) already exists") }
    }
}

extension WorkTask {
    init(_ row: SQLRow) throws(ClairoError) {
        let state: State = try row.word("state")
        let claim: MessageID? = try row.optionalID("claim")
        self.init(
            id: try row.id("id"), jobID: try row.id("job_id"), videoID: try row.id("video_id"),
            kind: try row.taskKind(), index: try row.int("number"), state: state, priority: try row.priority(),
            queueAt: try row.timestamp("queue_at"), attempt: try row.int("attempt"),
            maxAttempts: try row.int("max_attempts"), owner: try row.optionalText("owner"),
            leaseUntil: state == .running ? try row.optionalTimestamp("claimable_at") : nil, claimedAt: claim?.time,
            notBefore: try row.timestamp("not_before"), framesDone: try row.int("frames_done"),
            framesPlanned: try row.int("frames_planned"), result: try row.optionalJSON("result"),
            error: try row.optionalJSON("failure"), createdAt: try row.timestamp("created_at"),
            updatedAt: try row.timestamp("updated_at"))
    }
}
