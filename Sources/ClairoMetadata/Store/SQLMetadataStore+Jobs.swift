internal import ClairoCore

/// Transactions that lock rows of several tables lock the video first, then the job, then the tasks, which avoids
/// deadlocks. Those that end an attempt do not; see there.
extension SQLMetadataStore {
    func startJob(_ job: Job, tasks: [WorkTask], messages: [OutboxMessage], from states: Set<Video.State>)
        async throws(ClairoError) -> Bool
    {
        if states.isEmpty { return false }
        return try await driver.write { connection in
            let now = try connection.now()
            let places = states.map { _ in "?" }.joined(separator: ", ")
            let count = try connection.execute(
                """
                UPDATE videos SET state = ?, job_id = ?, failure = NULL, updated_at = ?
                WHERE id = ? AND state IN (\(places))
                """,
                [SQLValue(Video.State.processing), SQLValue(job.id), SQLValue(now), SQLValue(job.videoID)]
                    + states.map { SQLValue($0) })
            guard count > 0 else {
                guard try connection.video(job.videoID) != nil else {
                    throw ClairoError.noInput("Video \(job.videoID) does not exist")
                }
                return try connection.mayHaveCommitted && connection.job(job.id) != nil
            }
            let left = tasks.count { $0.countsForFinish && $0.state != .succeeded }
            guard try connection.insert(job, tasksLeft: left) else {
                if connection.mayHaveCommitted { return true }
                throw ClairoError.defect("Job \(job.id) already exists")
            }
            if states.contains(.processing) {
                let others = "SELECT * FROM jobs WHERE video_id = ? AND id <> ?"
                for other in try connection.query(others, [SQLValue(job.videoID), SQLValue(job.id)]).map(Job.init)
                where !other.state.isFinal {
                    try connection.stop(other.id, as: .cancelled, now: now)
                }
            }
            try connection.insert(tasks)
            try connection.insert(messages, of: job.videoID)
            return true
        }
    }

    func job(_ id: JobID) async throws(ClairoError) -> Job? { try await driver.read { try $0.job(id) } }

    func jobs(of id: VideoID) async throws(ClairoError) -> [Job] {
        try await driver.read { [report] connection in
            try connection.query("SELECT * FROM jobs WHERE video_id = ? ORDER BY id DESC", [SQLValue(id)])
                .map { try Job($0.reporting(to: report)) }
        }
    }

    func jobs(in states: Set<Job.State>, after: JobID?, limit: Int) async throws(ClairoError) -> [Job] {
        if limit <= 0 { return [] }
        return try await driver.read { connection in
            // One query for each state, so that the index provides the order.
            let found = try states.flatMap { state in
                try connection.query(
                    """
                    SELECT * FROM jobs \(connection.dialect.using("jobs_by_state"))
                    WHERE state = ? AND id > ? ORDER BY id LIMIT ?
                    """,
                    [SQLValue(state), SQLValue(after?.rawValue ?? ""), SQLValue(limit)]
                ).map(Job.init)
            }
            return Array(found.sorted { $0.id < $1.id }.prefix(limit))
        }
    }

    func lastQueueAt(tenant: String, priorities: Set<Priority>) async throws(ClairoError) -> Timestamp? {
        let live = Job.State.allCases.filter { !$0.isFinal }.flatMap { state in priorities.map { (state, $0) } }
        let last = live.map { _ in
            "SELECT MAX(queue_at) AS last FROM jobs WHERE tenant = ? AND state = ? AND priority = ?"
        }
        if last.isEmpty { return nil }
        return try await driver.read { connection in
            try connection.query(
                last.joined(separator: " UNION ALL "),
                live.flatMap { [SQLValue(tenant), SQLValue($0.0), SQLValue($0.1)] }
            ).compactMap { try $0.optionalTimestamp("last") }.max()
        }
    }

    func cancelVideo(_ id: VideoID, messages: @Sendable @escaping (Job) -> [OutboxMessage]) async throws(ClairoError)
        -> Video?
    {
        try await driver.write { connection in
            guard let video = try connection.lockVideo(id) else { return nil }
            let now = try connection.now()
            switch video.state {
            case .uploaded: break
            case .processing:
                guard let jobID = video.jobID, let job = try connection.lockJob(jobID), !job.state.isFinal else {
                    return nil
                }
                try connection.stop(job.id, as: .cancelled, now: now)
                guard let stopped = try connection.job(job.id) else { return nil }
                try connection.insert(messages(stopped), of: id)
            case .cancelled: return connection.mayHaveCommitted ? video : nil
            case .ready, .failed, .deleting: return nil
            }
            try connection.execute(
                "UPDATE videos SET state = ?, updated_at = ? WHERE id = ?",
                [SQLValue(Video.State.cancelled), SQLValue(now), SQLValue(id)])
            return try connection.video(id)
        }
    }

