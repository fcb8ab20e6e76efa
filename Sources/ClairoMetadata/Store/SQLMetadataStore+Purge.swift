internal import ClairoCore

extension SQLMetadataStore {
    /// Looks at the oldest rows of each kind without locks and deletes those that are obsolete. The rest are younger,
    /// so a call never passes rows that it keeps.
    func purge(olderThanSeconds seconds: Double, webhookSeconds: Double, limit: Int) async throws(ClairoError) -> Int {
        if limit <= 0 { return 0 }
        let letters = try await driver.look { connection in
            let before = try connection.now().advanced(bySeconds: -seconds)
            return try connection.query(
                """
                SELECT id FROM dead_letters \(connection.dialect.using("dead_letters_by_redrive"))
                WHERE redriven_at < ? ORDER BY redriven_at LIMIT ?
                """, [SQLValue(before), SQLValue(limit)]
            ).map { try $0["id"] }
        }
        var count = try await delete(letters, "id", from: "dead_letters", "redriven_at IS NOT NULL") { _ in [] }
        for topic in try await queuedCounts().keys where ![Topic.uploads, Topic.tasks].contains(topic) {
            // The pipeline itself consumes the topics uploads and tasks.
            count += try await delete(
                try await oldest(
                    in: "queue", by: "queue_by_topic", "topic = ?", SQLValue(topic), order: "sequence",
                    olderThan: seconds, limit: limit), "sequence", from: "queue", "claimable_at <= ?"
            ) { [SQLValue(try $0.leaseTime())] }
        }
        // A message that a relay has claimed is kept.
        count += try await delete(
            try await oldest(
                in: "outbox", by: "outbox_by_lane", "lane = ?", SQLValue(OutboxLane.webhook), order: "due_at, sequence",
                olderThan: webhookSeconds, limit: limit), "sequence", from: "outbox", "due_at <= ?"
        ) { [SQLValue(try $0.leaseTime())] }
        return count
    }

    func trimDeadLetters(toCount count: Int, bytes: Int64, limit: Int) async throws(ClairoError) -> [RemovedDeadLetter]
    {
        let limit = max(0, limit)
        let letters = try await driver.look { connection in
            // The newest ones and a batch more tell whether there are too many.
            let total = try connection.row(
                """
                SELECT COUNT(*) AS count, COALESCE(SUM(bytes), 0) AS bytes FROM
                    (SELECT bytes FROM dead_letters \(connection.dialect.using("dead_letters_by_size"))
                    ORDER BY created_at DESC LIMIT ?) AS newest
                """, [SQLValue(max(0, count) + limit)])
            var tooMany = try (total?.int("count") ?? 0) - count
            var tooLarge = try (total?.integer("bytes") ?? 0) - bytes
            let surplus = try tooMany > 0 || tooLarge > 0 ? connection.oldestDeadLetters(limit: limit) : []
            return surplus.prefix { letter in
                defer { (tooMany, tooLarge) = (tooMany - 1, tooLarge - letter.bytes) }
                return tooMany > 0 || tooLarge > 0
            }
        }
        // A letter that is redriven meanwhile was about to go first anyway.
        _ = try await delete(letters.map { SQLValue($0.letter.id) }, "id", from: "dead_letters", "1 = 1") { _ in [] }
        return letters.map(\.letter)
    }

    func trimQueue(toCount count: Int, limit: Int) async throws(ClairoError) -> Int {
        var removed = 0
        for topic in try await queuedCounts().keys where ![Topic.uploads, Topic.tasks].contains(topic) {
            let surplus = try await driver.look { connection -> [SQLValue] in
                // The newest message that is too many.
                let newest = try connection.row(
                    "SELECT sequence FROM queue WHERE topic = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?",
                    [SQLValue(topic), SQLValue(max(0, count))])
                guard let newest else { return [] }
                return try connection.query(
                    "SELECT sequence FROM queue WHERE topic = ? AND sequence <= ? ORDER BY sequence LIMIT ?",
                    [SQLValue(topic), newest["sequence"], SQLValue(max(0, limit))]
                ).map { try $0["sequence"] }
            }
            removed += try await delete(surplus, "sequence", from: "queue", "claimable_at <= ?") {
                [SQLValue(try $0.leaseTime())]
            }
        }
        return removed
    }

    /// The keys of the first messages in the order of an index, as far as they are old enough.
    private func oldest(
        in table: String, by index: String, _ condition: String, _ argument: SQLValue, order: String,
        olderThan seconds: Double, limit: Int
    ) async throws(ClairoError) -> [SQLValue] {
        try await driver.look { connection in
            let before = try connection.now().advanced(bySeconds: -seconds)
            return try connection.query(
                """
                SELECT message.sequence AS sequence
                FROM (SELECT sequence FROM \(table) \(connection.dialect.using(index))
                    WHERE \(condition) ORDER BY \(order) LIMIT ?) AS first
                JOIN \(table) AS message ON message.sequence = first.sequence WHERE message.created_at < ?
                """, [argument, SQLValue(limit), SQLValue(before)]
            ).map { try $0["sequence"] }
        }
    }

    /// Deletes rows by their primary key, a few hundred at a time, if they still meet the condition.
    private func delete(
        _ keys: [SQLValue], _ key: String, from table: String, _ condition: String,
        arguments: @escaping @Sendable (any SQLConnection) throws -> [SQLValue]
    ) async throws(ClairoError) -> Int {
        var count = 0
        for start in stride(from: 0, to: keys.count, by: 256) {
            let list = SQLRows.list(Array(keys[start..<min(start + 256, keys.count)]))
            count += try await driver.writeEach { connection in
                try connection.execute(
                    """
                    \(connection.dialect.delete(from: table))
                    WHERE \(key) IN (\(list.places)) AND \(condition)
                    """, list.values + (try arguments(connection)))
            }
        }
        return count
    }
}

extension SQLConnection {
    /// The dead letters to remove first: those that were redriven, then the others, each from the oldest.
    fileprivate func oldestDeadLetters(limit: Int) throws -> [(letter: RemovedDeadLetter, bytes: Int64)] {
        func letters(_ column: String, _ index: String, _ limit: Int) throws -> [(RemovedDeadLetter, Int64)] {
            try query(
                """
                SELECT id, topic, created_at, redriven_at, bytes FROM dead_letters \(dialect.using(index))
                WHERE \(column) IS NOT NULL ORDER BY \(column) LIMIT ?
                """, [SQLValue(limit)]
            ).map { row in
                let letter = RemovedDeadLetter(
                    id: try row.id("id"), topic: try row.text("topic"), createdAt: try row.timestamp("created_at"),
                    wasRedriven: try row.optionalTimestamp("redriven_at") != nil)
                return (letter, try row.optionalInteger("bytes") ?? 0)
            }
        }
        let redriven = try letters("redriven_at", "dead_letters_by_redrive", limit)
        return redriven + (try letters("waiting_at", "dead_letters_waiting", limit - redriven.count))
    }
}
