internal import ClairoCore
internal import ClairoMetadata
internal import Foundation
internal import Synchronization

/// Times each statement of the daemons in a store that is filled already, and counts the rows that it locks.
struct StatementBench {
    let url: String
    /// How often each call is timed.
    let rounds: Int

    /// Counting locks takes a tenth of a second for each statement.
    private static let lockRounds = 3

    struct Figures: Encodable {
        var call: String
        var sql: String
        /// In milliseconds.
        var median: Double
        var max: Double
        /// The largest number of rows that it changed, or returned if it is a query.
        var rows: Int
        var isQuery: Bool
        /// The largest number of record locks; nil on SQLite.
        var locks: Int?
        /// Whether it once took more locks than two for each row, which is an entry of an index and the row.
        var locksOthers: Bool
    }

    func run() async throws -> [Figures] {
        let log = Log()
        for (observer, rounds) in [
            (StatementObserver { log.note($0) }, rounds),
            (StatementObserver(measuresLocks: true) { log.note($0, isTimed: false) }, Self.lockRounds),
        ] {
            let store = try await MetadataDatabase.open(
                url: url, environment: ProcessInfo.processInfo.environment, statements: observer)
            for _ in 0..<rounds { try await Self.round(store, log) }
            await store.close()
        }
        return log.figures
    }

    /// What the daemons do, once.
    private static func round(_ store: any MetadataStore, _ log: Log) async throws {
        let video = try await upload(store, log)
        try await process(video, store, log)
        try await relay(store, log)
        try await serve(video, store, log)
        log.call = "serve-metrics: the state"
        _ = try await store.statistics()
        log.call = "serve-metrics: ended tasks"
        _ = try await store.finishedTasks()
        log.call = "gc: obsolete rows"
        _ = try await store.purge(olderThanSeconds: 1e8, webhookSeconds: 1e8, limit: 1000)
    }

    private static func upload(_ store: any MetadataStore, _ log: Log) async throws -> Video {
        let id = VideoID.make()
        var upload = UploadSession(
            id: .make(), videoID: id, fingerprint: id.rawValue, originalName: "a.mp4", size: 1, createdAt: .now,
            expiresAt: .now.advanced(bySeconds: 3600))
        log.call = "serve: an upload"
        try await store.createUpload(upload)
        _ = try await store.upload(fingerprint: upload.fingerprint)
        upload.offset = 1
        _ = try await store.updateUpload(upload)
        let video = Video(
            id: id, originalName: "a.mp4",
            source: ObjectLocation(bucket: "raw", key: id.rawValue, url: "s3://raw/\(id)"), size: 1,
            sha256: Checksum.sha256(Data(id.rawValue.utf8)), traceID: "bench", uploadedAt: .now)
        _ = try await store.video(sha256: video.sha256)
        _ = try await store.register(video, message: message(Topic.uploads, key: id.rawValue), upload: upload.id)
        _ = try await store.expiredUploads(limit: 100)
        return video
    }

    private static func process(_ video: Video, _ store: any MetadataStore, _ log: Log) async throws {
        log.call = "consume: intake"
        _ = try await store.video(video.id)
        _ = try await store.lastQueueAt(tenant: video.tenant, priorities: Set(Priority.allCases))
        let job = Job(
            id: .make(), videoID: video.id, profile: video.profile, priority: .normal, traceID: "bench",
            createdAt: .now)
        func task(_ kind: WorkTask.Kind) -> WorkTask {
            WorkTask(
                id: .make(), jobID: job.id, videoID: video.id, kind: kind, priority: .normal, notBefore: .now,
                createdAt: .now)
        }
        _ = try await store.startJob(
            job, tasks: [task(.plan)], messages: [message(Topic.tasks), message(Topic.webhook)], from: [.uploaded])
        log.call = "consume: missed uploads"
        _ = try await store.videos(VideoFilter(state: .uploaded, before: .make(at: .now), limit: 100))
        log.call = "consume: until idle"
        _ = try await store.pendingWork()
        log.call = "consume: a claim"
        guard let claimed = try await store.claimNextTask(kinds: [.chunk, .track], owner: "bench", leaseSeconds: 60)
        else { throw ClairoError.noInput("There are too few tasks in the database") }
        let claim = TaskClaim(claimed)
        _ = try await store.context(of: claim)
        log.call = "consume: a heartbeat"
        _ = try await store.renewLease(claim, leaseSeconds: 60, framesDone: 1)
        log.call = "consume: a retry"
        _ = try await store.retryTask(
            claim, failure: Failure(kind: .transient, message: "bench"), afterSeconds: 0, countsAsAttempt: false,
            messages: [message(Topic.tasks)])
        log.call = "consume: the end of a task"
        if let again = try await store.claimNextTask(kinds: [.chunk, .track], owner: "bench", leaseSeconds: 60) {
            let finish = WorkTask(
                id: .make(), jobID: again.jobID, videoID: again.videoID, kind: .finish, priority: .normal,
                notBefore: .now, createdAt: .now)
            _ = try await store.succeedTask(
                TaskClaim(again), result: TaskResult(), finish: finish, messages: [message(Topic.tasks)])
        }
        log.call = "consume: a permanent failure"
        if let last = try await store.claimNextTask(kinds: [.plan], owner: "bench", leaseSeconds: 60) {
            _ = try await store.failTask(
                TaskClaim(last), failure: Failure(kind: .badInput, message: "bench"),
                messages: [message(Topic.events)], deadLetter: nil)
        }
        log.call = "consume: the queue local:"
        try await store.enqueue((0..<10).map { _ in message(Topic.tasks) })
        let queued = try await store.claimQueued(topics: [Topic.tasks], owner: "bench", limit: 1, leaseSeconds: 60)
        _ = try await store.renewQueued(queued.map(\.message.id), owner: "bench", leaseSeconds: 60)
        for message in queued { _ = try await store.removeQueued(message.message.id, owner: "bench") }
        _ = try await store.queuedCounts()
    }

