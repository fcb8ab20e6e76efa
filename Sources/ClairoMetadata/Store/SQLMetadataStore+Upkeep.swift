internal import ClairoCore

/// Duties: leader leases.
extension SQLMetadataStore {
    func takeDuty(_ duty: Duty, owner: String, leaseSeconds: Double, evenIfNotDue: Bool) async throws(ClairoError)
        -> Bool
    {
        try await driver.write { connection in
            let now = try connection.leaseTime()
            let until = SQLValue(now.advanced(bySeconds: leaseSeconds))
            let count = try connection.execute(
                """
                UPDATE duties SET owner = ?, lease_until = ?
                WHERE name = ? AND (owner = ? AND lease_until > ? OR lease_until <= ? AND due_at <= ?)
                """,
                [
                    SQLValue(owner), until, SQLValue(duty), SQLValue(owner), SQLValue(now), SQLValue(now),
                    SQLValue(evenIfNotDue ? Timestamp(microseconds: .max) : now),
                ])
            if count > 0 { return true }
            guard try connection.row("SELECT name FROM duties WHERE name = ?", [SQLValue(duty)]) == nil else {
                return false
            }
            return try connection.insert(
                into: "duties",
                ["name": SQLValue(duty), "owner": SQLValue(owner), "lease_until": until, "due_at": SQLValue(now)])
        }
    }

    func endDuty(_ duty: Duty, owner: String, succeeded: Bool, dueAfterSeconds seconds: Double)
        async throws(ClairoError)
    {
        try await driver.write { connection in
            let now = try connection.leaseTime()
            _ = try connection.execute(
                """
                UPDATE duties SET owner = NULL, lease_until = ?, due_at = ?,
                    succeeded_at = CASE WHEN ? = 1 THEN ? ELSE succeeded_at END
                WHERE name = ? AND owner = ?
                """,
                [
                    SQLValue(now), SQLValue(now.advanced(bySeconds: seconds)), SQLValue(succeeded ? 1 : 0),
                    SQLValue(try connection.now()), SQLValue(duty), SQLValue(owner),
                ])
        }
    }

    func dutyStatus(_ duty: Duty) async throws(ClairoError) -> DutyStatus? {
        try await driver.read { connection in
            let now = try connection.leaseTime()
            return try connection.row("SELECT * FROM duties WHERE name = ?", [SQLValue(duty)]).map { row in
                DutyStatus(
                    owner: try row.timestamp("lease_until") > now ? try row.optionalText("owner") : nil,
                    succeededAt: try row.optionalTimestamp("succeeded_at"))
            }
        }
    }
}

/// Marks of garbage.
extension SQLMetadataStore {
    func jobsWithGarbage(olderThanSeconds seconds: Double, after last: JobWithGarbage?, limit: Int)
        async throws(ClairoError) -> [JobWithGarbage]
    {
        try await driver.read { connection in
            let latest = try connection.now().advanced(bySeconds: -seconds)
            let since = SQLValue(last?.since ?? Timestamp(microseconds: .min))
            return try connection.query(
                """
                SELECT * FROM jobs WHERE garbage_since <= ? AND (garbage_since > ? OR garbage_since = ? AND id > ?)
                ORDER BY garbage_since, id LIMIT ?
                """,
                [
                    SQLValue(latest), since, since, SQLValue(last?.job.id.rawValue ?? ""), SQLValue(max(0, limit)),
                ]
            ).map { JobWithGarbage(job: try Job($0), since: try $0.timestamp("garbage_since")) }
        }
    }

    func beginSweep(of job: Job) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            try connection.execute(
                "UPDATE jobs SET swept_at = COALESCE(swept_at, ?) WHERE id = ? AND state = ? AND attempt = ?",
                [SQLValue(try connection.now()), SQLValue(job.id), SQLValue(job.state), SQLValue(job.attempt)]) > 0
        }
    }

    func endSweep(of job: Job) async throws(ClairoError) {
        try await driver.write { connection in
            _ = try connection.execute(
                "UPDATE jobs SET garbage_since = NULL WHERE id = ? AND state = ? AND attempt = ?",
                [SQLValue(job.id), SQLValue(job.state), SQLValue(job.attempt)])
        }
    }

    func idleUploads(olderThanSeconds seconds: Double, limit: Int) async throws(ClairoError) -> [UploadSession] {
        try await driver.read { connection in
            let latest = try connection.now().advanced(bySeconds: -seconds)
            return try connection.query(
                "SELECT * FROM uploads WHERE updated_at <= ? AND state <> ? ORDER BY updated_at, id LIMIT ?",
                [SQLValue(latest), SQLValue(UploadSession.State.complete), SQLValue(max(0, limit))]
            ).map(UploadSession.init)
        }
    }
}

extension SQLConnection {
    /// Marks a job that ends unsuccessfully, and records until when its workers may write. Call before its tasks are
    /// ended. Locks these, because workers claim tasks and renew leases without a lock on the job.
    func noteGarbage(ofStopped id: JobID, now: Timestamp) throws {
        let running = SQLValue(WorkTask.State.running)
        let last = try row(
            """
            SELECT MAX(CASE WHEN state = ? THEN claimable_at END) AS lease_until
            FROM tasks \(dialect.using("tasks_by_job")) WHERE job_id = ? AND state IN (?, ?) \(dialect.lock)
            """, [running, SQLValue(id), SQLValue(WorkTask.State.pending), running])
        let until = SQLValue(try last?.optionalTimestamp("lease_until"))
        try execute(
            """
            UPDATE jobs SET garbage_since = ?,
                writes_until = CASE WHEN writes_until >= ? THEN writes_until ELSE COALESCE(?, writes_until) END
            WHERE id = ?
            """, [SQLValue(now), until, until, SQLValue(id)])
    }

    /// Marks the jobs whose output a job has replaced.
    func noteGarbage(ofReplacedBy id: JobID, of video: VideoID, now: Timestamp) throws {
        try execute(
            """
            UPDATE jobs SET garbage_since = ?
            WHERE video_id = ? AND id <> ? AND state = ? AND swept_at IS NULL AND garbage_since IS NULL
            """,
            [SQLValue(now), SQLValue(video), SQLValue(id), SQLValue(Job.State.succeeded)])
    }
}
