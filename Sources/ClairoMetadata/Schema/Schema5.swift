/// Version 5: indexes that lead straight to what a statement needs, however many rows wait beside it.
///
/// The new columns are generated from others, so that they are right in rows that processes of the previous version
/// write until they are stopped.
///
/// - `outbox.lane`: messages for the webhook and for the queue are in separate parts of an index, so that neither are
///   read on the way to the other.
/// - `dead_letters.waiting_at`: `created_at` until the dead letter is redriven, then null. So the list of those that
///   wait passes no others.
/// - `tasks_by_state`: counts tasks without reading their rows, and finds running and delayed ones.
/// - `lease_clock`: see `LeaseClock`.
enum Schema5 {
    static func statements(_ connection: any SQLConnection) throws -> [String] {
        let d = connection.dialect
        var statements: [String] = []
        func add(_ column: String, _ type: String, to table: String) throws {
            if try connection.hasColumn(column, of: table) { return }
            statements.append("ALTER TABLE \(table) ADD COLUMN \(column) \(type)")
        }
        func index(_ name: String, _ table: String, _ columns: String) throws {
            if try connection.hasIndex(name, of: table) { return }
            statements.append("CREATE INDEX \(name) ON \(table) (\(columns))")
        }
        let lane = "CASE WHEN topic = 'webhook' THEN 'webhook' ELSE 'queue' END"
        try add("lane", "\(d.word) GENERATED ALWAYS AS (\(lane)) \(d.addedGenerated)", to: "outbox")
        try index("outbox_by_lane", "outbox", "lane, due_at, sequence")
        if try connection.hasIndex("outbox_due", of: "outbox") {
            statements.append(d.drop(index: "outbox_due", of: "outbox"))
        }
        let waitingAt = "CASE WHEN redriven_at IS NULL THEN created_at END"
        try add(
            "waiting_at", "\(d.integer) GENERATED ALWAYS AS (\(waitingAt)) \(d.addedGenerated)", to: "dead_letters")
        try index("dead_letters_waiting", "dead_letters", "waiting_at, id")
        try index("dead_letters_waiting_by_topic", "dead_letters", "topic, waiting_at, id")
        try index("dead_letters_by_redrive", "dead_letters", "redriven_at")
        try index("tasks_by_state", "tasks", "state, kind, claimable_at, id")
        if !d.hasClock { statements += LeaseClock.table(d).statements(d) }
        return statements
    }
}
