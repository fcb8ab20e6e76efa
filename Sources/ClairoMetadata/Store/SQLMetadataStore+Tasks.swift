internal import ClairoCore

/// The transactions that end an attempt. A repeated call returns the same result, because the attempt number in the row
/// identifies the claim.
///
/// They change the task first. Once its row is changed, the claim is certain and nobody else can end it, so what
/// follows needs no further reads. Transactions that stop a job lock the video, the job and then the tasks. If one of
/// them meets one of these, the server ends one of both as a deadlock, and the driver runs it again. That is rare, and
/// saves a statement in each of these.
extension SQLMetadataStore {
    func tasks(of id: JobID) async throws(ClairoError) -> [WorkTask] {
        try await driver.read { try $0.tasks(of: id, WorkTask.init) }
    }

    func listTasks(of id: JobID) async throws(ClairoError) -> [WorkTask] {
        try await driver.read { [report] in try $0.tasks(of: id) { try WorkTask($0.reporting(to: report)) } }
    }

    func succeedPlan(_ claim: TaskClaim, result: TaskResult, plan: Plan, tasks: [WorkTask], messages: [OutboxMessage])
        async throws(ClairoError) -> Bool
    {
        try await driver.write { connection in
            let now = try connection.now()
            guard try connection.succeed(claim, result: result, now: now) else {
                return try connection.has(claim, ended: .succeeded)
            }
            CrashPoint.reach("plan.uncommitted")
            try connection.execute(
                "UPDATE jobs SET state = ?, plan = ?, warnings = ?, tasks_left = ?, updated_at = ? WHERE id = ?",
                [
                    SQLValue(Job.State.running), try .json(plan), try .json(result.warnings),
                    SQLValue(tasks.count { $0.countsForFinish }), SQLValue(now), SQLValue(claim.jobID),
                ])
            try connection.insert(tasks)
            try connection.insert(messages, of: claim.videoID)
            return true
        }
    }

    func succeedTask(_ claim: TaskClaim, result: TaskResult, finish: WorkTask, messages: [OutboxMessage])
        async throws(ClairoError) -> Bool
    {
        try await driver.write { connection in
            let now = try connection.now()
            guard try connection.succeed(claim, result: result, now: now) else {
                return try connection.has(claim, ended: .succeeded)
            }
            let isLast =
                try connection.execute(
                    "UPDATE jobs SET tasks_left = tasks_left - 1, updated_at = ? WHERE id = ? AND tasks_left > 1",
                    [SQLValue(now), SQLValue(claim.jobID)]) == 0
            if !isLast { return true }
            try connection.execute(
                "UPDATE jobs SET tasks_left = 0, state = ?, updated_at = ? WHERE id = ?",
                [SQLValue(Job.State.finishing), SQLValue(now), SQLValue(claim.jobID)])
            try connection.insert([finish])
            try connection.insert(messages, of: claim.videoID)
            return true
        }
    }

    func succeedFinish(
        _ claim: TaskClaim, result: TaskResult, renditions: [Rendition], output: ProcessedOutput,
        messages: [OutboxMessage]
    ) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            let now = try connection.now()
            // A job that another has replaced must not publish.
            let isCurrent = """
                EXISTS (SELECT 1 FROM jobs JOIN videos ON videos.id = jobs.video_id AND videos.job_id = jobs.id
                    WHERE jobs.id = tasks.job_id AND jobs.state = ?)
                """
            guard
                try connection.succeed(
                    claim, result: result, now: now, if: (isCurrent, [SQLValue(Job.State.finishing)]))
            else { return try connection.has(claim, ended: .succeeded) }
            // Repeated attempts leave garbage.
            try connection.execute(
                """
                UPDATE jobs SET state = ?, warnings = ?, updated_at = ?, finished_at = ?,
                    garbage_since = CASE WHEN attempt > 1
                        OR EXISTS (SELECT 1 FROM tasks WHERE job_id = jobs.id AND attempt > 1) THEN ? END
                WHERE id = ?
                """,
                [
                    SQLValue(Job.State.succeeded), try .json(result.warnings), SQLValue(now), SQLValue(now),
                    SQLValue(now), SQLValue(claim.jobID),
                ])
            let publish = "UPDATE videos SET state = ?, output = ?, failure = NULL, updated_at = ? WHERE id = ?"
            let values = [
                SQLValue(Video.State.ready), try .json(output), SQLValue(now), SQLValue(claim.videoID),
            ]
            if try connection.execute(publish + " AND output IS NULL", values) == 0 {
                // Renditions of the previous job are no longer part of the video's output.
                try connection.execute("DELETE FROM renditions WHERE video_id = ?", [SQLValue(claim.videoID)])
                try connection.execute(publish, values)
                try connection.noteGarbage(ofReplacedBy: claim.jobID, of: claim.videoID, now: now)
            }
            try connection.insert(renditions, of: claim)
            try connection.insert(messages, of: claim.videoID)
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
            let isHeld = try connection.end(
                claim, as: .pending,
                """
                failure = ?, claimable_at = ?, not_before = ?, max_attempts = max_attempts + ?, frames_done = 0
                """,
                [
                    try .json(failure), SQLValue(try connection.leaseTime().advanced(bySeconds: seconds)),
                    SQLValue(now.advanced(bySeconds: seconds)), SQLValue(moreAttempts),
                ], now: now)
            guard isHeld else { return try connection.has(claim, ended: .pending, failure: failure) }
            try connection.insert(messages, of: claim.videoID)
            return true
        }
    }

    func failTask(_ claim: TaskClaim, failure: Failure, messages: [OutboxMessage], deadLetter: DeadLetter?)
        async throws(ClairoError) -> Bool
    {
        try await driver.write { connection in
            guard try connection.lockVideo(claim.videoID) != nil, try connection.lockJob(claim.jobID) != nil else {
                return false
            }
            let now = try connection.now()
            let isHeld = try connection.end(
                claim, as: .failed, "failure = ?, claimable_at = NULL", [try .json(failure)], now: now)
            guard isHeld else { return try connection.has(claim, ended: .failed, failure: failure) }
            try connection.stop(claim.jobID, as: .failed, failure: failure, now: now)
            try connection.execute(
                "UPDATE videos SET state = ?, failure = ?, updated_at = ? WHERE id = ? AND job_id = ?",
                [
                    SQLValue(Video.State.failed), try .json(failure), SQLValue(now), SQLValue(claim.videoID),
                    SQLValue(claim.jobID),
                ])
            if let deadLetter { _ = try connection.insert(deadLetter) }
            try connection.insert(messages, of: claim.videoID)
            return true
        }
    }
}

