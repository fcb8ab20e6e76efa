internal import ClairoCore
internal import Foundation

/// Takes finished segments to the store, in one of two manners.
///
/// A job that runs alone goes on where an earlier run was stopped, so it keeps what is there, and decodes the whole output at
/// its end. A task shares the job with other workers: it relies on nothing that it did not make itself, and decodes each
/// segment before it is written, so that it need not be decoded again.
struct SegmentSink: Sendable {
    enum Manner: Sendable { case resuming, sharing }

    let store: any ObjectStore
    let manner: Manner
    let control: JobControl

    /// Whether the object has to be written.
    func wants(_ key: ObjectKey) throws(ClairoError) -> Bool {
        switch manner {
        case .resuming: try store.size(of: key) == nil
        case .sharing: true
        }
    }

    /// - Throws: `defect` where an earlier run has written another one: its segments would not go with ours.
    func write(initSegment: Data, at key: ObjectKey) throws(ClairoError) {
        if try wants(key) {
            try put(initSegment, at: key)
        } else if try store.get(key) != initSegment {
            throw .defect("\(key): the encoder's parameter sets changed between segments")
        }
    }

    /// Writes segment `index` of a rendition.
    func write(_ segment: Data, index: Int, of rendition: any MediaRendition, initSegment: Data) throws {
        let key = rendition.segmentKey(index)
        if manner == .sharing {
            let problem = try control.clock.measure(.verify) {
                try rendition.problem(ofSegment: index, in: initSegment + segment, interrupt: control.interrupt)
            }
            try control.checkCancellation()
            if let problem { throw ClairoError.defect("\(key) does not decode to what was encoded: \(problem)") }
        }
        try put(segment, at: key)
    }

    private func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        try control.clock.measure(.write) { () throws(ClairoError) in try store.put(data, at: key) }
    }
}
