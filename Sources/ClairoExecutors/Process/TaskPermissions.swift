internal import ClairoCore

/// The requests that a task's process may make: only those that its kind of work needs.
struct TaskPermissions: Sendable {
    private let work: TaskSpec.Work

    init(_ work: TaskSpec.Work) { self.work = work }

    func allow(_ request: RequestHead) -> Bool {
        switch work {
        case .probe, .inspect, .plan: return request.operation == .source
        case .verify: return request.operation.onlyReads
        // An attempt has its own folder, so all requests are allowed.
        case .chunk, .track, .finish: return true
        // A job run by hand writes to a folder that may contain other files.
        case .transcode:
            guard let key = request.key, request.operation != .list else { return true }
            return OutputLayout.contains(key)
        }
    }
}

extension RequestHead.Operation {
    fileprivate var onlyReads: Bool {
        switch self {
        case .source, .get, .open, .read, .close, .info, .list: true
        case .put, .beginPut, .writePut, .endPut, .abortPut, .delete: false
        }
    }
}
