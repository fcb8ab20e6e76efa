internal import ClairoCore
internal import Foundation

/// The outbox contains only undelivered messages. A delivered message is deleted, so that the table, its indexes and
/// the search for older messages of the same key stay small. Delivered messages are in the topic.
extension SQLMetadataStore {
    /// Looks at the first due messages of the lane and claims those that need not wait.
    ///
    /// A message waits until older messages with its topic and key are deleted. After an outage of the webhook's
    /// receiver, hundreds of thousands may be due and wait for messages that are delayed. Each look finds the same
    /// ones, so those of a full look are put off until the message that they wait for is due.
    func claimOutbox(_ lane: OutboxLane, owner: String, limit: Int, leaseSeconds: Double) async throws(ClairoError)
        -> [OutboxMessage]
    {
        if limit <= 0 { return [] }
        let most = max(Self.fewestLooked, 2 * limit)
        for _ in 0..<Self.looks {
            let found = try await driver.look { try $0.dueMessages(lane, limit: most) }
            let ready = found.filter { $0.waitsUntil == nil }.prefix(limit)
            if found.count == most, ready.count < limit { try await putOff(found.filter { $0.waitsUntil != nil }) }
            if !ready.isEmpty {
                let claimed = try await claim(ready.map(\.sequence), owner: owner, leaseSeconds: leaseSeconds)
                // If none is left, another relay was faster.
                if !claimed.isEmpty { return claimed }
            } else if found.count < most {
                return []
            }
        }
        return []
    }

    /// The smallest number of messages to look at.
    private static var fewestLooked: Int { 400 }
    /// How often to look again if all messages wait or another relay has claimed them.
    private static var looks: Int { 10 }

    private func claim(
        _ sequences: [SQLValue], owner: String, leaseSeconds: Double
    ) async throws(ClairoError) -> [OutboxMessage] {
        let claim = SQLValue(MessageID.make())
        return try await driver.writeEach { [report] connection in
            let now = try connection.leaseTime()
            let list = SQLRows.list(sequences)
            try connection.execute(
                """
                UPDATE outbox \(connection.dialect.byPrimaryKey) SET owner = ?, claim = ?, due_at = ?
                WHERE sequence IN (\(list.places)) AND due_at <= ?
                """,
                [SQLValue(owner), claim, SQLValue(now.advanced(bySeconds: leaseSeconds))] + list.values
                    + [SQLValue(now)])
            // The look may have seen a deletion that is not committed, so look for older messages again.
            let rows = try connection.query(
                """
                SELECT message.*, EXISTS (SELECT 1 FROM outbox AS older \(connection.olderMessages)) AS must_wait
                FROM outbox AS message \(connection.dialect.byPrimaryKey)
                WHERE sequence IN (\(list.places)) AND claim = ? ORDER BY sequence
                """, list.values + [claim])
            let early = try rows.filter { try $0.int("must_wait") != 0 }
            if !early.isEmpty {
                let list = SQLRows.list(try early.map { try $0["sequence"] })
                try connection.execute(
                    """
                    UPDATE outbox \(connection.dialect.byPrimaryKey) SET owner = NULL, claim = NULL, due_at = ?
                    WHERE sequence IN (\(list.places)) AND claim = ?
                    """, [SQLValue(now)] + list.values + [claim])
            }
            return try rows.filter { try $0.int("must_wait") == 0 }
                .map { try OutboxMessage($0.reporting(to: report)) }
        }
    }

    private func putOff(_ messages: [DueMessage]) async throws(ClairoError) {
        if messages.isEmpty { return }
        try await driver.writeEach { connection in
            let now = try connection.leaseTime()
            // A message that is being delivered soon makes way.
            let soon = now.advanced(bySeconds: 1)
            for start in stride(from: 0, to: messages.count, by: 256) {
                let group = messages[start..<min(start + 256, messages.count)]
                // The number of branches must be that of the list, which is padded.
                let list = SQLRows.list(group.map(\.sequence))
                let times = SQLRows.list(
                    group.map { SQLValue($0.isHeld ? soon : max(soon, $0.waitsUntil ?? soon)) })
                let branches = Array(repeating: "WHEN ? THEN ?", count: list.values.count).joined(separator: " ")
                try connection.execute(
                    """
                    UPDATE outbox \(connection.dialect.byPrimaryKey)
                    SET due_at = CASE sequence \(branches) ELSE due_at END
                    WHERE sequence IN (\(list.places)) AND due_at <= ?
                    """,
                    zip(list.values, times.values).flatMap { [$0, $1] } + list.values + [SQLValue(now)])
            }
        }
    }

