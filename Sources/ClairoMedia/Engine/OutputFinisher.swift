internal import ClairoCore
internal import Foundation

/// What follows the last segment of a job: everything that refers to the segments, verification, `clairo.json`, and the
/// master playlist as the commit point.
struct OutputFinisher {
    /// How much of the output is looked at before it is published.
    enum Check {
        case none
        /// Everything is read back and decoded.
        case whole
        /// The tasks that made the segments have decoded them: their bytes are compared with what was recorded of them, and
        /// the rest is checked without decoding. Segments that are not recorded are removed.
        case records(SegmentRecords)
    }

    /// Of the job, with its plan and warnings so far.
    let manifest: OutputManifest
    let store: any ObjectStore
    let control: JobControl
    let check: Check

    /// - Returns: the manifest as it was published, and what was checked, if anything.
    func run() throws -> (manifest: OutputManifest, verification: VerificationReport?) {
        control.begin(.packaging)
        var records: SegmentRecords?
        if case .records(let known) = check { records = known }
        let result = try Packager(plan: manifest.plan, store: store, control: control, records: records).run()
        var manifest = manifest
        manifest.state = .complete
        manifest.files = result.files
        manifest.describe(result.presentation)
        let data = try JSON.encode(manifest)
        let verification = try verify(data, result)
        if records != nil { try removeLeftovers(of: manifest) }
        try control.checkCancellation()
        try store.put(data, at: OutputLayout.manifest)
        if let master = result.master { try store.put(master, at: OutputLayout.masterPlaylist) }
        control.begin(.done)
        return (manifest, verification)
    }

    private func verify(_ manifest: Data, _ result: Packager.Result) throws -> VerificationReport? {
        let measured: Presentation?
        switch check {
        case .none: return nil
        case .whole: measured = nil
        case .records: measured = result.presentation
        }
        control.begin(.verifying)
        var pending = [OutputLayout.manifest: manifest]
        if let master = result.master { pending[OutputLayout.masterPlaylist] = master }
        let report = try Verifier(store: store, pending: pending, measured: measured, control: control).run()
        if let problem = report.problems.first {
            throw ClairoError.defect(
                "The output did not verify: \(problem.subject): \(problem.detail)"
                    + (report.problems.count > 1 ? " (and \(report.problems.count - 1) more)" : ""))
        }
        return report
    }

    /// Segments of attempts that were lost lie beside those that count.
    private func removeLeftovers(of manifest: OutputManifest) throws {
        let known = Set(manifest.files.map(\.key))
        for folder in manifest.plan.renditions.map(\.folder) {
            for key in try store.list(prefix: folder + "/") where !known.contains(key.rawValue) {
                try store.delete(key)
            }
        }
    }
}
