internal import ClairoCore
internal import Foundation

extension SQLMetadataStore {
    func addDeadLetter(_ letter: DeadLetter, messages: [OutboxMessage]) async throws(ClairoError) {
        try await driver.write { connection in
            guard try connection.insert(letter) else { return }
            let now = try connection.now()
            for message in messages { try connection.insert(message, of: letter.videoID, now: now) }
        }
    }

    func deadLetters(topic: String?, all: Bool, limit: Int) async throws(ClairoError) -> [DeadLetter] {
        var conditions: [String] = []
        var arguments: [SQLValue] = []
        if let topic {
            conditions.append("topic = ?")
            arguments.append(SQLValue(topic))
        }
        if !all { conditions.append("redriven_at IS NULL") }
        let clause = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let sql = "SELECT * FROM dead_letters \(clause) ORDER BY created_at DESC, id DESC LIMIT ?"
        let bound = arguments + [SQLValue(max(0, limit))]
        return try await driver.read { try $0.query(sql, bound).map(DeadLetter.init) }
    }

    func deadLetter(_ id: MessageID) async throws(ClairoError) -> DeadLetter? {
        try await driver.read { try $0.deadLetter(id) }
    }

    func redriveDeadLetter(_ id: MessageID, messages: [OutboxMessage]) async throws(ClairoError) -> Bool {
        try await driver.write { connection in
            let now = try connection.now()
            let count = try connection.execute(
                "UPDATE dead_letters SET redriven_at = ? WHERE id = ? AND redriven_at IS NULL",
                [SQLValue(now), SQLValue(id)])
            guard count > 0 else { return try connection.mayHaveCommitted && connection.deadLetter(id) != nil }
            let video = try connection.deadLetter(id)?.videoID
            for message in messages { try connection.insert(message, of: video, now: now) }
            return true
        }
    }
}

extension SQLConnection {
    fileprivate func deadLetter(_ id: MessageID) throws -> DeadLetter? {
        try row("SELECT * FROM dead_letters WHERE id = ?", [SQLValue(id)]).map(DeadLetter.init)
    }

    /// - Returns: False if the dead letter exists.
    func insert(_ letter: DeadLetter) throws -> Bool {
        let payload = letter.payload.base64EncodedString()
        return try insert(
            into: "dead_letters",
            [
                "id": SQLValue(letter.id), "topic": SQLValue(letter.topic),
                "partition_number": SQLValue(letter.partition.map(Int64.init)),
                "message_offset": SQLValue(letter.offset),
                "message_key": SQLValue(letter.key), "headers": try .json(letter.headers),
                "payload": SQLValue(payload), "bytes": SQLValue(payload.utf8.count),
                "failure": try .json(letter.failure),
                "attempts": SQLValue(letter.attempts), "video_id": SQLValue(letter.videoID),
                "created_at": SQLValue(letter.createdAt), "redriven_at": SQLValue(letter.redrivenAt),
            ])
    }
}

extension DeadLetter {
    fileprivate init(_ row: SQLRow) throws(ClairoError) {
        self.init(
            id: try row.id("id"), topic: try row.text("topic"),
            partition: try row.optionalInteger("partition_number").map { Int($0) },
            offset: try row.optionalInteger("message_offset"), key: try row.optionalText("message_key"),
            headers: try row.json("headers"), payload: try row.base64("payload"), failure: try row.json("failure"),
            attempts: try row.int("attempts"), videoID: try row.optionalID("video_id"),
            createdAt: try row.timestamp("created_at"), redrivenAt: try row.optionalTimestamp("redriven_at"))
    }
}
