public import ClairoCore

/// Removes abandoned uploads: their parts, tails and rows.
public struct UploadSweep: Sendable {
    private let registration: UploadRegistration

    public init(_ registration: UploadRegistration) { self.registration = registration }

    /// Removes one batch of expired uploads. An upload that cannot be removed now is left to the next run.
    /// - Returns: The number of removed uploads.
    @discardableResult
    public func run(limit: Int = 100) async throws(ClairoError) -> Int {
        let expired = try await registration.metadata.expiredUploads(limit: limit)
        var failure: ClairoError?
        for session in expired {
            do throws(ClairoError) { try await remove(session) } catch { failure = error }
        }
        if let failure { throw failure }
        return expired.count
    }

    /// Removes an upload, unless it changes meanwhile. A concurrent append changes the row's version, so either the
    /// append or this call is rejected. Of a complete upload, only the row is removed.
    func remove(_ session: UploadSession) async throws(ClairoError) {
        do throws(ClairoError) {
            if session.state == .complete {
                try await ResumableUploads.removeTails(of: session, in: registration.store)
                try await registration.metadata.deleteUpload(session.id)
            } else {
                try await registration.discard(session, ifUnchanged: true)
            }
        } catch {
            throw error.whileDoing("Removing abandoned uploads")
        }
    }

    /// The bytes of an upload that is not complete: its parts, and its object if it was completed but not registered.
    func bytes(of session: UploadSession) async throws(ClairoError) -> Int64 {
        try await onDedicatedThread(name: "count upload") { [store = registration.store] () throws(ClairoError) in
            var bytes = try store.size(of: Video.sourceKey(session.videoID)) ?? 0
            if let multipart = session.multipart, let parts = try? store.parts(of: multipart) {
                bytes += parts.reduce(0) { $0 + Int64($1.size) }
            }
            for tail in try store.entries(prefix: ResumableUploads.tailPrefix(session), after: nil, limit: .max) {
                bytes += tail.size
            }
            return bytes
        }
    }
}
