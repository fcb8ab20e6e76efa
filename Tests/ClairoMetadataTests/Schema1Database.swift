import ClairoCore
import Testing

@testable import ClairoMetadata

/// A database in the state left by a program of schema version 1.
enum Schema1Database {
    static func onSQLite(with video: VideoID, job: JobID) -> [String] { statements(.sqlite, with: video, job: job) }
    static func onMySQL(with video: VideoID, job: JobID) -> [String] { statements(.mysql, with: video, job: job) }

    /// - Parameters:
    ///   - video: that is in it.
    ///   - job: of the video. The tasks of a chunk and of an audio track are pending; that of another audio track has
    ///     succeeded.
    private static func statements(_ dialect: SQLDialect, with video: VideoID, job: JobID) -> [String] {
        let tables = [Migration.recordTable(dialect)] + Schema1.tables(dialect)
        let rows: [String] = [
            "INSERT INTO schema_migrations VALUES (1, 'videos, uploads, jobs, tasks', 0)",
            "INSERT INTO inbox VALUES ('plan', '\(MessageID.make())', 0)",
            """
            INSERT INTO videos (id, state, original_name, profile, priority, tenant, source_bucket, source_key, source_url,
                size, sha256, trace_id, uploaded_at, updated_at)
            VALUES ('\(video)', 'uploaded', 'old.mp4', 'default', 1, 'default', 'raw', 'k', 's3://raw/k', 5, 'ab', 'cd', 0, 0)
            """,
            """
            INSERT INTO jobs (id, video_id, state, profile, priority, tenant, queue_at, attempt, tasks_left,
                trace_id, created_at, updated_at)
            VALUES ('\(job)', '\(video)', 'running', 'default', 1, 'default', 0, 1, 2, 'cd', 0, 0)
            """,
            rendition("240p", of: job, video),
            task(of: job, video, kind: "chunk", number: 0, isWaiting: true),
            task(of: job, video, kind: "audio", number: 0, isWaiting: true),
            task(of: job, video, kind: "audio", number: 1, isWaiting: false),
            """
            INSERT INTO outbox (id, topic, message_key, headers, payload, created_at, due_at, attempts)
            VALUES ('\(MessageID.make())', 'webhook', 'k', '{}', '{}', 0, 0, 0),
                ('\(MessageID.make())', 'clairo.events', 'k', '{}', '{}', 0, 0, 0)
            """,
            """
            INSERT INTO dead_letters (id, topic, headers, payload, failure, attempts, created_at, redriven_at)
            VALUES ('\(MessageID.make())', 'waiting', '{}', '', '{"kind": "defect", "message": ""}', 1, 0, NULL),
                ('\(MessageID.make())', 'redriven', '{}', '', '{"kind": "defect", "message": ""}', 1, 0, 1)
            """,
        ]
        return tables.flatMap { $0.statements(dialect) } + rows
    }

    private static func task(of job: JobID, _ video: VideoID, kind: String, number: Int, isWaiting: Bool) -> String {
        """
        INSERT INTO tasks (id, job_id, video_id, kind, number, state, priority, queue_at, attempt, max_attempts,
            claimable_at, not_before, frames_done, frames_planned, created_at, updated_at)
        VALUES ('\(TaskID.make())', '\(job)', '\(video)', '\(kind)', \(number),
            '\(isWaiting ? "pending" : "succeeded")', 1, 0, 0, 5, \(isWaiting ? "0" : "NULL"), 0, 0, 100, 0, 0)
        """
    }

    private static func rendition(_ name: String, of job: JobID, _ video: VideoID) -> String {
        """
        INSERT INTO renditions (video_id, job_id, name, width, height, codec, average_rate, peak_rate, bytes, playlist_url)
        VALUES ('\(video)', '\(job)', '\(name)', 320, 240, 'avc1.64000d', 1, 2, 3, 's3://out/\(name).m3u8')
        """
    }

    /// Checks that the renditions of version 1 are of video.
    static func expectRenditions(of job: JobID, _ video: VideoID, in store: any MetadataStore) async throws {
        let record = RenditionRecord(
            id: "240p", kind: .video, codec: "avc1.64000d", size: FrameSize(width: 320, height: 240), duration: nil,
            averageRate: 1, peakRate: 2, bytes: 3)
        let first = Rendition(record, playlistURL: "s3://out/240p.m3u8", fileURL: nil, jobID: job)
        var later = first
        later.record.id = "120p"
        later.playlistURL = "s3://out/120p.m3u8"
        #expect(try await store.renditions(of: video) == [later, first])
    }

    /// Checks that the tasks of version 1 have the current kinds, and can be claimed by them.
    static func expectTracks(of job: JobID, in store: any MetadataStore) async throws {
        let tasks = try await store.tasks(of: job)
        #expect(tasks.map(\.kind) == [.chunk, .track, .track])
        #expect(tasks.map(\.index) == [0, 0, 1])
        #expect(tasks.map(\.state) == [.pending, .pending, .succeeded])
        for task in tasks where task.state == .pending {
            let claimed = try await store.claimNextTask(kinds: [task.kind], owner: "w1", leaseSeconds: 60)
            #expect(claimed?.id == task.id)
        }
    }

    /// Statements of a process of version 1 that still runs after the migration.
    static func laterStatements(of job: JobID, _ video: VideoID) -> [String] {
        [rendition("120p", of: job, video)] + laterMessages
    }

    private static let laterMessages = [
        """
        INSERT INTO outbox (id, topic, message_key, headers, payload, created_at, due_at, attempts)
        VALUES ('\(MessageID.make())', 'webhook', 'later', '{}', '{}', 0, 0, 0)
        """,
        """
        INSERT INTO dead_letters (id, topic, headers, payload, failure, attempts, created_at)
        VALUES ('\(MessageID.make())', 'later', '{}', '', '{"kind": "defect", "message": ""}', 1, -1)
        """,
    ]

    /// Checks that the messages and dead letters of version 1 are found.
    static func expectMessages(in store: any MetadataStore) async throws {
        #expect(try await store.deadLetters(topic: nil, all: false, limit: 9).map(\.topic) == ["waiting", "later"])
        for (lane, topics) in [(OutboxLane.webhook, ["webhook", "webhook"]), (.queue, ["clairo.events"])] {
            let claimed = try await store.claimOutbox(lane, owner: "r", limit: 9, leaseSeconds: 60)
            #expect(claimed.map(\.topic) == topics)
        }
        #expect(try await store.purge(olderThanSeconds: 3600, webhookSeconds: 3600, limit: 9) == 1)
    }
}
