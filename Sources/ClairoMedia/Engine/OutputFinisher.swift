internal import ClairoCore
internal import Foundation

/// Finishes a job after its last segment: it writes everything that refers to the segments, verifies the output, and
/// writes `clairo.json` and then the master playlist, which is the commit point.
struct OutputFinisher {
    /// How the output is verified before it is published.
    enum Check {
        case none
        /// Reads everything back and decodes it, and compares it with the source.
        case whole(SourceComparison)
        /// Compares the segments with their records, because the tasks that made them have decoded them, and checks the
        /// rest without decoding. Removes segments without a record.
        case records(SegmentRecords)
    }

    /// The job's manifest with its plan and the warnings so far.
    let manifest: OutputManifest
    let store: any ObjectStore
    let control: JobControl
    let check: Check

    /// - Returns: The published manifest, and the verification report if the output was verified.
    func run() throws -> (manifest: OutputManifest, verification: VerificationReport?) {
        if let published = try publishedBefore() {
            try removeUnpublished(published)
            return (published, nil)
        }
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
        try control.checkCancellation()
        try store.put(data, at: OutputLayout.manifest)
        if let master = result.master { try store.put(master, at: OutputLayout.masterPlaylist) }
        try removeUnpublished(manifest)
        control.begin(.done)
        return (manifest, verification)
    }

    private func verify(_ manifest: Data, _ result: Packager.Result) throws -> VerificationReport? {
        let measured: Presentation?
        var comparison = SourceComparison.planned
        switch check {
        case .none: return nil
        case .whole(let counted):
            measured = nil
            comparison = counted
        case .records: measured = result.presentation
        }
        control.begin(.verifying)
        var pending = [OutputLayout.manifest: manifest]
        if let master = result.master { pending[OutputLayout.masterPlaylist] = master }
        let report = try Verifier(
            store: store, pending: pending, measured: measured, comparison: comparison, control: control
        ).run()
        if let problem = report.problems.first {
            throw ClairoError.defect(
                "The output did not verify: \(problem.subject): \(problem.detail)"
                    + (report.problems.count > 1 ? " (and \(report.problems.count - 1) more)" : ""))
        }
        return report
    }

    /// The manifest of an attempt that published the output and was interrupted when it removed the segments, without
    /// which the output cannot be made again.
    private func publishedBefore() throws -> OutputManifest? {
        guard !manifest.plan.publishesSegments, try store.size(of: OutputLayout.manifest) != nil,
            let found = try? JSONDecoder().decode(OutputManifest.self, from: store.get(OutputLayout.manifest)),
            found.planID == manifest.planID, try found.isComplete(in: store)
        else { return nil }
        return found
    }

    /// Removes the segments of lost attempts, which lie beside the ones in use, and all segments if the output consists
    /// of other files.
    private func removeUnpublished(_ manifest: OutputManifest) throws {
        let known = Set(manifest.files.map(\.key))
        switch check {
        case .records:
            for folder in manifest.plan.folders {
                try store.delete(try store.list(prefix: folder + "/").filter { !known.contains($0.rawValue) })
            }
        // The folder may hold other files.
        case .none, .whole: try store.delete(manifest.plan.segmentKeys.filter { !known.contains($0.rawValue) })
        }
    }
}
