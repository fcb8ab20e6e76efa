public import ClairoCore
internal import Synchronization

/// An in-memory `MetadataStore` that satisfies the whole contract. For tests that need any database, or one that fails.
public final class MemoryMetadata: MetadataStore {
    struct State: Sendable {
        var videos: [VideoID: Video] = [:]
        var uploads: [UploadID: UploadSession] = [:]
        var jobs: [JobID: Job] = [:]
        var tasks: [TaskID: WorkTask] = [:]
        var renditions: [VideoID: [Rendition]] = [:]
        /// In the order in which they were written.
        var outbox: [Posted] = []
        var queue: [Queued] = []
        var lastSequence: Int64 = 0
        var renewals = 0
        var deadLetters: [DeadLetter] = []
        var deletions: [VideoID: DeletionRow] = [:]
        var duties: [Duty: DutyRow] = [:]
        /// Since when a job has had garbage.
        var garbage: [JobID: Timestamp] = [:]
        /// Until when the workers of a stopped job may write.
        var writesUntil: [JobID: Timestamp] = [:]
        /// The error of every call, if any.
        var failure: ClairoError?
    }

    private let state = Mutex(State())
    private let interruption = Mutex<(calls: Int, body: @Sendable () async -> Void)?>(nil)

    /// The clock that determines when leases of the queue expire.
    let now: @Sendable () -> Timestamp

    /// - Parameter now: The clock by which leases of the queue end.
    public init(now: @escaping @Sendable () -> Timestamp = { .now }) { self.now = now }

    /// How often leases of the queue were renewed.
    public var queueRenewals: Int { state.withLock { $0.renewals } }

    /// Runs `body` once, after this number of calls about one video or upload, to simulate concurrent changes.
    public func interrupt(after calls: Int, with body: @escaping @Sendable () async -> Void) {
        interruption.withLock { $0 = (calls, body) }
    }

    private func step<R: Sendable>(_ result: R) async -> R {
        let body = interruption.withLock { next -> (@Sendable () async -> Void)? in
            guard let (calls, body) = next else { return nil }
            next = calls > 1 ? (calls - 1, body) : nil
            return calls > 1 ? nil : body
        }
        await body?()
        return result
    }

    /// Makes every call fail, by default like an unreachable server, with a message that must not be shown to clients.
    public func setAway(
        _ isAway: Bool,
        with error: ClairoError = .unavailable("Cannot connect to mysql://clairo@db.internal:3306/clairo: refused")
    ) {
        state.withLock { $0.failure = isAway ? error : nil }
    }

    public var videos: [Video] { state.withLock { Array($0.videos.values) } }
    public var uploads: [UploadSession] { state.withLock { Array($0.uploads.values) } }
    public var messages: [OutboxMessage] { state.withLock { $0.outbox.map(\.message) } }

    public func put(_ video: Video) { state.withLock { $0.videos[video.id] = video } }

    /// One transaction: rolled back if `body` throws.
    func change<R: Sendable>(_ body: (inout State) throws(ClairoError) -> R) throws(ClairoError) -> R {
        try state.withLock { (state) throws(ClairoError) -> R in
            if let failure = state.failure { throw failure }
            var next = state
            let result = try body(&next)
            state = next
            return result
        }
    }

    public func schema() async throws(ClairoError) -> SchemaVersions { SchemaVersions(database: 1, program: 1) }
    public func migrate() async throws(ClairoError) -> [String] { [] }
    public func check() async throws(ClairoError) { try change { _ in } }
    public func transport() async throws(ClairoError) -> DatabaseTransport { try change { _ in .local } }
    public func close() async {}

    // MARK: Videos

    public func video(_ id: VideoID) async throws(ClairoError) -> Video? { await step(try change { $0.videos[id] }) }

    public func videos(_ filter: VideoFilter) async throws(ClairoError) -> [Video] {
        try change { state in
            let found = state.videos.values.filter { video in
                (filter.state ?? video.state) == video.state && filter.before.map { video.id < $0 } ?? true
            }
            return Array(found.sorted { $0.id > $1.id }.prefix(filter.limit))
        }
    }

    public func video(sha256: String) async throws(ClairoError) -> Video? {
        try change { state in
            state.videos.values.filter { $0.sha256 == sha256 && ![.failed, .cancelled, .deleting].contains($0.state) }
                .min { $0.id < $1.id }
        }
    }

    public func register(_ video: Video, message: OutboxMessage, upload: UploadID?) async throws(ClairoError) -> Bool {
        try change { (state) throws(ClairoError) in
            if state.videos[video.id] != nil || state.deletions[video.id] != nil { return false }
            var video = video
            video.originalName = video.originalName.replacing("\0", with: "\u{FFFD}")
            state.videos[video.id] = video
            try state.post([message], about: video.id)
            if let upload {
                guard state.uploads[upload]?.state == .open else {
                    throw .temporary("The upload \(upload) was completed or discarded while it was running")
                }
                state.uploads[upload]?.state = .complete
                state.uploads[upload]?.version += 1
            }
            return true
        }
    }

    public func deleteVideo(_ id: VideoID) async throws(ClairoError) -> Bool {
        let now = self.now()
        return try change { state in
            state.jobs = state.jobs.filter { $0.value.videoID != id }
            state.tasks = state.tasks.filter { $0.value.videoID != id }
            state.renditions[id] = nil
            state.outbox.removeAll { $0.video == id }
            state.finishDeletion(of: id, now: now)
            return state.videos.removeValue(forKey: id) != nil
        }
    }

    public func renditions(of id: VideoID) async throws(ClairoError) -> [Rendition] {
        try change { state in
            (state.renditions[id] ?? []).sorted { RenditionRecord.isBefore($0.record, $1.record) }
        }
    }

    // MARK: Uploads

    public func createUpload(_ upload: UploadSession) async throws(ClairoError) {
        try change { $0.uploads[upload.id] = upload }
    }

    public func upload(_ id: UploadID) async throws(ClairoError) -> UploadSession? {
        await step(try change { $0.uploads[id] })
    }

    public func upload(fingerprint: String) async throws(ClairoError) -> UploadSession? {
        try change { state in
            state.uploads.values.filter { $0.fingerprint == fingerprint }.max { $0.id < $1.id }
        }
    }

    public func updateUpload(_ upload: UploadSession) async throws(ClairoError) -> UploadSession? {
        let updated: UploadSession? = try change { state in
            guard var row = state.uploads[upload.id], row.version == upload.version else { return nil }
            (row.state, row.size, row.multipart, row.offset) = (
                upload.state, upload.size, upload.multipart, upload.offset
            )
            (row.title, row.originalName, row.sha256) = (upload.title, upload.originalName, upload.sha256)
            row.expiresAt = upload.expiresAt
            row.updatedAt = .now
            row.version += 1
            state.uploads[upload.id] = row
            return row
        }
        return await step(updated)
    }

    public func deleteUpload(_ id: UploadID) async throws(ClairoError) { try change { $0.uploads[id] = nil } }

    public func expiredUploads(limit: Int) async throws(ClairoError) -> [UploadSession] {
        let now = Timestamp.now
        return try change { state in
            Array(
                state.uploads.values.filter { $0.expiresAt < now }.sorted { $0.expiresAt < $1.expiresAt }.prefix(limit))
        }
    }
}
