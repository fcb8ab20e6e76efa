internal import ClairoCore
internal import Foundation

/// The outbox contains only undelivered messages. A delivered message is deleted, so that the table, its indexes and
/// the search for older messages of the same key stay small. Delivered messages are in the topic.
extension SQLMetadataStore {
    func claimOutbox(_ lane: OutboxLane, owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [OutboxMessage]
    {
        if limit <= 0 { return [] }
        let claim = MessageID.make()
        return try await driver.write { connection in
            let now = try connection.now()
            if connection.mayHaveCommitted {
                let held = try connection.query(
                    "SELECT * FROM outbox WHERE owner = ? AND claim = ? ORDER BY sequence",
                    [SQLValue(owner), SQLValue(claim)])
                if !held.isEmpty { return try held.map(OutboxMessage.init) }
            }
            // A message waits until older messages with its topic and key are deleted.
            let rows = try connection.query(
                """
                SELECT * FROM outbox AS message WHERE topic \(lane == .webhook ? "=" : "<>") ? AND due_at <= ? AND NOT EXISTS (
                    SELECT 1 FROM outbox AS older WHERE older.topic = message.topic
                    AND older.message_key = message.message_key AND older.sequence < message.sequence)
                ORDER BY due_at, sequence LIMIT ? \(connection.dialect.skipLocked)
                """, [SQLValue(Topic.webhook), SQLValue(now), SQLValue(limit)])
            let until = now.advanced(bySeconds: leaseSeconds)
            for row in rows {
                try connection.execute(
                    "UPDATE outbox SET owner = ?, claim = ?, due_at = ? WHERE sequence = ?",
                    [SQLValue(owner), SQLValue(claim), SQLValue(until), SQLValue(try row.integer("sequence"))])
            }
            return try rows.sorted { try $0.integer("sequence") < $1.integer("sequence") }.map(OutboxMessage.init)
        }
    }

    func markPublished(_ ids: [MessageID], owner: String) async throws(ClairoError) {
        if ids.isEmpty { return }
        try await driver.write { connection in
            // Deletes only messages that this relay still holds. A message that another relay has claimed is deleted by
            // that relay, so that no newer message with the same key overtakes it.
            for id in ids {
                try connection.execute(
                    "DELETE FROM outbox WHERE id = ? AND owner = ?", [SQLValue(id), SQLValue(owner)])
            }
        }
    }

    func postpone(_ id: MessageID, owner: String, seconds: Double, reason: String) async throws(ClairoError) {
        try await driver.write { connection in
            _ = try connection.execute(
                """
                UPDATE outbox SET owner = NULL, due_at = ?, attempts = attempts + 1, last_error = ?
                WHERE id = ? AND owner = ?
                """,
                [
                    SQLValue(try connection.now().advanced(bySeconds: seconds)), SQLValue(reason), SQLValue(id),
                    SQLValue(owner),
                ])
        }
    }

    func post(_ messages: [OutboxMessage], about video: VideoID?) async throws(ClairoError) {
        if messages.isEmpty { return }
        try await driver.write { connection in
            let now = try connection.now()
            if connection.mayHaveCommitted {
                // If the first message exists, the earlier run was committed. If it was already delivered, the messages
                // are sent twice, and the receiver ignores the duplicates.
                let first = "SELECT id FROM outbox WHERE id = ?"
                if try connection.row(first, [SQLValue(messages[0].id)]) != nil { return }
            }
            for message in messages { try connection.insert(message, of: video, now: now) }
        }
    }
}

extension SQLConnection {
    func insert(_ message: OutboxMessage, of video: VideoID?, now: Timestamp) throws {
        guard let payload = String(validating: message.payload, as: UTF8.self) else {
            throw ClairoError.defect("The message \(message.id) is not UTF-8 text")
        }
        // The earlier of the requested time and the requested delay by the database's clock, because the sender's clock
        // may be ahead.
        let delay = max(0, message.dueAt.seconds(since: message.createdAt))
        let isNew = try insert(
            into: "outbox",
            [
                "id": SQLValue(message.id), "video_id": SQLValue(video), "topic": SQLValue(message.topic),
                "message_key": SQLValue(message.key), "headers": try .json(message.headers),
                "payload": SQLValue(payload), "created_at": SQLValue(message.createdAt),
                "due_at": SQLValue(min(message.dueAt, now.advanced(bySeconds: delay))),
                "attempts": SQLValue(message.attempts),
            ])
        if !isNew { throw ClairoError.defect("Message \(message.id) already exists") }
    }
}

extension OutboxMessage {
    init(_ row: SQLRow) throws(ClairoError) {
        self.init(
            id: try row.id("id"), topic: try row.text("topic"), key: try row.text("message_key"),
            headers: try row.json("headers"), payload: Data(try row.text("payload").utf8),
            createdAt: try row.timestamp("created_at"), dueAt: try row.timestamp("due_at"),
            attempts: try row.int("attempts"))
    }
}
