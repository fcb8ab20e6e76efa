import ClairoCore

@testable import ClairoMetadata

/// A database as a program of schema version 1 left it.
enum Schema1Database {
    static func onSQLite(with video: VideoID) -> [String] { statements(.sqlite, with: video) }
    static func onMySQL(with video: VideoID) -> [String] { statements(.mysql, with: video) }

    /// - Parameter video: that is in it.
    private static func statements(_ dialect: SQLDialect, with video: VideoID) -> [String] {
        Migration.recordTable(dialect).statements(dialect) + Schema1.tables(dialect).flatMap { $0.statements(dialect) }
            + [
                "INSERT INTO schema_migrations VALUES (1, 'videos, uploads, jobs, tasks', 0)",
                "INSERT INTO inbox VALUES ('plan', '\(MessageID.make())', 0)",
                """
                INSERT INTO videos (id, state, original_name, profile, priority, tenant, source_bucket, source_key, source_url,
                    size, sha256, trace_id, uploaded_at, updated_at)
                VALUES ('\(video)', 'uploaded', 'old.mp4', 'default', 1, 'default', 'raw', 'k', 's3://raw/k', 5, 'ab', 'cd', 0, 0)
                """,
            ]
    }
}
