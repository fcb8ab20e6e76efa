internal import ClairoCore

/// What a task's process may do with the output folder: only what its kind of work needs.
struct TaskPermissions: Sendable {
    private let work: TaskSpec.Work

    init(_ work: TaskSpec.Work) { self.work = work }

    func allow(_ request: RequestHead) -> Bool {
        switch work {
        case .probe, .inspect, .plan: return request.operation == .source
        case .verify: return request.operation.onlyReads
        // An attempt has its own folder.
        case .chunk, .track, .finish: return true
        // For a job run by hand, the folder may contain other files.
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
