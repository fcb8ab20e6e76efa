internal import ClairoCore

extension SQLMetadataStore {
    /// Looks at the first due tasks of all kinds, and claims the first one that no other worker claims meanwhile.
    ///
    /// Workers that look at the same time find the same tasks. One of them gets the first, and the others then try the
    /// rest in different orders, so that they do not meet again.
    func claimNextTask(kinds: [WorkTask.Kind], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> WorkTask?
    {
        if kinds.isEmpty { return nil }
        let mark = ClaimMark(owner: owner, leaseSeconds: leaseSeconds)
        let names = kinds.flatMap(\.storedNames)
        for _ in 0..<Self.claimLooks {
            let found = try await driver.look { [report] in try $0.dueTasks(names, report: report) }
            guard let first = found.first else { return nil }
            for task in [first] + found.dropFirst().shuffled() {
                if let claimed = try await claim(task, for: mark) { return claimed }
            }
        }
        return nil
    }

    /// How often to look again if other workers were faster.
    private static var claimLooks: Int { 20 }

    private func claim(_ found: DueTask, for mark: ClaimMark) async throws(ClairoError) -> WorkTask? {
        try await driver.writeEach { connection in
            let now = try connection.now()
            let leaseTime = try connection.leaseTime()
            let until = leaseTime.advanced(bySeconds: mark.leaseSeconds)
            let isClaimed = try connection.claim(found, for: mark, from: leaseTime, until: until, now: now)
            // The update fails if the row has changed, so the task after it is known without reading it again.
            guard try isClaimed || connection.mayHaveCommitted && connection.holds(found.task.id, mark) else {
                return nil
            }
            return found.task.claimed(by: mark, until: until, at: now)
        }
    }

    func context(of claim: TaskClaim) async throws(ClairoError) -> TaskContext? {
        try await driver.read { connection in
            let video = Video.columns.map { "videos.\($0) AS video_\($0)" }.joined(separator: ", ")
            return try connection.row(
                "SELECT jobs.*, \(video) FROM jobs JOIN videos ON videos.id = jobs.video_id WHERE jobs.id = ?",
                [SQLValue(claim.jobID)]
            ).map { TaskContext(job: try Job($0), video: try Video($0.prefixed("video_"))) }
        }
    }

    func renewLease(_ claim: TaskClaim, leaseSeconds: Double, framesDone: Int) async throws(ClairoError) -> Bool {
        try await driver.writeEach { connection in
            try connection.execute(
                """
                UPDATE tasks SET claimable_at = ?, frames_done = ?, updated_at = ?
                WHERE id = ? AND attempt = ? AND state = ?
                """,
                [
                    SQLValue(try connection.leaseTime().advanced(bySeconds: leaseSeconds)), SQLValue(framesDone),
                    SQLValue(try connection.now()), SQLValue(claim.id), SQLValue(claim.attempt),
                    SQLValue(WorkTask.State.running),
                ]) > 0
        }
    }
}

/// An attempt at a claim. Its id is written into the row, so that a repeated call recognizes its own claim.
private struct ClaimMark: Sendable {
    let id: MessageID = .make()
    var owner: String
    var leaseSeconds: Double
}

/// A task that was due when it was looked at.
private struct DueTask: Sendable {
    var task: WorkTask
    var claimableAt: SQLValue
}

extension SQLConnection {
    /// The clause for the unfinished tasks of a kind, in the order of the index. Without the index hint, MariaDB also
    /// scans ended tasks.
    var liveTasks: String { "\(dialect.using("tasks_to_claim")) WHERE kind = ? AND live_queue_at IS NOT NULL" }

    /// The first due tasks of these kinds, in the order of the queue. The error and the result of an earlier attempt do
    /// not matter, so a row in which they cannot be read does not stop the queue.
    fileprivate func dueTasks(
        _ names: [String], report: @escaping @Sendable (ClairoError) -> Void
    ) throws -> [DueTask] {
        let now = SQLValue(try leaseTime())
        let most = 8
        let kinds = names.indices.map { index in
            """
            SELECT * FROM (SELECT id, live_queue_at, claimable_at FROM tasks \(liveTasks) AND claimable_at <= ?
                ORDER BY live_queue_at, claimable_at, id LIMIT \(most)) AS kind\(index)
            """
        }
        return try query(
            """
            SELECT tasks.* FROM (\(kinds.joined(separator: " UNION ALL "))
                ORDER BY live_queue_at, claimable_at, id LIMIT \(most)) AS due JOIN tasks ON tasks.id = due.id
            WHERE tasks.claimable_at <= ? ORDER BY tasks.live_queue_at, tasks.claimable_at, tasks.id
            """, names.flatMap { [SQLValue($0), now] } + [now]
        ).map { DueTask(task: try WorkTask($0.reporting(to: report)), claimableAt: try $0["claimable_at"]) }
    }

    /// Claims a task with one conditional update.
    ///
    /// The time is a condition too: a look reads the index before the row, so it may have found a task with the lease
    /// that another worker got in between.
    /// - Returns: False if it is no longer as it was found, or not due.
    fileprivate func claim(
        _ found: DueTask, for mark: ClaimMark, from leaseTime: Timestamp, until: Timestamp, now: Timestamp
    ) throws -> Bool {
        try execute(
            """
            UPDATE tasks SET max_attempts = CASE WHEN state = ? AND max_attempts < ? THEN max_attempts + 1
                    ELSE max_attempts END,
                state = ?, attempt = attempt + 1, owner = ?, claim = ?, claimable_at = ?, frames_done = 0,
                updated_at = ?
            WHERE id = ? AND state = ? AND attempt = ? AND claimable_at = ? AND claimable_at <= ?
            """,
            [
                // The assignment of `max_attempts` must come first, because MySQL evaluates later assignments with the
                // new values.
                SQLValue(WorkTask.State.running), SQLValue(WorkTask.mostAttempts),
                SQLValue(WorkTask.State.running), SQLValue(mark.owner), SQLValue(mark.id), SQLValue(until),
                SQLValue(now), SQLValue(found.task.id), SQLValue(found.task.state), SQLValue(found.task.attempt),
                found.claimableAt, SQLValue(leaseTime),
            ]) > 0
    }

    /// Whether a claim that may have been committed was.
    fileprivate func holds(_ id: TaskID, _ mark: ClaimMark) throws -> Bool {
        try row("SELECT id FROM tasks WHERE id = ? AND claim = ?", [SQLValue(id), SQLValue(mark.id)]) != nil
    }
}

extension WorkTask {
    /// Returns the task as it is after the claim.
    fileprivate func claimed(by mark: ClaimMark, until: Timestamp, at now: Timestamp) -> WorkTask {
        var task = self
        if state == .running, maxAttempts < WorkTask.mostAttempts { task.maxAttempts += 1 }
        (task.state, task.attempt, task.owner) = (.running, attempt + 1, mark.owner)
        task.framesDone = 0
        task.claimedAt = mark.id.time
        (task.leaseUntil, task.updatedAt) = (until, now)
        return task
    }
}
