/// The tables of schema version 1.
///
/// Times are integers in microseconds since 1970. `claimable_at` and `due_at` are the times from which a task or a
/// message can be claimed. A claim sets them to the end of its lease, so one index finds both new work and work that
/// dead workers left. `claimable_at` is null for a task that has ended. `live_queue_at` is a task's queue position
/// until it ends, so that the claim index contains no ended tasks.
enum Schema1 {
    static func tables(_ d: SQLDialect) -> [TableDefinition] {
        [videos(d), uploads(d), jobs(d), tasks(d), renditions(d), outbox(d), inbox(d), queue(d), deadLetters(d)]
    }

    private static func videos(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "videos",
            parts: [
                "id \(d.id) NOT NULL PRIMARY KEY", "state \(d.word) NOT NULL", "title \(d.text)",
                "original_name \(d.text) NOT NULL", "profile \(d.name) NOT NULL", "priority \(d.integer) NOT NULL",
                "tenant \(d.word) NOT NULL", "source_bucket \(d.text) NOT NULL", "source_key \(d.text) NOT NULL",
                "source_url \(d.text) NOT NULL",
                "size \(d.integer) NOT NULL", "sha256 \(d.word) NOT NULL", "media \(d.text)",
                "trace_id \(d.word) NOT NULL", "uploaded_at \(d.integer) NOT NULL", "updated_at \(d.integer) NOT NULL",
                "job_id \(d.id)", "output \(d.text)", "failure \(d.text)",
            ],
            indexes: [
                .init(name: "videos_by_state", columns: "state, id"),
                .init(name: "videos_by_sha256", columns: "sha256, id"),
            ])
    }

    private static func uploads(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "uploads",
            parts: [
                "id \(d.id) NOT NULL PRIMARY KEY", "video_id \(d.id) NOT NULL", "state \(d.word) NOT NULL",
                "fingerprint \(d.name) NOT NULL", "title \(d.text)", "original_name \(d.text) NOT NULL",
                "profile \(d.name) NOT NULL", "priority \(d.integer) NOT NULL", "tenant \(d.word) NOT NULL",
                "size \(d.integer)",
                "sha256 \(d.word)", "multipart \(d.text)", "byte_offset \(d.integer) NOT NULL",
                "version \(d.integer) NOT NULL", "created_at \(d.integer) NOT NULL",
                "updated_at \(d.integer) NOT NULL", "expires_at \(d.integer) NOT NULL",
            ],
            indexes: [
                .init(name: "uploads_by_fingerprint", columns: "fingerprint, id"),
                .init(name: "uploads_by_expiry", columns: "expires_at"),
                .init(name: "uploads_by_video", columns: "video_id"),
            ])
    }

    /// `tasks_left` counts the chunk and track tasks that have not succeeded. The task that decrements it to zero is
    /// the last one and creates the finish task.
    private static func jobs(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "jobs",
            parts: [
                "id \(d.id) NOT NULL PRIMARY KEY", "video_id \(d.id) NOT NULL", "state \(d.word) NOT NULL",
                "profile \(d.name) NOT NULL", "priority \(d.integer) NOT NULL", "tenant \(d.word) NOT NULL",
                "queue_at \(d.integer) NOT NULL", "attempt \(d.integer) NOT NULL", "tasks_left \(d.integer) NOT NULL",
                "plan \(d.text)", "failure \(d.text)", "trace_id \(d.word) NOT NULL",
                "created_at \(d.integer) NOT NULL", "updated_at \(d.integer) NOT NULL", "finished_at \(d.integer)",
                "FOREIGN KEY (video_id) REFERENCES videos (id) ON DELETE CASCADE",
            ],
            indexes: [
                .init(name: "jobs_by_video", columns: "video_id, id"),
                .init(name: "jobs_by_state", columns: "state, id"),
                .init(name: "jobs_by_tenant", columns: "tenant, state, priority, queue_at"),
            ])
    }

    private static func tasks(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "tasks",
            parts: [
                "id \(d.id) NOT NULL PRIMARY KEY", "job_id \(d.id) NOT NULL", "video_id \(d.id) NOT NULL",
                "kind \(d.word) NOT NULL", "number \(d.integer) NOT NULL", "state \(d.word) NOT NULL",
                "priority \(d.integer) NOT NULL", "queue_at \(d.integer) NOT NULL", "attempt \(d.integer) NOT NULL",
                "max_attempts \(d.integer) NOT NULL", "owner \(d.text)", "claim \(d.id)",
                "claimable_at \(d.integer)", "not_before \(d.integer) NOT NULL", "frames_done \(d.integer) NOT NULL",
                "frames_planned \(d.integer) NOT NULL", "result \(d.text)", "failure \(d.text)",
                "created_at \(d.integer) NOT NULL", "updated_at \(d.integer) NOT NULL",
                "live_queue_at \(d.integer) GENERATED ALWAYS AS (CASE WHEN claimable_at IS NOT NULL THEN queue_at END) STORED",
                "FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE",
            ],
            indexes: [
                .init(name: "tasks_by_job", columns: "job_id"),
                .init(name: "tasks_to_claim", columns: "kind, live_queue_at, claimable_at, id"),
            ])
    }

    private static func renditions(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "renditions",
            parts: [
                "video_id \(d.id) NOT NULL", "job_id \(d.id) NOT NULL", "name \(d.name) NOT NULL",
                "width \(d.integer) NOT NULL", "height \(d.integer) NOT NULL", "codec \(d.word) NOT NULL",
                "average_rate \(d.integer) NOT NULL", "peak_rate \(d.integer) NOT NULL", "bytes \(d.integer) NOT NULL",
                "playlist_url \(d.text)", "mp4_url \(d.text)", "PRIMARY KEY (job_id, name)",
                "FOREIGN KEY (job_id) REFERENCES jobs (id) ON DELETE CASCADE",
            ],
            indexes: [.init(name: "renditions_by_video", columns: "video_id")])
    }

    /// Undelivered messages. `sequence` orders them, because the clocks of two senders may differ.
    private static func outbox(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "outbox",
            parts: [
                "sequence \(d.sequence)", "id \(d.id) NOT NULL", "video_id \(d.id)",
                "topic \(d.word) NOT NULL", "message_key \(d.name) NOT NULL", "headers \(d.text) NOT NULL",
                "payload \(d.text) NOT NULL", "created_at \(d.integer) NOT NULL", "due_at \(d.integer) NOT NULL",
                "attempts \(d.integer) NOT NULL", "owner \(d.text)", "claim \(d.id)", "last_error \(d.text)",
            ],
            indexes: [
                .init(name: "outbox_by_id", columns: "id", isUnique: true),
                .init(name: "outbox_due", columns: "due_at, sequence"),
                .init(name: "outbox_by_key", columns: "topic, message_key, sequence"),
                .init(name: "outbox_by_video", columns: "video_id"),
            ])
    }

    private static func inbox(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "inbox",
            parts: [
                "consumer \(d.word) NOT NULL", "message_id \(d.id) NOT NULL", "received_at \(d.integer) NOT NULL",
                "PRIMARY KEY (consumer, message_id)",
            ],
            indexes: [.init(name: "inbox_by_time", columns: "received_at")])
    }

    /// The `local:` queue: waiting and leased messages. The payload is in Base64.
    private static func queue(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "queue",
            parts: [
                "sequence \(d.sequence)", "id \(d.id) NOT NULL", "topic \(d.word) NOT NULL",
                "message_key \(d.name) NOT NULL", "headers \(d.text) NOT NULL", "payload \(d.text) NOT NULL",
                "created_at \(d.integer) NOT NULL", "claimable_at \(d.integer) NOT NULL",
                "deliveries \(d.integer) NOT NULL", "owner \(d.text)", "claim \(d.id)",
            ],
            indexes: [
                .init(name: "queue_by_id", columns: "id", isUnique: true),
                .init(name: "queue_by_topic", columns: "topic, sequence, claimable_at"),
                .init(name: "queue_by_key", columns: "topic, message_key, sequence"),
            ])
    }

    /// The payload is in Base64, because it may be binary.
    private static func deadLetters(_ d: SQLDialect) -> TableDefinition {
        TableDefinition(
            name: "dead_letters",
            parts: [
                "id \(d.id) NOT NULL PRIMARY KEY", "topic \(d.word) NOT NULL", "partition_number \(d.integer)",
                "message_offset \(d.integer)", "message_key \(d.text)", "headers \(d.text) NOT NULL",
                "payload \(d.text) NOT NULL", "failure \(d.text) NOT NULL", "attempts \(d.integer) NOT NULL",
                "video_id \(d.id)", "created_at \(d.integer) NOT NULL", "redriven_at \(d.integer)",
            ],
            indexes: [
                .init(name: "dead_letters_by_topic", columns: "topic, created_at, id"),
                .init(name: "dead_letters_by_time", columns: "created_at, id"),
            ])
    }
}
