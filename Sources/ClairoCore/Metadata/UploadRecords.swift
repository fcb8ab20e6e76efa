/// Uploads in progress.
public protocol UploadRecords: Sendable {
    /// Records a new upload.
    func createUpload(_ upload: UploadSession) async throws(ClairoError)

    /// An upload; nil if there is none with this id.
    func upload(_ id: UploadID) async throws(ClairoError) -> UploadSession?

    /// The newest upload with this fingerprint, in any state.
    func upload(fingerprint: String) async throws(ClairoError) -> UploadSession?

    /// Updates `state`, `size`, `multipart`, `offset`, `title`, `originalName`, `sha256` and `expiresAt` if the row
    /// still has `upload.version`, and increments the version.
    /// - Returns: The updated row, or nil if another process changed or deleted it first.
    func updateUpload(_ upload: UploadSession) async throws(ClairoError) -> UploadSession?

    /// Deletes an upload. Succeeds if there is none.
    func deleteUpload(_ id: UploadID) async throws(ClairoError)

    /// Expired uploads, oldest first.
    func expiredUploads(limit: Int) async throws(ClairoError) -> [UploadSession]
}
