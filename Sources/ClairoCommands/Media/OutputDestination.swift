internal import ClairoCore
internal import ClairoStorage
internal import Foundation

/// Cleans up the destination of an output, a folder or a bucket prefix.
enum OutputDestination {
    /// Removes objects that a killed run left incomplete.
    static func tidy(_ store: any MultipartStore) throws(ClairoError) {
        if let folder = store as? DirectoryStore {
            try folder.removePartialObjects()
            return
        }
        // Other programs may write below the same prefix, so only objects of this output are removed.
        guard let manifest = try? JSONDecoder().decode(OutputManifest.self, from: store.get(OutputLayout.manifest))
        else {
            return
        }
        let keys = Set(manifest.plan.renditions.map(\.mp4Key) + manifest.plan.segmentKeys)
        for upload in try store.openUploads(prefix: "") where keys.contains(upload.key) { try store.abort(upload) }
    }
}
