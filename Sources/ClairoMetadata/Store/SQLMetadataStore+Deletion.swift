internal import ClairoCore

extension SQLMetadataStore {
    func beginDeletion(of id: VideoID, messages: @Sendable @escaping (Job) -> [OutboxMessage]) async throws(ClairoError)
        -> Video?
    {
        try await driver.write { connection in
            guard let video = try connection.lockVideo(id) else { return nil }
            if video.state == .deleting { return video }
            let now = try connection.now()
            let jobs = "SELECT * FROM jobs WHERE video_id = ? ORDER BY id \(connection.dialect.lock)"
            for job in try connection.query(jobs, [SQLValue(id)]).map(Job.init) where !job.state.isFinal {
                try connection.stop(job.id, as: .cancelled, now: now)
                guard let stopped = try connection.job(job.id) else { continue }
                try connection.insert(messages(stopped), of: id)
            }
            let last = try connection.row(
                "SELECT MAX(writes_until) AS writes_until FROM jobs WHERE video_id = ?", [SQLValue(id)])
            let end = try last?.optionalTimestamp("writes_until")?.advanced(bySeconds: Deletion.quietSeconds)
            // Leases of workers end by this clock.
            let due = try connection.leaseTime()
            let isNew = try connection.insert(
                into: "deletions",
                [
                    "video_id": SQLValue(id), "requested_at": SQLValue(now), "quiet_at": SQLValue(max(due, end ?? due)),
                    "due_at": SQLValue(due),
                ])
            if !isNew { throw ClairoError.defect("Video \(id) exists although it was deleted") }
            try connection.execute(
                "UPDATE videos SET state = ?, failure = NULL, updated_at = ? WHERE id = ?",
                [SQLValue(Video.State.deleting), SQLValue(now), SQLValue(id)])
            return try connection.video(id)
        }
    }

    func deletion(of id: VideoID) async throws(ClairoError) -> Deletion? {
        try await driver.read { connection in
            let now = try connection.leaseTime()
            return try connection.row("SELECT * FROM deletions WHERE video_id = ?", [SQLValue(id)])
                .map { try Deletion($0, now: now) }
        }
    }

    func dueDeletions(limit: Int) async throws(ClairoError) -> [Deletion] {
        try await driver.read { connection in
            let now = try connection.leaseTime()
            return try connection.query(
                "SELECT * FROM deletions WHERE due_at <= ? ORDER BY due_at, video_id LIMIT ?",
                [SQLValue(now), SQLValue(max(0, limit))]
            ).map { try Deletion($0, now: now) }
        }
    }

    func scheduleDeletion(of id: VideoID, _ next: Deletion.Next, failure: Failure?) async throws(ClairoError) {
        try await driver.write { connection in
            // The video is locked first, as in the other transactions.
            try connection.execute(
                "UPDATE videos SET failure = ?, updated_at = ? WHERE id = ? AND state = ?",
                [try .json(failure), SQLValue(try connection.now()), SQLValue(id), SQLValue(Video.State.deleting)])
            switch next {
            case .whenQuiet:
                try connection.execute("UPDATE deletions SET due_at = quiet_at WHERE video_id = ?", [SQLValue(id)])
            case .after(let seconds):
                try connection.execute(
                    "UPDATE deletions SET due_at = ? WHERE video_id = ?",
                    [SQLValue(try connection.leaseTime().advanced(bySeconds: seconds)), SQLValue(id)])
            case .never:
                try connection.execute("UPDATE deletions SET due_at = NULL WHERE video_id = ?", [SQLValue(id)])
            }
        }
    }

    func removeTombstones(olderThanSeconds seconds: Double, limit: Int) async throws(ClairoError) -> Int {
        try await driver.write { connection in
            let latest = try connection.now().advanced(bySeconds: -seconds)
            let rows = try connection.query(
                "SELECT video_id FROM deletions WHERE finished_at <= ? ORDER BY finished_at LIMIT ?",
                [SQLValue(latest), SQLValue(max(0, limit))])
            return try rows.reduce(0) { count, row in
                try count + connection.execute("DELETE FROM deletions WHERE video_id = ?", [row["video_id"]])
            }
        }
    }
}

extension SQLConnection {
    /// Whether the deletion of a video was requested, and its tombstone has not expired.
    func wasDeleted(_ id: VideoID) throws -> Bool {
        try row("SELECT video_id FROM deletions WHERE video_id = ?", [SQLValue(id)]) != nil
    }

    /// Makes the record of a deletion a tombstone, in the transaction that deletes the video.
    func finishDeletion(of id: VideoID) throws {
        try execute(
            "UPDATE deletions SET finished_at = ?, due_at = ? WHERE video_id = ? AND finished_at IS NULL",
            [
                SQLValue(try now()), SQLValue(try leaseTime().advanced(bySeconds: Deletion.lastLookSeconds)),
                SQLValue(id),
            ])
    }
}

extension Deletion {
    fileprivate init(_ row: SQLRow, now: Timestamp) throws(ClairoError) {
        let quietAt = try row.timestamp("quiet_at")
        self.init(
            videoID: try row.id("video_id"), requestedAt: try row.timestamp("requested_at"), quietAt: quietAt,
            isQuiet: quietAt <= now, finishedAt: try row.optionalTimestamp("finished_at"))
    }
}
