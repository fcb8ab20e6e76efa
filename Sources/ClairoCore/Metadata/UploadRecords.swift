/// Uploads that are under way.
public protocol UploadRecords: Sendable {
    /// Records a new upload.
    func createUpload(_ upload: UploadSession) async throws(ClairoError)

    /// An upload; nil if there is none with this id.
    func upload(_ id: UploadID) async throws(ClairoError) -> UploadSession?

    /// The newest upload of that fingerprint, whatever its state.
    func upload(fingerprint: String) async throws(ClairoError) -> UploadSession?

    /// Writes `state`, `size`, `multipart`, `offset`, `title`, `originalName`, `sha256` and `expiresAt` if the row still has
    /// `upload.version`, which goes up by one.
    /// - Returns: the row as it is now, or nil where somebody else was faster or it is gone.
    func updateUpload(_ upload: UploadSession) async throws(ClairoError) -> UploadSession?

    /// Removes an upload; none there is no error.
    func deleteUpload(_ id: UploadID) async throws(ClairoError)

    /// Uploads past their `expiresAt`, oldest first.
    func expiredUploads(limit: Int) async throws(ClairoError) -> [UploadSession]
}
