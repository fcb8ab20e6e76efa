internal import ClairoCore

extension SQLMetadataStore {
    func video(_ id: VideoID) async throws(ClairoError) -> Video? {
        try await driver.read { try $0.video(id) }
    }

    func videos(_ filter: VideoFilter) async throws(ClairoError) -> [Video] {
        var conditions: [String] = []
        var arguments: [SQLValue] = []
        if let state = filter.state {
            conditions.append("state = ?")
            arguments.append(SQLValue(state))
        }
        if let before = filter.before {
            conditions.append("id < ?")
            arguments.append(SQLValue(before))
        }
        let clause = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let index = filter.state == nil ? driver.dialect.byPrimaryKey : driver.dialect.using("videos_by_state")
        let sql = "SELECT * FROM videos \(index) \(clause) ORDER BY id DESC LIMIT ?"
        let bound = arguments + [SQLValue(max(0, filter.limit))]
        return try await driver.read { [report] connection in
            try connection.query(sql, bound).map { try Video($0.reporting(to: report)) }
        }
    }

    func video(sha256: String) async throws(ClairoError) -> Video? {
        try await driver.read { connection in
            try connection.row(
                """
                SELECT * FROM videos \(connection.dialect.using("videos_by_sha256"))
                WHERE sha256 = ? AND state NOT IN (?, ?, ?) ORDER BY id LIMIT 1
                """,
                [
                    SQLValue(sha256), SQLValue(Video.State.failed), SQLValue(Video.State.cancelled),
                    SQLValue(Video.State.deleting),
                ]
            ).map(Video.init)
        }
    }

    func register(_ video: Video, message: OutboxMessage, upload: UploadID?) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            if try connection.wasDeleted(video.id) { return false }
            guard try connection.insert(video) else {
                // The trace id is random, so a row with this id was written by this call.
                return try connection.mayHaveCommitted && connection.video(video.id)?.traceID == video.traceID
            }
            try connection.insert([message], of: video.id)
            if let upload {
                let now = try connection.now()
                let count = try connection.execute(
                    "UPDATE uploads SET state = ?, version = version + 1, updated_at = ? WHERE id = ? AND state = ?",
                    [
                        SQLValue(UploadSession.State.complete), SQLValue(now), SQLValue(upload),
                        SQLValue(UploadSession.State.open),
                    ])
                // The upload's row protects the bytes from deletion. Without an open row, they may have been deleted.
                guard count > 0 else {
                    throw ClairoError.temporary("The upload \(upload) was completed or discarded while it was running")
                }
            }
            return true
        }
    }

    func deleteVideo(_ id: VideoID) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            try connection.execute("DELETE FROM outbox WHERE video_id = ?", [SQLValue(id)])
            // Foreign keys delete jobs, tasks and renditions.
            let count = try connection.execute("DELETE FROM videos WHERE id = ?", [SQLValue(id)])
            try connection.finishDeletion(of: id)
            return count > 0 || connection.mayHaveCommitted
        }
    }
}

extension SQLConnection {
    func video(_ id: VideoID) throws -> Video? {
        try row("SELECT * FROM videos WHERE id = ?", [SQLValue(id)]).map(Video.init)
    }

    /// Locks the video until the transaction ends.
    func lockVideo(_ id: VideoID) throws -> Video? {
        try row("SELECT * FROM videos WHERE id = ? \(dialect.lock)", [SQLValue(id)]).map(Video.init)
    }

    fileprivate func insert(_ video: Video) throws -> Bool {
        try insert(
            into: "videos",
            [
                "id": SQLValue(video.id), "state": SQLValue(video.state), "title": SQLValue(video.title),
                "original_name": SQLValue(video.originalName), "profile": SQLValue(video.profile),
                "priority": SQLValue(video.priority), "tenant": SQLValue(video.tenant),
                "source_bucket": SQLValue(video.source.bucket),
                "source_key": SQLValue(video.source.key), "source_url": SQLValue(video.source.url),
                "size": SQLValue(video.size), "sha256": SQLValue(video.sha256), "media": try .json(video.media),
                "trace_id": SQLValue(video.traceID), "uploaded_at": SQLValue(video.uploadedAt),
                "updated_at": SQLValue(video.updatedAt), "job_id": SQLValue(video.jobID),
                "output": try .json(video.output), "failure": try .json(video.error),
            ])
    }
}

extension Video {
    /// The columns that `init` reads.
    static let columns = [
        "id", "state", "title", "original_name", "profile", "priority", "tenant", "source_bucket", "source_key",
        "source_url", "size", "sha256", "media", "trace_id", "uploaded_at", "updated_at", "job_id", "output", "failure",
    ]

    init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("videos")
        self.init(
            id: try row.id("id"), state: try row.word("state"), title: try row.optionalText("title"),
            originalName: try row.text("original_name"), profile: try row.text("profile"),
            priority: try row.priority(), tenant: try row.text("tenant"),
            source: ObjectLocation(
                bucket: try row.text("source_bucket"), key: try row.text("source_key"), url: try row.text("source_url")),
            size: try row.integer("size"), sha256: try row.text("sha256"), media: try row.optionalJSON("media"),
            traceID: try row.text("trace_id"), uploadedAt: try row.timestamp("uploaded_at"),
            updatedAt: try row.timestamp("updated_at"), jobID: try row.optionalID("job_id"),
            output: try row.optionalJSON("output"), error: try row.optionalJSON("failure"))
    }
}
