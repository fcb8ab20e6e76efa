internal import ClairoCore

/// What schema version 6 adds: deletions and their tombstones, the leases of duties, when a job began to have garbage
/// (`garbage_since`), when its output began to be removed (`swept_at`) and until when its workers may write
/// (`writes_until`), and the size of a dead letter's payload.
enum Schema6 {
    static func statements(_ connection: any SQLConnection) throws -> [String] {
        let d = connection.dialect
        var statements = (tables(d)).flatMap { $0.statements(d) }
        statements += try columns(
            ["garbage_since \(d.integer)", "swept_at \(d.integer)", "writes_until \(d.integer)"], of: "jobs",
            index: .init(name: "jobs_with_garbage", columns: "garbage_since, id"), connection)
        statements += try columns(
            ["bytes \(d.integer)"], of: "dead_letters",
            index: .init(name: "dead_letters_by_size", columns: "created_at, bytes"), connection)
        if try !connection.hasIndex("uploads_by_update", of: "uploads") {
            statements.append("CREATE INDEX uploads_by_update ON uploads (updated_at, id)")
        }
        return statements + [
            // Marks what earlier versions left: unsuccessful and replaced jobs, and those with repeated attempts.
            """
            UPDATE jobs SET garbage_since = updated_at WHERE garbage_since IS NULL AND (state IN ('failed', 'cancelled')
                OR state = 'succeeded' AND (attempt > 1
                    OR EXISTS (SELECT 1 FROM tasks WHERE tasks.job_id = jobs.id AND tasks.attempt > 1)
                    OR EXISTS (SELECT 1 FROM videos WHERE videos.id = jobs.video_id AND videos.job_id <> jobs.id)))
            """,
            "UPDATE dead_letters SET bytes = LENGTH(payload) WHERE bytes IS NULL",
        ]
    }

    private static func tables(_ d: SQLDialect) -> [TableDefinition] {
        [
            // No foreign key: a tombstone outlives its video.
            TableDefinition(
                name: "deletions",
                parts: [
                    "video_id \(d.id) NOT NULL PRIMARY KEY", "requested_at \(d.integer) NOT NULL",
                    "quiet_at \(d.integer) NOT NULL", "due_at \(d.integer)", "finished_at \(d.integer)",
                ],
                indexes: [
                    .init(name: "deletions_due", columns: "due_at"),
                    .init(name: "deletions_by_end", columns: "finished_at"),
                ]),
            TableDefinition(
                name: "duties",
                parts: [
                    "name \(d.word) NOT NULL PRIMARY KEY", "owner \(d.text)", "lease_until \(d.integer) NOT NULL",
                    "due_at \(d.integer) NOT NULL", "succeeded_at \(d.integer)",
                ]),
        ]
    }

    /// Adds columns and an index on them. MySQL does both in one atomic statement; SQLite's statements are part of one
    /// transaction.
    private static func columns(
        _ columns: [String], of table: String, index: TableDefinition.Index, _ connection: any SQLConnection
    ) throws -> [String] {
        let first = columns[0].prefix { $0 != " " }
        guard try !connection.hasColumn(String(first), of: table) else { return [] }
        let additions = columns.map { "ADD COLUMN \($0)" }
        guard connection.dialect.hasIndexesInTable else {
            return additions.map { "ALTER TABLE \(table) \($0)" }
                + ["CREATE INDEX IF NOT EXISTS \(index.name) ON \(table) (\(index.columns))"]
        }
        let all = additions + ["ADD INDEX \(index.name) (\(index.columns))"]
        return ["ALTER TABLE \(table) \(all.joined(separator: ", "))"]
    }
}
