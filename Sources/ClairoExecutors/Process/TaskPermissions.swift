internal import ClairoCore

/// What a task's process may do with the output folder: as much as its work takes, whatever it asks for.
struct TaskPermissions: Sendable {
    private let work: TaskSpec.Work

    init(_ work: TaskSpec.Work) { self.work = work }

    func allow(_ request: RequestHead) -> Bool {
        switch work {
        case .probe, .inspect, .plan: return request.operation == .source
        case .verify: return request.operation.onlyReads
        // An attempt has a folder of its own.
        case .chunk, .track, .finish: return true
        // By hand the folder may be anybody's, with other things in it.
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
