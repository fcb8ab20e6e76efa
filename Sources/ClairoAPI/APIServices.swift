internal import ClairoCore
internal import ClairoPipeline
internal import Foundation
internal import Logging
internal import Synchronization

/// The services that the routes use.
struct APIServices: Sendable {
    let options: ServerOptions
    let metadata: any VideoRecords & UploadRecords & JobRecords
    let registration: UploadRegistration
    let resumable: ResumableUploads
    let direct: DirectUploads
    let deletion: VideoDeletion
    /// Derives the keys of videos; nil if this server has no master secret.
    let masterSecret: MasterSecret?
    let readiness: Readiness
    let finishing = Finishing()
    let appends = RunningAppends()
    let slots: UploadSlots
    let logger: Logger
}

/// Creates videos from complete uploads. Concurrent requests for an upload share one run, which completes even if the
/// clients disconnect.
final class Finishing: Sendable {
    private let running = Mutex<[UploadID: Task<Video, any Error>]>([:])

    func video(of id: UploadID, _ make: @escaping @Sendable () async throws -> Video) async throws -> Video {
        let task = running.withLock { running in
            if let task = running[id] { return task }
            let task = Task {
                defer { self.running.withLock { $0[id] = nil } }
                return try await make()
            }
            running[id] = task
            return task
        }
        return try await task.value
    }
}

/// Runs `body` to completion, even if the surrounding request is cancelled.
func runToCompletion<R: Sendable>(_ body: @escaping @Sendable () async throws -> R) async throws -> R {
    try await Task { try await body() }.value
}
