internal import ClairoCore
internal import Foundation

/// The `local:` queue. Like the outbox, it contains only unfinished messages.
extension SQLMetadataStore {
    func enqueue(_ messages: [OutboxMessage]) async throws(ClairoError) {
        if messages.isEmpty { return }
        try await driver.write { connection in
            let now = try connection.leaseTime()
            let rows = try messages.map { message -> SQLColumns in
                [
                    "id": SQLValue(message.id), "topic": SQLValue(message.topic),
                    "message_key": SQLValue(message.key), "headers": try .json(message.headers),
                    "payload": SQLValue(message.payload.base64EncodedString()),
                    "created_at": SQLValue(message.createdAt), "claimable_at": SQLValue(now),
                    "deliveries": SQLValue(0),
                ]
            }
            try connection.insertNew(into: "queue", rows)
        }
    }

    func claimQueued(topics: [String], owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [QueuedMessage]
    {
        if topics.isEmpty || limit <= 0 { return [] }
        for _ in 0..<Self.looks {
            // One query for each topic, so that the index provides the order.
            var found: [Int64] = []
            for topic in Set(topics) {
                found += try await driver.look { try $0.dueQueued(topic, limit: limit) }
            }
            if found.isEmpty { return [] }
            let first = found.sorted().prefix(limit).map { SQLValue.integer($0) }
            let claimed = try await claimQueued(first, owner: owner, leaseSeconds: leaseSeconds)
            // If none is left, another consumer was faster.
            if !claimed.isEmpty { return claimed }
        }
        return []
    }

    /// How often to look again if another consumer was faster.
    private static var looks: Int { 10 }

    private func claimQueued(
        _ sequences: [SQLValue], owner: String, leaseSeconds: Double
    ) async throws(ClairoError) -> [QueuedMessage] {
        let claim = SQLValue(MessageID.make())
        return try await driver.writeEach { [report] connection in
            let now = try connection.leaseTime()
            let list = SQLRows.list(sequences)
            try connection.execute(
                """
                UPDATE queue \(connection.dialect.byPrimaryKey)
                SET owner = ?, claim = ?, claimable_at = ?, deliveries = deliveries + 1
                WHERE sequence IN (\(list.places)) AND claimable_at <= ?
                """,
                [SQLValue(owner), claim, SQLValue(now.advanced(bySeconds: leaseSeconds))] + list.values
                    + [SQLValue(now)])
            // The look may have seen a deletion that is not committed, so look for older messages again.
            let rows = try connection.query(
                """
                SELECT message.*, EXISTS (SELECT 1 FROM queue AS older \(connection.olderQueued)) AS must_wait
                FROM queue AS message \(connection.dialect.byPrimaryKey)
                WHERE sequence IN (\(list.places)) AND claim = ? ORDER BY sequence
                """, list.values + [claim])
            let early = try rows.filter { try $0.int("must_wait") != 0 }
            if !early.isEmpty {
                let list = SQLRows.list(try early.map { try $0["sequence"] })
                try connection.execute(
                    """
                    UPDATE queue \(connection.dialect.byPrimaryKey)
                    SET owner = NULL, claim = NULL, claimable_at = ?, deliveries = deliveries - 1
                    WHERE sequence IN (\(list.places)) AND claim = ?
                    """, [SQLValue(now)] + list.values + [claim])
            }
            return try rows.filter { try $0.int("must_wait") == 0 }
                .map { try QueuedMessage($0.reporting(to: report)) }
        }
    }

    func renewQueued(_ ids: [MessageID], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> [MessageID]
    {
        if ids.isEmpty { return [] }
        return try await driver.writeEach { connection in
            let until = try connection.leaseTime().advanced(bySeconds: leaseSeconds)
            let list = SQLRows.list(ids.map { SQLValue($0) })
            let byID = connection.dialect.using("queue_by_id")
            let count = try connection.execute(
                "UPDATE queue \(byID) SET claimable_at = ? WHERE id IN (\(list.places)) AND owner = ?",
                [SQLValue(until)] + list.values + [SQLValue(owner)])
            if count == ids.count { return ids }
            let held = try connection.query(
                "SELECT id FROM queue \(byID) WHERE id IN (\(list.places)) AND owner = ?",
                list.values + [SQLValue(owner)])
            return try held.map { try $0.id("id") }
        }
    }

    func removeQueued(_ id: MessageID, owner: String) async throws(ClairoError) -> Bool {
        try await driver.writeEach { connection in
            let count = try connection.execute(
                "DELETE FROM queue WHERE id = ? AND owner = ?", [SQLValue(id), SQLValue(owner)])
            if count > 0 { return true }
            return try connection.mayHaveCommitted
                && connection.row("SELECT id FROM queue WHERE id = ?", [SQLValue(id)]) == nil
        }
    }

    func releaseQueued(_ id: MessageID, owner: String) async throws(ClairoError) {
        try await driver.writeEach { connection in
            _ = try connection.execute(
                "UPDATE queue SET owner = NULL, claimable_at = ? WHERE id = ? AND owner = ?",
                [SQLValue(try connection.leaseTime()), SQLValue(id), SQLValue(owner)])
        }
    }
}

extension SQLConnection {
    /// The rest of a query for the messages named `older` that the message named `message` waits for.
    fileprivate var olderQueued: String {
        """
        \(dialect.using("queue_by_key"))
        WHERE older.topic = message.topic AND older.message_key = message.message_key
            AND older.sequence < message.sequence
        """
    }

    /// Sequence numbers of messages that can be claimed. A message waits until older messages with its topic and key
    /// are removed.
    fileprivate func dueQueued(_ topic: String, limit: Int) throws -> [Int64] {
        try query(
            """
            SELECT sequence FROM queue AS message \(dialect.using("queue_by_topic"))
            WHERE topic = ? AND claimable_at <= ? AND NOT EXISTS (SELECT 1 FROM queue AS older \(olderQueued))
            ORDER BY sequence LIMIT ?
            """, [SQLValue(topic), SQLValue(try leaseTime()), SQLValue(limit)]
        ).map { try $0.integer("sequence") }
    }
}

extension QueuedMessage {
    fileprivate init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("queue")
        let message = OutboxMessage(
            id: try row.id("id"), topic: try row.text("topic"), key: try row.text("message_key"),
            headers: try row.json("headers", or: [:]), payload: try row.base64("payload"),
            createdAt: try row.timestamp("created_at"))
        self.init(message: message, sequence: try row.integer("sequence"), deliveries: try row.int("deliveries"))
    }
}
