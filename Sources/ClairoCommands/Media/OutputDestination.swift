internal import ClairoCore
internal import ClairoStorage
internal import Foundation

/// The folder or the place in a bucket that an output goes to.
enum OutputDestination {
    /// Removes what a killed run left half-written.
    static func tidy(_ store: any MultipartStore) throws(ClairoError) {
        if let folder = store as? DirectoryStore {
            try folder.removePartialObjects()
            return
        }
        // Below the same prefix others may be at work: only what this output consists of.
        guard let manifest = try? JSONDecoder().decode(OutputManifest.self, from: store.get(OutputLayout.manifest))
        else {
            return
        }
        let keys = Set(manifest.plan.renditions.map(\.mp4Key) + manifest.plan.segmentKeys)
        for upload in try store.openUploads(prefix: "") where keys.contains(upload.key) { try store.abort(upload) }
    }
}
