internal import ClairoCore

extension SQLMetadataStore {
    /// Looks without locks for the first of each kind, which is a few steps into the index for each, and then locks and takes
    /// the first of the first; where others hold all of that kind, the next.
    ///
    /// A row that was taken leaves its old place in the index behind until the server cleans up, and under load there are
    /// thousands of them at the front. So the first look is a hint that passes over them without asking what they were, and
    /// the locks begin where it ended.
    func claimNextTask(kinds: [WorkTask.Kind], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> WorkTask?
    {
        if kinds.isEmpty { return nil }
        let mark = ClaimMark(owner: owner, leaseSeconds: leaseSeconds)
        return try await driver.writeByHints { connection in
            if connection.mayHaveCommitted, let task = try connection.task(of: mark, kinds: kinds) { return task }
            let now = try connection.now()
            for (kind, place) in try connection.due(kinds, now: now) {
                let found = try connection.row(
                    """
                    SELECT * FROM tasks \(connection.liveTasks) AND live_queue_at >= ? AND claimable_at <= ?
                    ORDER BY live_queue_at, claimable_at, id LIMIT 1 \(connection.dialect.skipLocked)
                    """, [SQLValue(kind), SQLValue(place), SQLValue(now)])
                // The row is locked from here on, so what the update makes of it is known.
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

/// One attempt to take something. Its id is written into the row, by which a repeated transaction knows its own claim.
struct ClaimMark: Sendable {
    let id: MessageID = .make()
    var owner: String
    var leaseSeconds: Double
}

extension SQLConnection {
    /// The tasks of a kind that have not ended, by the index that has them in their order. Left to itself, MariaDB walks
    /// through those that have ended as well.
    var liveTasks: String { "\(dialect.using("tasks_to_claim")) WHERE kind = ? AND live_queue_at IS NOT NULL" }

    /// The claim itself: one conditional update.
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
                // First, as MySQL goes by what it has assigned already.
                SQLValue(WorkTask.State.running), SQLValue(WorkTask.mostAttempts),
                SQLValue(WorkTask.State.running), SQLValue(mark.owner), SQLValue(mark.id),
                SQLValue(now.advanced(bySeconds: mark.leaseSeconds)), SQLValue(now), SQLValue(id), SQLValue(now),
            ]) > 0
    }

    /// What a claim has taken that may have been committed.
    fileprivate func task(of mark: ClaimMark, kinds: [WorkTask.Kind]) throws -> WorkTask? {
        for kind in kinds {
            let found = try row(
                "SELECT * FROM tasks \(liveTasks) AND claim = ?",
                [SQLValue(kind), SQLValue(mark.id)])
            if let found { return try WorkTask(found) }
        }
        return nil
    }

    /// The kinds of which something is due, and the place of its first task; that of the task that is to be taken first at the
    /// front.
    fileprivate func due(_ kinds: [WorkTask.Kind], now: Timestamp) throws -> [(kind: WorkTask.Kind, place: Timestamp)] {
        let places = kinds.indices.map { index in
            """
            (SELECT live_queue_at FROM tasks \(liveTasks) AND claimable_at <= ?
                ORDER BY live_queue_at LIMIT 1) AS kind\(index)
            """
        }
        let row = try row(
            "SELECT \(places.joined(separator: ", "))", kinds.flatMap { [SQLValue($0), SQLValue(now)] })
        var found: [(kind: WorkTask.Kind, place: Timestamp)] = []
        for (index, kind) in kinds.enumerated() {
            if let place = try row?.optionalTimestamp("kind\(index)") { found.append((kind, place)) }
        }
        return found.sorted { $0.place < $1.place }
    }
}

extension WorkTask {
    /// The task as a claim leaves it.
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
