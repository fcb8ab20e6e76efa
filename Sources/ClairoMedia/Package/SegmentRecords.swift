internal import ClairoCore

/// The files that the tasks of a job reported. An output may refer only to these segments, and only with these bytes.
struct SegmentRecords {
    private let records: [String: FileRecord]

    /// - Parameter files: The files of all tasks. Several tasks may have written the init segment of a rung.
    /// - Throws: `defect` if a planned object is missing or two tasks disagree.
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
        // The segments of a rendition are compatible only if all encoders, of any attempt, had the same parameter sets.
        for rendition in plan.renditions {
            let inits = records.values.filter { rendition.isInitSegment(ObjectKey($0.key)) }
            guard Set(inits.map(\.sha256)).count <= 1 else {
                throw .defect("\(rendition.folder): its segments were made by encoders with different parameter sets")
            }
        }
        self.records = records
    }

    /// Checks a file on the store against its record.
    func check(_ found: FileRecord) throws(ClairoError) {
        guard let recorded = records[found.key] else { throw .defect("No task has recorded \(found.key)") }
        if found == recorded { return }
        throw .defect(
            "\(found.key) on the store is not what its task wrote: "
                + (found.bytes == recorded.bytes
                    ? "its SHA-256 differs" : "\(found.bytes) bytes instead of \(recorded.bytes)"))
    }
}
