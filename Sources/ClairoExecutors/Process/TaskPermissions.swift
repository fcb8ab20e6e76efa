internal import ClairoCore

/// The requests that a task's process may make: only those that its kind of work needs.
///
/// A task of a job may read everything in its output folder, and write and delete only its own objects, whose keys
/// follow from its plan. So a process that media has taken over cannot change the work of other tasks.
struct TaskPermissions: Sendable {
    private let work: TaskSpec.Work
    /// The objects that a task of a job may write.
    private let written: Set<ObjectKey>
    /// The segments that a finish task publishes, and the folders that hold them.
    private var published: Set<ObjectKey> = []
    private var folders: [String] = []

    init(_ work: TaskSpec.Work) {
        self.work = work
        if case .finish(let request) = work {
            published = Set(request.plan.publishedKeys)
            folders = request.plan.folders.map { $0 + "/" }
        }
        written =
            switch work {
            case .chunk(let plan, let index): Set(plan.keys(ofChunk: index))
            case .track(let plan, let index):
                plan.tracks.indices.contains(index) ? Set(plan.tracks[index].objectKeys) : []
            case .finish(let request): Set(request.plan.finishedKeys)
            case .probe, .inspect, .plan, .verify, .transcode: []
            }
    }

    func allow(_ request: RequestHead) -> Bool {
        switch work {
        case .probe, .inspect, .plan: request.operation == .source
        case .verify: request.operation.onlyReads
        case .chunk, .track, .finish: request.operation.onlyReads || mayChange(request)
        // A job run by hand writes to a folder that may contain other files.
        case .transcode: request.operation == .list || request.allKeys.allSatisfy(OutputLayout.contains)
        }
    }

    private func mayChange(_ request: RequestHead) -> Bool {
        switch request.operation {
        case .put, .beginPut: request.key.map(written.contains) ?? false
        // Of an object that `beginPut` allowed.
        case .writePut, .endPut, .abortPut: true
        case .delete: request.allKeys.allSatisfy { written.contains($0) || isLeftover($0) }
        case .source, .get, .open, .read, .close, .info, .record, .list: false
        }
    }

    /// Whether a finish task may delete an object: in the folder of a rendition, one that is not published.
    private func isLeftover(_ key: ObjectKey) -> Bool {
        folders.contains(where: key.rawValue.hasPrefix) && !published.contains(key)
    }
}

extension Plan {
    /// The objects that a chunk's task writes: its segments of each rung of its wave, and the init segments. The first
    /// chunk of the wave writes all of the rungs that are copied.
    fileprivate func keys(ofChunk index: Int) -> [ObjectKey] {
        guard let video, let chunk = chunks.first(where: { $0.index == index }) else { return [] }
        return video.renditions.filter { $0.rung.wave == chunk.wave }.flatMap { rendition in
            if rendition.rung.isCopy { return chunk.segments.lowerBound == 0 ? rendition.objectKeys : [] }
            return [rendition.initKey] + chunk.segments.map(rendition.segmentKey)
        }
    }

    /// The objects that a finish task writes: everything that refers to segments or is made of them.
    fileprivate var finishedKeys: [ObjectKey] {
        OutputLayout.entryPoints + [OutputLayout.manifest, OutputLayout.poster, OutputLayout.posterWebP]
            + renditions.flatMap(\.companionKeys) + (images ?? []).flatMap(\.objectKeys)
    }
}

extension RequestHead {
    fileprivate var allKeys: [ObjectKey] { (key.map { [$0] } ?? []) + (keys ?? []) }
}

extension RequestHead.Operation {
    fileprivate var onlyReads: Bool {
        switch self {
        case .source, .get, .open, .read, .close, .info, .record, .list: true
        case .put, .beginPut, .writePut, .endPut, .abortPut, .delete: false
        }
    }
}
