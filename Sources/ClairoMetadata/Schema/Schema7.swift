/// Version 7: renditions of all kinds.
///
/// The rows of earlier versions, and those that their processes write until they are stopped, are of video, so `kind`
/// has a default and the other columns may be null. `name` and the primary key stay as they are, because changing them
/// would copy the table: see `SQLMetadataStore+Renditions`. Both engines add such columns without reading a row.
/// `duration` is in microseconds.
enum Schema7 {
    static func statements(_ connection: any SQLConnection) throws -> [String] {
        guard try !connection.hasColumn("kind", of: "renditions") else { return [] }
        let d = connection.dialect
        let additions = [
            "kind \(d.word) NOT NULL DEFAULT 'video'", "format \(d.word)", "frame_rate \(d.word)",
            "frame_count \(d.integer)", "dynamic_range \(d.word)", "channels \(d.integer)", "language \(d.word)",
            "role \(d.word)", "title \(d.text)", "loudness \(d.text)", "duration \(d.integer)",
        ].map { "ADD COLUMN \($0)" }
        // MySQL adds all of them in one atomic statement; SQLite's statements are part of one transaction.
        return d.hasIndexesInTable
            ? ["ALTER TABLE renditions \(additions.joined(separator: ", "))"]
            : additions.map { "ALTER TABLE renditions \($0)" }
    }
}
