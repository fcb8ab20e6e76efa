internal import ClairoCore

/// What a task's process may do with the output folder: as much as its work takes, whatever it asks for.
struct TaskPermissions: Sendable {
    private let work: TaskSpec.Work

    init(_ work: TaskSpec.Work) { self.work = work }

    /// What an output folder holds (man/clairo-pipeline.7.md, Output).
    private static let folders: Set<Substring> = ["video", "audio", "subtitles", "mp4"]
    private static let files: Set<String> = [
        "clairo.json", "master.m3u8", "manifest.mpd", "poster.jpg", "storyboard.jpg", "storyboard.vtt",
    ]

    func allow(_ request: RequestHead) -> Bool {
        switch work {
        case .probe, .inspect, .plan: return request.operation == .source
        case .verify: return request.operation.onlyReads
        // An attempt has a folder of its own.
        case .chunk, .audio, .finish: return true
        // By hand the folder may be anybody's, with other things in it.
        case .transcode:
            guard let key = request.key?.rawValue, request.operation != .list else { return true }
            let parts = key.split(separator: "/")
            return Self.files.contains(key) || (parts.count > 1 && Self.folders.contains(parts[0]))
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
