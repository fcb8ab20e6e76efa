internal import ClairoCore
internal import Foundation
internal import Synchronization

/// Keeps in the `clairo.json` of a running job what a run that continues it after a crash cannot find again: the
/// warnings, the counts of segments that are not as expected, and the loudness of audio. So the run that ends gives the warnings of one that was
/// never interrupted.
final class WarningJournal: Sendable {
    private let store: any ObjectStore
    private let manifest: OutputManifest
    private let expected: [Int: SegmentCounts]
    private let recorded: Mutex<OutputManifest>

    /// - Parameters:
    ///   - manifest: The manifest as it is on the store.
    ///   - expected: The counts of all segments if every frame of the source can be decoded. They are not recorded.
    init(store: any ObjectStore, manifest: OutputManifest, expected: [SegmentCounts]) {
        self.store = store
        self.manifest = manifest
        self.expected = Dictionary(uniqueKeysWithValues: expected.map { ($0.segment, $0) })
        recorded = Mutex(manifest)
    }

    /// Writes the manifest again if there are warnings, counts or measurements that it does not contain.
    /// - Parameter control: The control of the running job.
    func record(_ control: JobControl) throws(ClairoError) {
        let (warnings, counts, loudness) = (control.warnings, control.segmentCounts, control.loudness)
        guard !warnings.isEmpty || !counts.isEmpty || !loudness.isEmpty else { return }
        try recorded.withLock { known throws(ClairoError) in
            var running = manifest
            running.warnings = (manifest.warnings + warnings).bounded()
            let unexpected = counts.filter { $0 != expected[$0.segment] }.sorted { $0.segment < $1.segment }
            running.plan.note(loudness)
            running.counts = unexpected.isEmpty ? nil : unexpected
            guard running != known else { return }
            guard let data = try? JSON.encode(running) else { throw .defect("The manifest cannot be written as JSON") }
            try store.put(data, at: OutputLayout.manifest)
            known = running
        }
    }
}
