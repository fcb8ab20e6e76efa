internal import ClairoCore
internal import ClairoStorage
internal import Foundation

/// The folder or the place in a bucket that an output goes to.
enum OutputDestination {
    /// Removes objects that a killed run left incomplete.
    static func tidy(_ store: any MultipartStore) throws(ClairoError) {
        if let folder = store as? DirectoryStore {
            try folder.removePartialObjects()
            return
        }
        // Others may write below the same prefix: only objects of this output are removed.
        guard let manifest = try? JSONDecoder().decode(OutputManifest.self, from: store.get(OutputManifest.key)) else {
            return
        }
        let keys = Set((manifest.plan.video?.rungs ?? []).map(\.mp4Key) + manifest.plan.segmentKeys)
        for upload in try store.openUploads(prefix: "") where keys.contains(upload.key) { try store.abort(upload) }
    }
}
