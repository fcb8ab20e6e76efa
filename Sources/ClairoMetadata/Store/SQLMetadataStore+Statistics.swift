internal import ClairoCore

extension SQLMetadataStore {
    func statistics() async throws(ClairoError) -> QueueStatistics {
        try await counting { connection, counts in
            let now = try connection.now()
            var statistics = QueueStatistics()
            for state in Video.State.allCases {
                let count = try counts.rows(of: "videos", by: "videos_by_state", "state = ?", [SQLValue(state)])
                if count > 0 { statistics.videos[state] = count }
            }
            for state in Job.State.allCases {
                let count = try counts.rows(of: "jobs", by: "jobs_by_state", "state = ?", [SQLValue(state)])
                if count == 0 { continue }
                statistics.jobs[state] = .init(
                    count: count, oldestSeconds: state.isFinal ? nil : try connection.ageOfOldestJob(state, at: now))
            }
            for kind in WorkTask.Kind.allCases {
                statistics.tasks[kind] = try connection.liveTasks(of: kind, counts, at: now)
            }
            statistics.workers = try connection.workers()
            statistics.outbox = try connection.outbox(counts, at: now)
            statistics.queued = try counts.queued()
            statistics.deadLetters = try counts.byTopic(
                "dead_letters", "dead_letters_waiting_by_topic", "waiting_at IS NOT NULL", key: "waiting_at")
            return statistics
        }
    }

    func finishedTasks() async throws(ClairoError) -> [WorkTask.Kind: [WorkTask.State: Int]] {
        try await counting { _, counts in
            var finished: [WorkTask.Kind: [WorkTask.State: Int]] = [:]
            for kind in WorkTask.Kind.allCases {
                for state in WorkTask.State.allCases where state.isFinal {
                    // Tasks that have ended have no time from which they can be claimed.
                    let count = try counts.tasks(of: kind, state, "claimable_at IS NULL", key: "id")
                    if count > 0 { finished[kind, default: [:]][state] = count }
                }
            }
            return finished
        }
    }

    func queuedCounts() async throws(ClairoError) -> [String: Int] { try await counting { try $1.queued() } }

    func pendingWork() async throws(ClairoError) -> PendingWork {
        try await driver.read { connection in
            func count(_ sql: String, _ arguments: [SQLValue]) throws -> Int {
                try connection.count(sql, arguments, upTo: PendingWork.most)
            }
            let d = connection.dialect
            let tasks = try WorkTask.Kind.allCases.flatMap(\.storedNames).reduce(0) {
                try $0 + count("tasks \(connection.liveTasks)", [SQLValue($1)])
            }
            return PendingWork(
                videos: try count(
                    "videos \(d.using("videos_by_state")) WHERE state = ?", [SQLValue(Video.State.uploaded)]),
                tasks: min(PendingWork.most, tasks),
                messages: try count(
                    "outbox \(d.using("outbox_by_lane")) WHERE lane = ?", [SQLValue(OutboxLane.queue)]))
        }
    }

    /// Runs queries and counts. If a table has too many new rows for one call, continues in further calls, between
    /// which others get the connection.
    private func counting<R: Sendable>(
        _ body: @escaping @Sendable (any SQLConnection, Counting) throws -> R
    ) async throws(ClairoError) -> R {
        let step: SQLBody<R?> = { [counts] connection in
            do {
                return try body(connection, Counting(counts: counts, connection: connection))
            } catch is Counting.Unfinished {
                return nil
            }
        }
        while true {
            if let result = try await driver.read(step) { return result }
        }
    }
}

/// The counts of a call.
private struct Counting {
    /// There are more rows than one call counts.
    struct Unfinished: Error {}

    let counts: RowCounts
    let connection: any SQLConnection

    func rows(
        of table: String, by index: String, _ condition: String, _ arguments: [SQLValue], key: String = "id"
    ) throws -> Int {
        let series = RowCounts.Series(
            table: table, index: index, condition: condition, arguments: arguments, key: key)
        guard let count = try counts.count(series, connection) else { throw Unfinished() }
        return count
    }

    /// The number of tasks of a kind in a state, under all names of the kind.
    func tasks(of kind: WorkTask.Kind, _ state: WorkTask.State, _ condition: String, key: String) throws -> Int {
        try kind.storedNames.reduce(0) { sum, name in
            try sum
                + rows(
                    of: "tasks", by: "tasks_by_state", "state = ? AND kind = ? AND \(condition)",
                    [SQLValue(state), SQLValue(name)], key: key)
        }
    }

    func queued() throws -> [String: Int] { try byTopic("queue", "queue_by_topic", key: "sequence") }

    /// - Parameters:
    ///   - index: An index that begins with the topic, so that a few steps through it find the topics.
    ///   - condition: Which rows of a topic to count.
    func byTopic(_ table: String, _ index: String, _ condition: String? = nil, key: String) throws -> [String: Int] {
        var found: [String: Int] = [:]
        var last = ""
        let next = "SELECT MIN(topic) AS next FROM \(table) \(connection.dialect.using(index)) WHERE topic > ?"
        while let topic = try connection.row(next, [SQLValue(last)])?.optionalText("next") {
            let count = try rows(
                of: table, by: index, ["topic = ?", condition].compactMap { $0 }.joined(separator: " AND "),
                [SQLValue(topic)], key: key)
            if count > 0 { found[topic] = count }
            last = topic
        }
        return found
    }
}