    func markPublished(_ ids: [MessageID], owner: String) async throws(ClairoError) {
        if ids.isEmpty { return }
        try await driver.writeEach { connection in
            // Deletes only messages that this relay still holds. A message that another relay has claimed is deleted by
            // that relay, so that no newer message with the same key overtakes it.
            let list = SQLRows.list(ids.map { SQLValue($0) })
            let held = try connection.query(
                """
                SELECT sequence FROM outbox \(connection.dialect.using("outbox_by_id"))
                WHERE id IN (\(list.places)) AND owner = ?
                """, list.values + [SQLValue(owner)])
            if held.isEmpty { return }
            let sequences = SQLRows.list(try held.map { try $0["sequence"] })
            try connection.execute(
                "\(connection.dialect.delete(from: "outbox")) WHERE sequence IN (\(sequences.places)) AND owner = ?",
                sequences.values + [SQLValue(owner)])
        }
    }

    func postpone(_ id: MessageID, owner: String, seconds: Double, reason: String) async throws(ClairoError) {
        try await driver.writeEach { connection in
            _ = try connection.execute(
                """
                UPDATE outbox SET owner = NULL, due_at = ?, attempts = attempts + 1, last_error = ?
                WHERE id = ? AND owner = ?
                """,
                [
                    SQLValue(try connection.leaseTime().advanced(bySeconds: seconds)), SQLValue(reason), SQLValue(id),
                    SQLValue(owner),
                ])
        }
    }

    func post(_ messages: [OutboxMessage], about video: VideoID?) async throws(ClairoError) {
        if messages.isEmpty { return }
        try await driver.write { connection in
            if connection.mayHaveCommitted {
                // If the first message exists, the earlier run was committed. If it was already delivered, the messages
                // are sent twice, and the receiver ignores the duplicates.
                let first = "SELECT id FROM outbox WHERE id = ?"
                if try connection.row(first, [SQLValue(messages[0].id)]) != nil { return }
            }
            try connection.insert(messages, of: video)
        }
    }
}

/// A message of the outbox that is due.
private struct DueMessage: Sendable {
    var sequence: SQLValue
    /// When the oldest message with its topic and key is due, if that is another one.
    var waitsUntil: Timestamp?
    /// Whether a relay holds that one.
    var isHeld: Bool
}

extension SQLConnection {
    /// The rest of a query for the messages named `older` that the message named `message` waits for.
    fileprivate var olderMessages: String {
        """
        \(dialect.using("outbox_by_key"))
        WHERE older.topic = message.topic AND older.message_key = message.message_key
            AND older.sequence < message.sequence
        """
    }

    fileprivate func dueMessages(_ lane: OutboxLane, limit: Int) throws -> [DueMessage] {
        func oldest(_ column: String) -> String {
            "(SELECT older.\(column) FROM outbox AS older \(olderMessages) ORDER BY older.sequence LIMIT 1)"
        }
        return try query(
            """
            SELECT message.sequence AS sequence, \(oldest("due_at")) AS waits_until, \(oldest("owner")) AS holder
            FROM (SELECT sequence FROM outbox \(dialect.using("outbox_by_lane"))
                WHERE lane = ? AND due_at <= ? ORDER BY due_at, sequence LIMIT ?) AS due
            JOIN outbox AS message ON message.sequence = due.sequence
            ORDER BY message.due_at, message.sequence
            """, [SQLValue(lane), SQLValue(try leaseTime()), SQLValue(limit)]
        ).map { row in
            DueMessage(
                sequence: try row["sequence"], waitsUntil: try row.optionalTimestamp("waits_until"),
                isHeld: try row.optionalText("holder") != nil)
        }
    }

    /// Inserts messages, in order.
    func insert(_ messages: [OutboxMessage], of video: VideoID?) throws {
        let now = try leaseTime()
        let rows = try messages.map { message -> SQLColumns in
            guard let payload = String(validating: message.payload, as: UTF8.self) else {
                throw ClairoError.defect("The message \(message.id) is not UTF-8 text")
            }
            // The requested delay by the database's clock, because the sender's clock may differ.
            let delay = max(0, message.dueAt.seconds(since: message.createdAt))
            return [
                "id": SQLValue(message.id), "video_id": SQLValue(video), "topic": SQLValue(message.topic),
                "message_key": SQLValue(message.key), "headers": try .json(message.headers),
                "payload": SQLValue(payload),
                "created_at": SQLValue(message.createdAt), "due_at": SQLValue(now.advanced(bySeconds: delay)),
                "attempts": SQLValue(message.attempts),
            ]
        }
        guard try insert(into: "outbox", rows) else {
            throw ClairoError.defect("One of the messages \(messages.map(\.id)) already exists")
        }
    }
}

extension OutboxMessage {
    /// The time from which it is due has become the end of its lease, so it is not known.
    init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("outbox")
        self.init(
            id: try row.id("id"), topic: try row.text("topic"), key: try row.text("message_key"),
            headers: try row.json("headers", or: [:]), payload: Data(try row.text("payload").utf8),
            createdAt: try row.timestamp("created_at"), attempts: try row.int("attempts"))
    }
}