    private static func relay(_ store: any MetadataStore, _ log: Log) async throws {
        for lane in OutboxLane.allCases {
            log.call = "produce: lane \(lane.rawValue)"
            let claimed = try await store.claimOutbox(lane, owner: "bench", limit: 200, leaseSeconds: 60)
            if let first = claimed.first {
                try await store.postpone(first.id, owner: "bench", seconds: 3600, reason: "bench")
            }
            try await store.markPublished(claimed.dropFirst().map(\.id), owner: "bench")
        }
    }

    private static func serve(_ video: Video, _ store: any MetadataStore, _ log: Log) async throws {
        log.call = "serve: lists"
        let newest = try await store.videos(VideoFilter(limit: 50))
        for state in Video.State.allCases { _ = try await store.videos(VideoFilter(state: state, limit: 50)) }
        log.call = "serve: a video"
        for id in [video.id, newest.last?.id].compactMap({ $0 }) {
            _ = try await store.video(id)
            for job in try await store.jobs(of: id) { _ = try await store.listTasks(of: job.id) }
            _ = try await store.renditions(of: id)
        }
        log.call = "serve: dead letters"
        _ = try await store.deadLetters(topic: nil, all: false, limit: 50)
        _ = try await store.deadLetters(topic: Topic.uploads, all: true, limit: 50)
        log.call = "serve: ready?"
        try await store.check()
    }

    private static func message(_ topic: String, key: String = UUID().uuidString) -> OutboxMessage {
        OutboxMessage(id: .make(), topic: topic, key: key, payload: Data("{}".utf8), createdAt: .now)
    }
}

/// Collects the events of each statement.
private final class Log: Sendable {
    private struct Statement {
        var call: String
        var milliseconds: [Double] = []
        var rows = 0
        var isQuery = false
        var locks: Int?
        var locksOthers = false
    }

    private let state = Mutex((call: "", statements: [String: Statement](), order: [String]()))

    /// What is being done.
    var call: String {
        get { state.withLock { $0.call } }
        set { state.withLock { $0.call = newValue } }
    }

    func note(_ event: StatementEvent, isTimed: Bool = true) {
        // Lists of values differ in length.
        let sql = event.sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            .replacing(/\(\?(, \?)*\)(, \(\?(, \?)*\))*/, with: "(?)")
            .replacing(/(WHEN \? THEN \? )+/, with: "WHEN ? THEN ? ")
        state.withLock { state in
            let call = state.call
            if state.statements[sql] == nil {
                state.statements[sql] = Statement(call: call)
                state.order.append(sql)
            }
            var one = state.statements[sql] ?? Statement(call: call)
            if isTimed { one.milliseconds.append(event.seconds * 1000) }
            one.rows = max(one.rows, event.rows)
            one.isQuery = event.isQuery
            if let locks = event.locks {
                one.locks = max(one.locks ?? 0, locks)
                one.locksOthers = one.locksOthers || locks > 2 * event.rows
            }
            state.statements[sql] = one
        }
    }

    var figures: [StatementBench.Figures] {
        state.withLock { state in
            state.order.compactMap { sql in
                guard let one = state.statements[sql] else { return nil }
                let sorted = one.milliseconds.sorted()
                guard let last = sorted.last else { return nil }
                return StatementBench.Figures(
                    call: one.call, sql: sql, median: sorted[sorted.count / 2], max: last, rows: one.rows,
                    isQuery: one.isQuery, locks: one.locks, locksOthers: one.locksOthers)
            }
        }
    }
}