extension SQLConnection {
    func task(_ id: TaskID) throws -> WorkTask? {
        try row("SELECT * FROM tasks WHERE id = ?", [SQLValue(id)]).map(WorkTask.init)
    }

    /// Returns the tasks of a job, ordered by kind and index.
    func tasks(of id: JobID, _ read: (SQLRow) throws -> WorkTask) throws -> [WorkTask] {
        let order = WorkTask.Kind.allCases
        return try query("SELECT * FROM tasks WHERE job_id = ?", [SQLValue(id)]).map(read).sorted { a, b in
            (order.firstIndex(of: a.kind) ?? 0, a.index, a.id.rawValue)
                < (order.firstIndex(of: b.kind) ?? 0, b.index, b.id.rawValue)
        }
    }

    /// Ends an attempt with these assignments, if the claim is valid.
    /// - Parameter condition: A further condition, with its arguments.
    fileprivate func end(
        _ claim: TaskClaim, as state: WorkTask.State, _ assignments: String, _ arguments: [SQLValue], now: Timestamp,
        if condition: (sql: String, arguments: [SQLValue])? = nil
    ) throws -> Bool {
        try execute(
            """
            UPDATE tasks SET state = ?, \(assignments), owner = NULL, updated_at = ?
            WHERE id = ? AND attempt = ? AND state = ? \(condition.map { "AND " + $0.sql } ?? "")
            """,
            [SQLValue(state)] + arguments + [
                SQLValue(now), SQLValue(claim.id), SQLValue(claim.attempt), SQLValue(WorkTask.State.running),
            ] + (condition?.arguments ?? [])) > 0
    }

    fileprivate func succeed(
        _ claim: TaskClaim, result: TaskResult, now: Timestamp,
        if condition: (sql: String, arguments: [SQLValue])? = nil
    ) throws -> Bool {
        try end(
            claim, as: .succeeded,
            "result = ?, failure = NULL, frames_done = frames_planned, claimable_at = NULL", [try .json(result)],
            now: now, if: condition)
    }

    /// Whether the attempt of this claim has already ended in this way. If so, the call is a repetition of one whose
    /// reply was lost.
    fileprivate func has(_ claim: TaskClaim, ended state: WorkTask.State, failure: Failure? = nil) throws -> Bool {
        guard let task = try task(claim.id) else { return false }
        return task.attempt == claim.attempt && task.state == state && task.error == failure
    }

    func insert(_ tasks: [WorkTask]) throws {
        let now = try leaseTime()
        let rows = try tasks.map { task -> SQLColumns in
            // The requested delay by the database's clock, because the sender's clock may differ.
            let delay = max(0, task.notBefore.seconds(since: task.createdAt))
            let claimable = task.leaseUntil ?? now.advanced(bySeconds: delay)
            return [
                "id": SQLValue(task.id), "job_id": SQLValue(task.jobID), "video_id": SQLValue(task.videoID),
                "kind": SQLValue(task.kind), "number": SQLValue(task.index), "state": SQLValue(task.state),
                "priority": SQLValue(task.priority), "queue_at": SQLValue(task.queueAt),
                "attempt": SQLValue(task.attempt), "max_attempts": SQLValue(task.maxAttempts),
                "owner": SQLValue(task.owner), "claim": .null,
                "claimable_at": task.state.isFinal ? .null : SQLValue(claimable),
                "not_before": SQLValue(task.notBefore), "frames_done": SQLValue(task.framesDone),
                "frames_planned": SQLValue(task.framesPlanned), "result": try .json(task.result),
                "failure": try .json(task.error), "created_at": SQLValue(task.createdAt),
                "updated_at": SQLValue(task.updatedAt),
            ]
        }
        guard try insert(into: "tasks", rows) else {
            throw ClairoError.defect("One of the tasks \(tasks.map(\.id)) already exists")
        }
    }
}

extension WorkTask {
    init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("tasks")
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