extension SQLConnection {
    /// The number of rows of a table and its `WHERE` clause, up to a limit.
    fileprivate func count(_ rows: String, _ arguments: [SQLValue], upTo limit: Int) throws -> Int {
        try row("SELECT COUNT(*) AS count FROM (SELECT 1 FROM \(rows) LIMIT \(limit)) AS found", arguments)?
            .int("count") ?? 0
    }

    /// The age of the row, in seconds. Nil without a row.
    private func age(_ sql: String, _ arguments: [SQLValue], at now: Timestamp) throws -> Double? {
        try row(sql, arguments)?.optionalTimestamp("created_at").map { max(0, now.seconds(since: $0)) }
    }

    fileprivate func ageOfOldestJob(_ state: Job.State, at now: Timestamp) throws -> Double? {
        try age(
            "SELECT created_at FROM jobs \(dialect.using("jobs_by_state")) WHERE state = ? ORDER BY id LIMIT 1",
            [SQLValue(state)], at: now)
    }

    fileprivate func liveTasks(
        of kind: WorkTask.Kind, _ counts: Counting, at now: Timestamp
    ) throws -> QueueStatistics.Tasks {
        let (pending, running) = (WorkTask.State.pending, WorkTask.State.running)
        var tasks = QueueStatistics.Tasks()
        let isLive = "claimable_at IS NOT NULL"
        tasks.pending.count = try counts.tasks(of: kind, pending, isLive, key: "claimable_at")
        tasks.running.count = try counts.tasks(of: kind, running, isLive, key: "claimable_at")
        let most = QueueStatistics.most
        let leaseTime = SQLValue(try leaseTime())
        let byState = "tasks \(dialect.using("tasks_by_state")) WHERE state = ? AND kind = ?"
        // The oldest one is among the first in the queue, unless a higher priority or another tenant has overtaken it.
        let oldestPending = """
            SELECT MIN(created_at) AS created_at FROM (SELECT created_at FROM tasks \(liveTasks) AND state = ?
                ORDER BY live_queue_at LIMIT 100) AS queued
            """
        let oldestRunning =
            "SELECT MIN(created_at) AS created_at FROM (SELECT created_at FROM \(byState) LIMIT \(most)) AS held"
        var later = 0
        for name in kind.storedNames.map({ SQLValue($0) }) {
            if tasks.pending.count > 0 {
                tasks.pending.note(try age(oldestPending, [name, SQLValue(pending)], at: now))
                later += try count(
                    byState + " AND claimable_at > ?", [SQLValue(pending), name, leaseTime], upTo: most)
            }
            if tasks.running.count > 0 {
                tasks.running.note(try age(oldestRunning, [SQLValue(running), name], at: now))
                tasks.abandoned += try count(
                    byState + " AND claimable_at <= ?", [SQLValue(running), name, leaseTime], upTo: most)
            }
        }
        tasks.due = max(0, tasks.pending.count - later)
        return tasks
    }

    fileprivate func workers() throws -> Int {
        let running = "SELECT owner FROM tasks \(dialect.using("tasks_by_state")) WHERE state = ? LIMIT ?"
        return try query(
            "SELECT DISTINCT owner FROM (\(running)) AS running WHERE owner IS NOT NULL",
            [SQLValue(WorkTask.State.running), SQLValue(QueueStatistics.most)]
        ).count
    }

    fileprivate func outbox(_ counts: Counting, at now: Timestamp) throws -> QueueStatistics.Outbox {
        var outbox = QueueStatistics.Outbox()
        outbox.pending = try counts.rows(of: "outbox", by: "outbox_by_id", "id > ''", [])
        if outbox.pending == 0 { return outbox }
        outbox.oldestSeconds = try age("SELECT created_at FROM outbox ORDER BY sequence LIMIT 1", [], at: now)
        let leaseTime = try leaseTime()
        let due = "outbox \(dialect.using("outbox_by_lane")) WHERE lane = ? AND due_at <= ?"
        for lane in OutboxLane.allCases {
            let arguments = [SQLValue(lane), SQLValue(leaseTime)]
            outbox.due += try count(due, arguments, upTo: QueueStatistics.most)
            let first = try row("SELECT due_at FROM \(due) ORDER BY due_at LIMIT 1", arguments)?.timestamp("due_at")
            if let seconds = first.map({ max(0, leaseTime.seconds(since: $0)) }) {
                outbox.overdueSeconds = max(outbox.overdueSeconds ?? 0, seconds)
            }
        }
        return outbox
    }
}

extension QueueStatistics.Group {
    /// Takes the age of another item into account.
    fileprivate mutating func note(_ seconds: Double?) {
        oldestSeconds = [oldestSeconds, seconds].compactMap { $0 }.max()
    }
}
