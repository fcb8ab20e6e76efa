internal import ClairoCore

extension SQLMetadataStore {
    func createUpload(_ upload: UploadSession) async throws(ClairoError) {
        try await driver.write { connection in
            let isNew = try connection.insert(
                into: "uploads",
                [
                    "id": SQLValue(upload.id), "video_id": SQLValue(upload.videoID), "state": SQLValue(upload.state),
                    "fingerprint": SQLValue(upload.fingerprint), "title": SQLValue(upload.title),
                    "original_name": SQLValue(upload.originalName), "profile": SQLValue(upload.profile),
                    "priority": SQLValue(upload.priority), "tenant": SQLValue(upload.tenant),
                    "size": SQLValue(upload.size), "sha256": SQLValue(upload.sha256),
                    "multipart": try .json(upload.multipart),
                    "byte_offset": SQLValue(upload.offset), "version": SQLValue(upload.version),
                    "created_at": SQLValue(upload.createdAt), "updated_at": SQLValue(upload.updatedAt),
                    "expires_at": SQLValue(upload.expiresAt),
                ])
            if !isNew, !connection.mayHaveCommitted {
                throw ClairoError.defect("Upload \(upload.id) already exists")
            }
        }
    }

    func upload(_ id: UploadID) async throws(ClairoError) -> UploadSession? {
        try await driver.read { try $0.upload(id) }
    }

    func upload(fingerprint: String) async throws(ClairoError) -> UploadSession? {
        try await driver.read { connection in
            try connection.row(
                """
                SELECT * FROM uploads \(connection.dialect.using("uploads_by_fingerprint"))
                WHERE fingerprint = ? ORDER BY id DESC LIMIT 1
                """, [SQLValue(fingerprint)]
            ).map(UploadSession.init)
        }
    }

    func updateUpload(_ upload: UploadSession) async throws(ClairoError) -> UploadSession? {
        try await driver.write { connection in
            let count = try connection.execute(
                """
                UPDATE uploads SET state = ?, size = ?, multipart = ?, byte_offset = ?, title = ?, original_name = ?,
                    sha256 = ?, expires_at = ?, updated_at = ?, version = version + 1
                WHERE id = ? AND version = ?
                """,
                [
                    SQLValue(upload.state), SQLValue(upload.size), try .json(upload.multipart), SQLValue(upload.offset),
                    SQLValue(upload.title), SQLValue(upload.originalName), SQLValue(upload.sha256),
                    SQLValue(upload.expiresAt), SQLValue(try connection.now()), SQLValue(upload.id),
                    SQLValue(upload.version),
                ])
            if count > 0 { return try connection.upload(upload.id) }
            guard connection.mayHaveCommitted, let row = try connection.upload(upload.id) else { return nil }
            var wanted = upload
            wanted.version += 1
            wanted.updatedAt = row.updatedAt
            return row == wanted ? row : nil
        }
    }

    func deleteUpload(_ id: UploadID) async throws(ClairoError) {
        try await driver.write { connection in
            _ = try connection.execute("DELETE FROM uploads WHERE id = ?", [SQLValue(id)])
        }
    }

    func expiredUploads(limit: Int) async throws(ClairoError) -> [UploadSession] {
        try await driver.read { connection in
            try connection.query(
                """
                SELECT * FROM uploads \(connection.dialect.using("uploads_by_expiry"))
                WHERE expires_at <= ? ORDER BY expires_at, id LIMIT ?
                """,
                [SQLValue(try connection.now()), SQLValue(max(0, limit))]
            ).map(UploadSession.init)
        }
    }
}

extension SQLConnection {
    fileprivate func upload(_ id: UploadID) throws -> UploadSession? {
        try row("SELECT * FROM uploads WHERE id = ?", [SQLValue(id)]).map(UploadSession.init)
    }
}

extension UploadSession {
    init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("uploads")
        self.init(
            id: try row.id("id"), videoID: try row.id("video_id"), state: try row.word("state"),
            fingerprint: try row.text("fingerprint"), title: try row.optionalText("title"),
            originalName: try row.text("original_name"), profile: try row.text("profile"),
            priority: try row.priority(), tenant: try row.text("tenant"), size: try row.optionalInteger("size"),
            sha256: try row.optionalText("sha256"), multipart: try row.optionalJSON("multipart"),
            offset: try row.integer("byte_offset"), version: try row.int("version"),
            createdAt: try row.timestamp("created_at"), updatedAt: try row.timestamp("updated_at"),
            expiresAt: try row.timestamp("expires_at"))
    }
}
