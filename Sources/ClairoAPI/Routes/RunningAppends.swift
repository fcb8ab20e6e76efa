internal import ClairoCore
internal import Synchronization

/// The requests of this process that append to resumable uploads: at most one per upload. A request that needs an
/// upload's true offset ends the one that still appends, whose connection may have died without notice.
///
/// Between processes, the version of the upload's row decides.
final class RunningAppends: Sendable {
    private struct Append {
        var sender: BodySender
        var waiting: [Int: CheckedContinuation<Bool, Never>] = [:]
    }

    private struct State {
        var appends: [UploadID: Append] = [:]
        var lastWaiter = 0
    }

    private let state = Mutex(State())

    func isRunning(_ id: UploadID) -> Bool { state.withLock { $0.appends[id] != nil } }

    /// Records that a request appends to an upload.
    /// - Returns: False if another request does already.
    func begin(_ id: UploadID, sender: BodySender) -> Bool {
        state.withLock { state in
            guard state.appends[id] == nil else { return false }
            state.appends[id] = Append(sender: sender)
            return true
        }
    }

    /// Records that the request has committed its bytes, or has discarded them.
    func end(_ id: UploadID) {
        let append = state.withLock { $0.appends.removeValue(forKey: id) }
        for continuation in (append?.waiting ?? [:]).values { continuation.resume(returning: true) }
    }

    /// Ends the request that appends to the upload, if any, and waits until its bytes are committed.
    /// - Parameter patience: How long to wait.
    /// - Returns: False if the request did not end in time.
    func takeOver(_ id: UploadID, patience: Duration) async -> Bool {
        await withCheckedContinuation { continuation in
            let (sender, waiter) = state.withLock { state in
                state.lastWaiter += 1
                state.appends[id]?.waiting[state.lastWaiter] = continuation
                return (state.appends[id]?.sender, state.lastWaiter)
            }
            guard let sender else { return continuation.resume(returning: true) }
            sender.stop(.takenOver)
            Task {
                try? await Task.sleep(for: patience)
                state.withLock { $0.appends[id]?.waiting.removeValue(forKey: waiter) }?.resume(returning: false)
            }
        }
    }
}
