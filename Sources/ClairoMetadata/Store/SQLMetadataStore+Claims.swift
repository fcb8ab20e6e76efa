internal import ClairoCore

extension SQLMetadataStore {
    /// Finds the first due task of each kind without locks, in a few steps through the index. Then locks and claims the
    /// first due task of the kind with the earliest position. If others hold locks on all due tasks of that kind,
    /// continues with the next kind.
    ///
    /// A claimed row leaves its old entry in the index until the server purges it, and under load there are thousands
    /// of them at the front. So the first query is a hint that skips them without checking row versions, and locking
    /// starts where it ended.
    func claimNextTask(kinds: [WorkTask.Kind], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> WorkTask?
    {
        if kinds.isEmpty { return nil }
        let mark = ClaimMark(owner: owner, leaseSeconds: leaseSeconds)
        return try await driver.writeByHints { connection in
            if connection.mayHaveCommitted, let task = try connection.task(of: mark, kinds: kinds) { return task }
            let now = try connection.now()
            for (name, place) in try connection.due(kinds.flatMap(\.storedNames), now: now) {
                let found = try connection.row(
                    """
                    SELECT * FROM tasks \(connection.liveTasks) AND live_queue_at >= ? AND claimable_at <= ?
                    ORDER BY live_queue_at, claimable_at, id LIMIT 1 \(connection.dialect.skipLocked)
                    """, [SQLValue(name), SQLValue(place), SQLValue(now)])
                // The row is locked, so the task after the update is known without reading it again.
                if let task = try found.map(WorkTask.init), try connection.claim(task.id, for: mark, now: now) {
                    CrashPoint.reach("claim.uncommitted")
                    return task.claimed(by: mark, at: now)
                }
            }
            return nil
        }
    }

    func renewLease(_ claim: TaskClaim, leaseSeconds: Double, framesDone: Int) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            let now = try connection.now()
            return try connection.execute(
                """
                UPDATE tasks SET claimable_at = ?, frames_done = ?, updated_at = ?
                WHERE id = ? AND attempt = ? AND state = ?
                """,
                [
                    SQLValue(now.advanced(bySeconds: leaseSeconds)), SQLValue(framesDone), SQLValue(now),
                    SQLValue(claim.id), SQLValue(claim.attempt), SQLValue(WorkTask.State.running),
                ]) > 0
        }
    }
}

/// An attempt at a claim. Its id is written into the row, so that a retried transaction recognizes its own claim.
struct ClaimMark: Sendable {
    let id: MessageID = .make()
    var owner: String
    var leaseSeconds: Double
}

extension SQLConnection {
    /// The clause for the unfinished tasks of a kind, in the order of the index. Without the index hint, MariaDB also
    /// scans ended tasks.
    var liveTasks: String { "\(dialect.using("tasks_to_claim")) WHERE kind = ? AND live_queue_at IS NOT NULL" }

    /// Claims a task with one conditional update.
    fileprivate func claim(_ id: TaskID, for mark: ClaimMark, now: Timestamp) throws -> Bool {
        try execute(
            """
            UPDATE tasks SET max_attempts = CASE WHEN state = ? AND max_attempts < ? THEN max_attempts + 1
                    ELSE max_attempts END,
                state = ?, attempt = attempt + 1, owner = ?, claim = ?, claimable_at = ?, frames_done = 0,
                updated_at = ?
            WHERE id = ? AND claimable_at <= ?
            """,
            [
                // The assignment of `max_attempts` must come first, because MySQL evaluates later assignments with the
                // new values.
                SQLValue(WorkTask.State.running), SQLValue(WorkTask.mostAttempts),
                SQLValue(WorkTask.State.running), SQLValue(mark.owner), SQLValue(mark.id),
                SQLValue(now.advanced(bySeconds: mark.leaseSeconds)), SQLValue(now), SQLValue(id), SQLValue(now),
            ]) > 0
    }

    /// Returns the task taken by a claim that may have been committed.
    fileprivate func task(of mark: ClaimMark, kinds: [WorkTask.Kind]) throws -> WorkTask? {
        for name in kinds.flatMap(\.storedNames) {
            let found = try row(
                "SELECT * FROM tasks \(liveTasks) AND claim = ?",
                [SQLValue(name), SQLValue(mark.id)])
            if let found { return try WorkTask(found) }
        }
        return nil
    }

    /// Returns the kinds with due tasks and the position of the first task of each, sorted by position.
    fileprivate func due(_ names: [String], now: Timestamp) throws -> [(name: String, place: Timestamp)] {
        let places = names.indices.map { index in
            """
            (SELECT live_queue_at FROM tasks \(liveTasks) AND claimable_at <= ?
                ORDER BY live_queue_at LIMIT 1) AS kind\(index)
            """
        }
        let row = try row(
            "SELECT \(places.joined(separator: ", "))", names.flatMap { [SQLValue($0), SQLValue(now)] })
        var found: [(name: String, place: Timestamp)] = []
        for (index, name) in names.enumerated() {
            if let place = try row?.optionalTimestamp("kind\(index)") { found.append((name, place)) }
        }
        return found.sorted { $0.place < $1.place }
    }
}

extension WorkTask {
    /// Returns the task as it is after the claim.
    fileprivate func claimed(by mark: ClaimMark, at now: Timestamp) -> WorkTask {
        var task = self
        if state == .running, maxAttempts < WorkTask.mostAttempts { task.maxAttempts += 1 }
        (task.state, task.attempt, task.owner) = (.running, attempt + 1, mark.owner)
        task.framesDone = 0
        task.claimedAt = mark.id.time
        (task.leaseUntil, task.updatedAt) = (now.advanced(bySeconds: mark.leaseSeconds), now)
        return task
    }
}
