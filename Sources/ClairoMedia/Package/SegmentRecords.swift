internal import ClairoCore

/// What the tasks of a job say they wrote: the only segments that may be referred to, and only with these bytes.
struct SegmentRecords {
    private let records: [String: FileRecord]

    /// - Parameter files: of all tasks; several may have written the init segment of a rung.
    /// - Throws: `defect` where a planned object is not among them, or two tasks do not agree.
    init(_ files: [FileRecord], plan: Plan) throws(ClairoError) {
        var records: [String: FileRecord] = [:]
        for file in files {
            guard records[file.key] ?? file == file else {
                throw .defect("\(file.key) was written by two tasks with different bytes")
            }
            records[file.key] = file
        }
        if let lost = plan.segmentKeys.first(where: { records[$0.rawValue] == nil }) {
            throw .defect("No task has recorded \(lost)")
        }
        // Of whatever attempt: a rendition's segments go together only where their encoders gave the same parameter sets.
        for rendition in plan.renditions {
            let inits = records.values.filter { rendition.isInitSegment(ObjectKey($0.key)) }
            guard Set(inits.map(\.sha256)).count <= 1 else {
                throw .defect("\(rendition.folder): its segments were made by encoders with different parameter sets")
            }
        }
        self.records = records
    }

    /// - Parameter found: on the store.
    func check(_ found: FileRecord) throws(ClairoError) {
        guard let recorded = records[found.key] else { throw .defect("No task has recorded \(found.key)") }
        if found == recorded { return }
        throw .defect(
            "\(found.key) on the store is not what its task wrote: "
                + (found.bytes == recorded.bytes
                    ? "its SHA-256 is another" : "\(found.bytes) bytes instead of \(recorded.bytes)"))
    }
}
