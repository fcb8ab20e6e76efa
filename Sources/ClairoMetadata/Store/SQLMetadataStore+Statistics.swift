internal import ClairoCore

extension SQLMetadataStore {
    func statistics() async throws(ClairoError) -> QueueStatistics {
        try await driver.read { connection in
            let now = try connection.now()
            var statistics = QueueStatistics()
            for row in try connection.query("SELECT state, COUNT(*) AS count FROM videos GROUP BY state", []) {
                statistics.videos[try row.word("state")] = try row.int("count")
            }
            statistics.jobs = try connection.jobs(now)
            var owners: Set<String> = []
            for kind in WorkTask.Kind.allCases {
                statistics.tasks[kind] = try connection.liveTasks(of: kind, now)
                for name in kind.storedNames {
                    let rows = try connection.query(
                        "SELECT DISTINCT owner FROM tasks \(connection.liveTasks) AND state = ? AND owner IS NOT NULL",
                        [SQLValue(name), SQLValue(WorkTask.State.running)])
                    owners.formUnion(try rows.map { try $0.text("owner") })
                }
            }
            statistics.workers = owners.count
            statistics.outbox = try connection.outbox(now)
            statistics.queued = try connection.countsByTopic("queue")
            statistics.deadLetters = try connection.countsByTopic("dead_letters WHERE redriven_at IS NULL")
            return statistics
        }
    }

    func finishedTasks() async throws(ClairoError) -> [WorkTask.Kind: [WorkTask.State: Int]] {
        try await driver.read { connection in
            var counts: [WorkTask.Kind: [WorkTask.State: Int]] = [:]
            let sql =
                "SELECT kind, state, COUNT(*) AS count FROM tasks WHERE live_queue_at IS NULL GROUP BY kind, state"
            for row in try connection.query(sql, []) {
                counts[try row.taskKind(), default: [:]][try row.word("state"), default: 0] += try row.int("count")
            }
            return counts
        }
    }
}

extension SQLConnection {
    fileprivate func jobs(_ now: Timestamp) throws -> [Job.State: QueueStatistics.Group] {
        var groups: [Job.State: QueueStatistics.Group] = [:]
        // The counts are read from the index alone. Only for unfinished jobs are rows read.
        for row in try query("SELECT state, COUNT(*) AS count FROM jobs GROUP BY state", []) {
            groups[try row.word("state")] = QueueStatistics.Group(count: try row.int("count"), oldestSeconds: nil)
        }
        for state in Job.State.allCases where !state.isFinal && groups[state] != nil {
            let oldest = try row("SELECT MIN(created_at) AS oldest FROM jobs WHERE state = ?", [SQLValue(state)])?
                .optionalTimestamp("oldest")
            groups[state]?.oldestSeconds = oldest.map { max(0, now.seconds(since: $0)) }
        }
        return groups
    }

    fileprivate func liveTasks(of kind: WorkTask.Kind, _ now: Timestamp) throws -> QueueStatistics.Tasks {
        let sql = """
            SELECT state, COUNT(*) AS count, MIN(created_at) AS oldest,
                SUM(CASE WHEN claimable_at <= ? THEN 1 ELSE 0 END) AS claimable
            FROM tasks \(liveTasks) GROUP BY state
            """
        var tasks = QueueStatistics.Tasks()
        for row in try kind.storedNames.flatMap({ try query(sql, [SQLValue(now), SQLValue($0)]) }) {
            let group = QueueStatistics.Group(
                count: try row.int("count"), oldestSeconds: max(0, now.seconds(since: try row.timestamp("oldest"))))
            switch try row.word("state") as WorkTask.State {
            case .pending:
                tasks.pending.add(group)
                tasks.due += try row.int("claimable")
            case .running:
                tasks.running.add(group)
                tasks.abandoned += try row.int("claimable")
            case .succeeded, .failed, .cancelled: break
            }
        }
        return tasks
    }

    fileprivate func outbox(_ now: Timestamp) throws -> QueueStatistics.Outbox {
        var outbox = QueueStatistics.Outbox()
        if let row = try row("SELECT COUNT(*) AS count, MIN(created_at) AS oldest FROM outbox", []) {
            outbox.pending = try row.int("count")
            outbox.oldestSeconds = try row.optionalTimestamp("oldest").map { max(0, now.seconds(since: $0)) }
        }
        let sql = "SELECT COUNT(*) AS count, MIN(due_at) AS oldest FROM outbox WHERE due_at <= ?"
        if let row = try row(sql, [SQLValue(now)]) {
            outbox.due = try row.int("count")
            outbox.overdueSeconds = try row.optionalTimestamp("oldest").map { max(0, now.seconds(since: $0)) }
        }
        return outbox
    }

    /// - Parameter table: The table, optionally with a WHERE clause.
    fileprivate func countsByTopic(_ table: String) throws -> [String: Int] {
        let rows = try query("SELECT topic, COUNT(*) AS count FROM \(table) GROUP BY topic", [])
        return Dictionary(uniqueKeysWithValues: try rows.map { (try $0.text("topic"), try $0.int("count")) })
    }
}

extension QueueStatistics.Group {
    /// Adds the items of another group of the same state.
    fileprivate mutating func add(_ other: Self) {
        count += other.count
        oldestSeconds = [oldestSeconds, other.oldestSeconds].compactMap { $0 }.max()
    }
}
