public import ClairoCore

/// Removes expired uploads: their parts, tails and rows.
public struct UploadSweep: Sendable {
    private let registration: UploadRegistration

    public init(_ registration: UploadRegistration) { self.registration = registration }

    /// Removes one batch. An upload that cannot be removed now is left to the next run.
    /// - Returns: The number of removed uploads.
    @discardableResult
    public func run(limit: Int = 100) async throws(ClairoError) -> Int {
        let expired = try await registration.metadata.expiredUploads(limit: limit)
        var failure: ClairoError?
        for session in expired {
            do throws(ClairoError) {
                if session.state == .complete {
                    try await ResumableUploads.removeTails(of: session, in: registration.store)
                    try await registration.metadata.deleteUpload(session.id)
                } else {
                    // A concurrent append changes the row's version, so either the append or this call is rejected.
                    try await registration.discard(session, ifUnchanged: true)
                }
            } catch {
                failure = error
            }
        }
        if let failure { throw failure.whileDoing("Removing expired uploads") }
        return expired.count
    }
}
