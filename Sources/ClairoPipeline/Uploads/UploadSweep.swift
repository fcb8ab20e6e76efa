public import ClairoCore

/// Removes uploads that nobody went on with: their parts, tails and rows.
public struct UploadSweep: Sendable {
    private let registration: UploadRegistration

    public init(_ registration: UploadRegistration) { self.registration = registration }

    /// One round. An upload that cannot be removed now is met again by the next.
    /// - Returns: how many went.
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
                    // Whoever goes on with it at this moment changes its version: one of the two is refused.
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