    func retryJob(
        of id: VideoID, attempts: Int, lost: Set<TaskID>, messages: @Sendable @escaping (WorkTask) -> [OutboxMessage]
    ) async throws(ClairoError) -> Job? {
        try await driver.write { connection in
            guard let video = try connection.lockVideo(id), video.state != .deleting, let jobID = video.jobID,
                let job = try connection.lockJob(jobID), job.sweptAt == nil
            else { return nil }
            guard [.failed, .cancelled].contains(job.state) else {
                return connection.mayHaveCommitted && !job.state.isFinal ? job : nil
            }
            let now = try connection.now()
            let tasks = try connection.tasks(of: jobID, WorkTask.init)
            let undone = tasks.filter { $0.state != .succeeded || lost.contains($0.id) }
            let left = undone.count { $0.countsForFinish }
            let (early, again) = (
                undone.filter { $0.kind == .finish && left > 0 }, undone.filter { $0.kind != .finish || left == 0 }
            )
            for task in early { try connection.execute("DELETE FROM tasks WHERE id = ?", [SQLValue(task.id)]) }
            for task in again {
                try connection.execute(
                    """
                    UPDATE tasks SET state = ?, max_attempts = attempt + ?, result = NULL, failure = NULL, owner = NULL,
                        claimable_at = ?, not_before = ?, frames_done = 0, updated_at = ? WHERE id = ?
                    """,
                    [
                        SQLValue(WorkTask.State.pending), SQLValue(attempts), SQLValue(try connection.leaseTime()),
                        SQLValue(now), SQLValue(now), SQLValue(task.id),
                    ])
            }
            let state: Job.State = job.plan == nil ? .planning : left > 0 ? .running : .finishing
            try connection.execute(
                """
                UPDATE jobs SET state = ?, tasks_left = ?, attempt = attempt + 1, failure = NULL, finished_at = NULL,
                    garbage_since = NULL, updated_at = ? WHERE id = ?
                """,
                [SQLValue(state), SQLValue(left), SQLValue(now), SQLValue(jobID)])
            try connection.execute(
                "UPDATE videos SET state = ?, failure = NULL, updated_at = ? WHERE id = ?",
                [SQLValue(Video.State.processing), SQLValue(now), SQLValue(id)])
            let pending = Set(again.map(\.id))
            let revived = try connection.tasks(of: jobID, WorkTask.init).filter { pending.contains($0.id) }
            try connection.insert(revived.flatMap(messages), of: id)
            return try connection.job(jobID)
        }
    }
}

extension WorkTask {
    /// Whether the finish task waits for this task.
    var countsForFinish: Bool { kind.makesSegments }
}

extension SQLConnection {
    func job(_ id: JobID) throws -> Job? {
        try row("SELECT * FROM jobs WHERE id = ?", [SQLValue(id)]).map(Job.init)
    }

    /// Locks the job until the transaction ends.
    func lockJob(_ id: JobID) throws -> Job? {
        try row("SELECT * FROM jobs WHERE id = ? \(dialect.lock)", [SQLValue(id)]).map(Job.init)
    }

    /// Ends a locked job and its unfinished tasks.
    func stop(_ id: JobID, as state: Job.State, failure: Failure? = nil, now: Timestamp) throws {
        try execute(
            "UPDATE jobs SET state = ?, failure = ?, updated_at = ?, finished_at = ? WHERE id = ?",
            [SQLValue(state), try .json(failure), SQLValue(now), SQLValue(now), SQLValue(id)])
        try noteGarbage(ofStopped: id, now: now)
        try execute(
            """
            UPDATE tasks \(dialect.using("tasks_by_job"))
            SET state = ?, owner = NULL, claimable_at = NULL, updated_at = ?
            WHERE job_id = ? AND state IN (?, ?)
            """,
            [
                SQLValue(WorkTask.State.cancelled), SQLValue(now), SQLValue(id), SQLValue(WorkTask.State.pending),
                SQLValue(WorkTask.State.running),
            ])
    }

    fileprivate func insert(_ job: Job, tasksLeft: Int) throws -> Bool {
        try insert(
            into: "jobs",
            [
                "id": SQLValue(job.id), "video_id": SQLValue(job.videoID), "state": SQLValue(job.state),
                "profile": SQLValue(job.profile), "priority": SQLValue(job.priority), "tenant": SQLValue(job.tenant),
                "queue_at": SQLValue(job.queueAt), "attempt": SQLValue(job.attempt), "tasks_left": SQLValue(tasksLeft),
                "plan": try .json(job.plan), "warnings": try .json(job.warnings), "failure": try .json(job.error),
                "trace_id": SQLValue(job.traceID), "created_at": SQLValue(job.createdAt),
                "updated_at": SQLValue(job.updatedAt), "finished_at": SQLValue(job.finishedAt),
            ])
    }
}

extension Job {
    init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("jobs")
        let warnings: [MediaWarning]? = try row.optionalJSON("warnings")
        self.init(
            id: try row.id("id"), videoID: try row.id("video_id"), state: try row.word("state"),
            profile: try row.text("profile"), priority: try row.priority(), tenant: try row.text("tenant"),
            queueAt: try row.timestamp("queue_at"), attempt: try row.int("attempt"),
            plan: try row.optionalJSON("plan"), warnings: warnings ?? [], error: try row.optionalJSON("failure"),
            traceID: try row.text("trace_id"), createdAt: try row.timestamp("created_at"),
            updatedAt: try row.timestamp("updated_at"), finishedAt: try row.optionalTimestamp("finished_at"),
            sweptAt: try row.optionalTimestamp("swept_at"))
    }
}
