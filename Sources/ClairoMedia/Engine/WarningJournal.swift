internal import ClairoCore
internal import Foundation
internal import Synchronization

/// Keeps the warnings of a running job in its `clairo.json`, so that a run that continues it after a crash has them.
final class WarningJournal: Sendable {
    private let store: any ObjectStore
    private let manifest: OutputManifest
    private let recorded: Mutex<[MediaWarning]>

    /// - Parameter manifest: The manifest as it is on the store.
    init(store: any ObjectStore, manifest: OutputManifest) {
        self.store = store
        self.manifest = manifest
        recorded = Mutex(manifest.warnings)
    }

    /// Writes the manifest again if there are warnings that it does not contain.
    /// - Parameter warnings: The warnings of this run so far.
    func record(_ warnings: [MediaWarning]) throws(ClairoError) {
        guard !warnings.isEmpty else { return }
        try recorded.withLock { known throws(ClairoError) in
            let all = (manifest.warnings + warnings).bounded()
            guard all != known else { return }
            var running = manifest
            running.warnings = all
            guard let data = try? JSON.encode(running) else { throw .defect("The manifest cannot be written as JSON") }
            try store.put(data, at: OutputLayout.manifest)
            known = all
        }
    }
}
