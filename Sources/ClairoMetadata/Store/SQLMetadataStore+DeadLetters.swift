internal import ClairoCore
internal import Foundation

extension SQLMetadataStore {
    func addDeadLetter(_ letter: DeadLetter, messages: [OutboxMessage]) async throws(ClairoError) {
        try await driver.write { connection in
            guard try connection.insert(letter) else { return }
            try connection.insert(messages, of: letter.videoID)
        }
    }

    func deadLetters(topic: String?, all: Bool, limit: Int) async throws(ClairoError) -> [DeadLetter] {
        var conditions: [String] = []
        var arguments: [SQLValue] = []
        if let topic {
            conditions.append("topic = ?")
            arguments.append(SQLValue(topic))
        }
        // `waiting_at` equals `created_at` until the dead letter is redriven.
        let time = all ? "created_at" : "waiting_at"
        if !all { conditions.append("waiting_at IS NOT NULL") }
        let index =
            switch (all, topic) {
            case (true, nil): "dead_letters_by_time"
            case (true, _): "dead_letters_by_topic"
            case (false, nil): "dead_letters_waiting"
            case (false, _): "dead_letters_waiting_by_topic"
            }
        let clause = conditions.isEmpty ? "" : "WHERE " + conditions.joined(separator: " AND ")
        let sql = """
            SELECT * FROM dead_letters \(driver.dialect.using(index)) \(clause) ORDER BY \(time) DESC, id DESC LIMIT ?
            """
        let bound = arguments + [SQLValue(max(0, limit))]
        return try await driver.read { [report] connection in
            try connection.query(sql, bound).map { try DeadLetter($0.reporting(to: report)) }
        }
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
            try connection.insert(messages, of: video)
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
    /// Stands for a failure that cannot be read.
    private static let unknownFailure = Failure(kind: .defect, message: "The failure cannot be read")

    fileprivate init(_ row: SQLRow) throws(ClairoError) {
        let row = row.of("dead_letters")
        self.init(
            id: try row.id("id"), topic: try row.text("topic"),
            partition: try row.optionalInteger("partition_number").map { Int($0) },
            offset: try row.optionalInteger("message_offset"), key: try row.optionalText("message_key"),
            headers: try row.json("headers", or: [:]), payload: try row.base64("payload"),
            failure: try row.json("failure", or: Self.unknownFailure),
            attempts: try row.int("attempts"), videoID: try row.optionalID("video_id"),
            createdAt: try row.timestamp("created_at"), redrivenAt: try row.optionalTimestamp("redriven_at"))
    }
}
