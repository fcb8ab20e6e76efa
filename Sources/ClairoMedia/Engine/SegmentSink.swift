internal import ClairoCore
internal import Foundation

/// Writes finished segments to the store, in one of two ways.
///
/// A job that runs alone continues after an earlier run, so it keeps existing segments and decodes the whole output at
/// the end. A task shares the job with other workers, so it relies only on its own segments and decodes each one before
/// writing it; nothing decodes it again.
struct SegmentSink: Sendable {
    enum Manner: Sendable { case resuming, sharing }

    let store: any ObjectStore
    let manner: Manner
    let control: JobControl
    /// Records warnings and counts before the segments that they are about; nil if the task's result contains them.
    var journal: WarningJournal?
    /// Whether decoded frames, not those that are made, are the progress of the job.
    var countsDecoded = false
    /// Adds the boxes of encryption before segments are written.
    var protection: Protection?

    /// Whether the object must be written.
    func wants(_ key: ObjectKey) throws(ClairoError) -> Bool {
        switch manner {
        case .resuming: try store.size(of: key) == nil
        case .sharing: true
        }
    }

    /// - Throws: `defect` if an earlier run wrote a different init segment, because its segments would not match.
    func write(initSegment plain: Data, at key: ObjectKey) throws(ClairoError) {
        let layout = try ProtectedLayout(protection, folder: OutputLayout.folder(of: key))
        let initSegment = try layout?.initSegment(plain) ?? plain
        if try wants(key) {
            try put(initSegment, at: key)
        } else if try store.get(key) != initSegment {
            throw .defect("\(key): the encoder's parameter sets changed between segments")
        }
    }

    /// Writes segment `index` of a rendition.
    /// - Throws: `UnverifiedSegment` if it is decoded and wrong.
    func write(_ segment: Data, index: Int, of rendition: any MediaRendition, initSegment: Data) throws {
        let key = rendition.segmentKey(index)
        if manner == .sharing {
            let problem = try control.clock.measure(.verify) {
                try rendition.problem(ofSegment: index, in: initSegment + segment, interrupt: control.interrupt) {
                    if countsDecoded { control.finishFrame() }
                    try control.noteLongStep()
                }
            }
            try control.checkCancellation()
            if let problem { throw UnverifiedSegment(key: key, index: index, problem: problem) }
        }
        let layout = try ProtectedLayout(protection, folder: rendition.folder)
        try put(layout?.segment(segment, index: index, initSegment: initSegment) ?? segment, at: key)
    }

    /// Writes an object that needs no decoding: the caller has checked it.
    func write(file: Data, at key: ObjectKey) throws(ClairoError) {
        if try wants(key) { try put(file, at: key) }
    }

    private func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        try journal?.record(control)
        try control.clock.measure(.write) { () throws(ClairoError) in try store.put(data, at: key) }
    }
}

/// A segment that does not decode to what it should hold.
struct UnverifiedSegment: Error {
    var key: ObjectKey
    var index: Int
    /// A clause without a full stop.
    var problem: String
}
