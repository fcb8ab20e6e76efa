internal import ClairoCore
internal import Foundation

/// The `local:` queue. Like the outbox, it contains only unfinished messages.
extension SQLMetadataStore {
    func enqueue(_ messages: [OutboxMessage]) async throws(ClairoError) {
        if messages.isEmpty { return }
        try await driver.write { connection in
            let now = try connection.now()
            for message in messages {
                _ = try connection.insert(
                    into: "queue",
                    [
                        "id": SQLValue(message.id), "topic": SQLValue(message.topic),
                        "message_key": SQLValue(message.key), "headers": try .json(message.headers),
                        "payload": SQLValue(message.payload.base64EncodedString()),
                        "created_at": SQLValue(message.createdAt), "claimable_at": SQLValue(now),
                        "deliveries": SQLValue(0),
                    ])
            }
        }
    }

    func claimQueued(topics: [String], owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [QueuedMessage]
    {
        if topics.isEmpty || limit <= 0 { return [] }
        let mark = ClaimMark(owner: owner, leaseSeconds: leaseSeconds)
        return try await driver.write { connection in
            if connection.mayHaveCommitted {
                let held = try connection.query(
                    "SELECT * FROM queue WHERE claim = ? ORDER BY sequence", [SQLValue(mark.id)])
                if !held.isEmpty { return try held.map(QueuedMessage.init) }
            }
            let now = try connection.now()
            // A message waits until older messages with its topic and key are removed. There is one query for each
            // topic, so that the index provides the order.
            let found = try Set(topics).flatMap { topic in
                try connection.query(
                    """
                    SELECT * FROM queue AS message \(connection.dialect.using("queue_by_topic"))
                    WHERE topic = ? AND claimable_at <= ? AND NOT EXISTS (
                        SELECT 1 FROM queue AS older WHERE older.topic = message.topic
                        AND older.message_key = message.message_key AND older.sequence < message.sequence)
                    ORDER BY sequence LIMIT ? \(connection.dialect.skipLocked)
                    """, [SQLValue(topic), SQLValue(now), SQLValue(limit)]
                ).map(QueuedMessage.init)
            }
            let until = now.advanced(bySeconds: leaseSeconds)
            return try found.sorted { $0.sequence < $1.sequence }.prefix(limit).map { found in
                try connection.execute(
                    """
                    UPDATE queue SET owner = ?, claim = ?, claimable_at = ?, deliveries = deliveries + 1
                    WHERE sequence = ?
                    """, [SQLValue(owner), SQLValue(mark.id), SQLValue(until), SQLValue(found.sequence)])
                var taken = found
                taken.deliveries += 1
                return taken
            }
        }
    }

    func renewQueued(_ ids: [MessageID], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> [MessageID]
    {
        if ids.isEmpty { return [] }
        return try await driver.write { connection in
            let until = try connection.now().advanced(bySeconds: leaseSeconds)
            return try ids.filter { id in
                try connection.execute(
                    "UPDATE queue SET claimable_at = ? WHERE id = ? AND owner = ?",
                    [SQLValue(until), SQLValue(id), SQLValue(owner)]) > 0
            }
        }
    }

    func removeQueued(_ id: MessageID, owner: String) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            let count = try connection.execute(
                "DELETE FROM queue WHERE id = ? AND owner = ?", [SQLValue(id), SQLValue(owner)])
            if count > 0 { return true }
            return try connection.mayHaveCommitted
                && connection.row("SELECT id FROM queue WHERE id = ?", [SQLValue(id)]) == nil
        }
    }

    func releaseQueued(_ id: MessageID, owner: String) async throws(ClairoError) {
        try await driver.write { connection in
            _ = try connection.execute(
                "UPDATE queue SET owner = NULL, claimable_at = ? WHERE id = ? AND owner = ?",
                [SQLValue(try connection.now()), SQLValue(id), SQLValue(owner)])
        }
    }

    func queuedCounts() async throws(ClairoError) -> [String: Int] {
        try await driver.read { connection in
            let rows = try connection.query("SELECT topic, COUNT(*) AS count FROM queue GROUP BY topic", [])
            return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.text("topic"), try $0.int("count")) })
        }
    }
}

extension QueuedMessage {
    fileprivate init(_ row: SQLRow) throws(ClairoError) {
        let message = OutboxMessage(
            id: try row.id("id"), topic: try row.text("topic"), key: try row.text("message_key"),
            headers: try row.json("headers"), payload: try row.base64("payload"),
            createdAt: try row.timestamp("created_at"))
        self.init(message: message, sequence: try row.integer("sequence"), deliveries: try row.int("deliveries"))
    }
}
