public import ClairoCore
internal import Synchronization

/// Removes obsolete data in batches until nothing is left that is due.
///
/// It works from what the database names: deletions of videos, jobs that are marked because they have garbage, abandoned
/// uploads, and rows. So its cost depends on how much there is to remove, not on how much was ever published. Only
/// `isFull` reads the whole output store. Sources of videos that were not deleted are never touched.
///
/// The parts are independent. An error in one is reported, and the others still run.
public struct Upkeep: Sendable {
    /// Ages and bounds.
    public struct Options: Sendable, Hashable {
        /// Seconds that failed and cancelled jobs keep their segments, that replaced output stays available, and that
        /// obsolete rows are kept.
        public var olderThanSeconds = 7 * 86_400.0
        /// Seconds after which an upload is removed although it has not expired; nil for never. A running upload may
        /// record its progress rarely.
        public var idleUploadSeconds: Double?
        /// The maximum number of dead letters.
        public var deadLetters = 100_000
        /// The maximum total size of dead letters in bytes, as stored.
        public var deadLetterBytes: Int64 = 1 << 30
        /// The maximum number of messages in each topic of the `local:` queue that the pipeline does not consume.
        public var queuedEvents = 100_000
        /// Whether to look through the stores for what killed writers left, and for documents of dead ECS tasks.
        public var findsLeftovers = true
        /// Whether to read the whole output store.
        public var isFull = false
        /// Whether to also remove published output of jobs that are not in the database. Only with `isFull`.
        public var removesUnknown = false
        /// Whether to count only.
        public var isDryRun = false

        public init() {}
    }

    /// The roles of the database that upkeep needs.
    public typealias Records = VideoRecords & JobRecords & UploadRecords & UpkeepRecords & DeletionRecords & DutyRecords
        & GarbageRecords

    /// Reports what happens, for logs.
    public struct Observer: Sendable {
        /// Called for each object, before it is removed.
        public var onRemove: @Sendable (ObjectKey) -> Void
        /// Called for each dead letter that was removed because there were too many.
        public var onDeadLetter: @Sendable (RemovedDeadLetter) -> Void
        /// Called for each part of upkeep that failed.
        public var onError: @Sendable (ClairoError) -> Void

        public init(
            onRemove: @escaping @Sendable (ObjectKey) -> Void = { _ in },
            onDeadLetter: @escaping @Sendable (RemovedDeadLetter) -> Void = { _ in },
            onError: @escaping @Sendable (ClairoError) -> Void = { _ in }
        ) {
            self.onRemove = onRemove
            self.onDeadLetter = onDeadLetter
            self.onError = onError
        }
    }

    private let metadata: any Records
    private let raw: any BackingStore & MultipartStore
    private let output: any BackingStore & MultipartStore
    private let uploads: UploadSweep
    private let exchange: Exchange?
    private let options: Options
    private let observer: Observer

    /// Removes documents of dead ECS tasks that are older than `seconds`.
    public typealias Exchange =
        @Sendable (
            _ seconds: Double, _ isDryRun: Bool, _ onRemove: @Sendable (ObjectKey) -> Void
        ) async throws(ClairoError) -> StoreUsage

    private static let batch = 100
    /// The number of jobs that are swept at once.
    private static let concurrency = 8
    private static let rowBatch = 1000
    /// The number of deletions that may fail in a pass before the others are left to the next one.
    private static let mostFailures = 5
    /// Rows that others may still be interested in are kept for at least a day.
    private static let leastRowSeconds = 86_400.0
    /// The age in seconds at which undelivered webhooks are removed. No relay delivers them, because a relay gives up
    /// after hours.
    private static let webhookSeconds = 30 * 86_400.0
    /// The age in seconds at which a partial file has certainly no writer any more.
    private static let partialFileSeconds = 86_400.0

    /// - Parameters:
    ///   - registration: Its store is the raw store.
    ///   - exchange: Nil if no tasks run on ECS.
    public init(
        metadata: any Records, registration: UploadRegistration, output: any BackingStore & MultipartStore,
        exchange: Exchange? = nil, options: Options, observer: Observer = Observer()
    ) {
        self.metadata = metadata
        self.output = output
        self.exchange = exchange
        self.options = options
        self.observer = observer
        raw = registration.store
        uploads = UploadSweep(registration)
    }

    /// Runs one pass.
    /// - Parameter mayContinue: Called before each batch and each page of objects. Throws to stop the pass, for example
    ///   because another process has taken over.
    /// - Returns: What was removed, and the first error of a part that failed.
    public func run(
        mayContinue: @escaping @Sendable () async throws(ClairoError) -> Void = {}
    ) async throws(ClairoError) -> (report: UpkeepReport, failure: ClairoError?) {
        var report = UpkeepReport()
        var failure: ClairoError?
        for part in Part.allCases {
            try await mayContinue()
            do throws(ClairoError) {
                try await run(part, mayContinue, &report)
            } catch {
                // Once this process must stop, the check before the next part throws.
                if error.kind == .cancelled { throw error }
                observer.onError(error)
                failure = failure ?? error
            }
        }
        return (report, failure)
    }

    private typealias Check = @Sendable () async throws(ClairoError) -> Void

    private enum Part: CaseIterable {
        case videos, jobs, workersUploads, uploads, rows, leftovers, unmarked
    }

    /// Each part adds to the report as it goes, so that what it removed before an error is counted.
    private func run(
        _ part: Part, _ mayContinue: @escaping Check, _ report: inout UpkeepReport
    ) async throws(ClairoError) {
        switch part {
        case .videos: try await removeVideos(mayContinue, &report)
        case .jobs: try await sweepJobs(mayContinue, &report)
        case .workersUploads: try await abortWorkersUploads(mayContinue, &report)
        case .uploads: try await removeUploads(mayContinue, &report)
        case .rows: try await removeRows(mayContinue, &report)
        case .leftovers: try await removeLeftovers(mayContinue, &report)
        case .unmarked: report += try await sweepAll(mayContinue)
        }
    }

    private func remover(_ store: any BackingStore & MultipartStore, _ mayContinue: @escaping Check) -> ObjectRemover {
        ObjectRemover(
            store: store, isDryRun: options.isDryRun, mayContinue: mayContinue, onRemove: observer.onRemove)
    }

    // MARK: Videos

    private func removeVideos(
        _ mayContinue: @escaping Check, _ report: inout UpkeepReport
    ) async throws(ClairoError) {
        let removal = VideoRemoval(metadata: metadata, raw: raw, output: output, isDryRun: options.isDryRun)
        var failures: [ClairoError] = []
        while true {
            let due = try await metadata.dueDeletions(limit: options.isDryRun ? .max : Self.batch)
            for deletion in due {
                do throws(ClairoError) {
                    report += try await removal.advance(
                        deletion, mayContinue: mayContinue, onRemove: observer.onRemove)
                } catch {
                    // It is due again later. If the store is not available, the others fail too.
                    failures.append(error)
                    if error.kind == .cancelled || failures.count == Self.mostFailures { throw error }
                }
            }
            if due.count < Self.batch || options.isDryRun { break }
            try await mayContinue()
        }
        if let failure = failures.first { throw failure }
    }

    // MARK: Jobs

    private func sweepJobs(
        _ mayContinue: @escaping Check, _ report: inout UpkeepReport
    ) async throws(ClairoError) {
        // The full sweep finds the same jobs.
        if options.isFull { return }
        let sweep = JobSweep(metadata: metadata, remover: remover(output, mayContinue))
        var failure: ClairoError?
        var last: JobWithGarbage?
        repeat {
            let page = try await metadata.jobsWithGarbage(
                olderThanSeconds: options.olderThanSeconds, after: last, limit: Self.batch)
            last = page.last
            let results = await Self.concurrently(page) { (mark) throws(ClairoError) in
                try await sweep.sweep(mark.job, olderThanSeconds: nil)
            }
            for result in results {
                switch result {
                case .success(let removed): report += removed
                case .failure(let error): failure = failure ?? error
                }
            }
            // If the store is not available, the other jobs fail too.
            if let failure { throw failure }
            if last != nil { try await mayContinue() }
        } while last != nil
    }

    /// Runs `body` for each item, a few at once.
    private static func concurrently<Item: Sendable>(
        _ items: [Item], _ body: @escaping @Sendable (Item) async throws(ClairoError) -> UpkeepReport
    ) async -> [Result<UpkeepReport, ClairoError>] {
        await withTaskGroup(of: Result<UpkeepReport, ClairoError>.self) { group in
            var results: [Result<UpkeepReport, ClairoError>] = []
            for (index, item) in items.enumerated() {
                if index >= concurrency, let result = await group.next() { results.append(result) }
                group.addTask {
                    do throws(ClairoError) { return .success(try await body(item)) } catch { return .failure(error) }
                }
            }
            for await result in group { results.append(result) }
            return results
        }
    }

    /// Aborts multipart uploads of workers whose job has ended. The uploads are listed before the job is read, so
    /// uploads of a job that is resumed in between are not in the list.
    private func abortWorkersUploads(
        _ mayContinue: @escaping Check, _ report: inout UpkeepReport
    ) async throws(ClairoError) {
        let remover = remover(output, mayContinue)
        let open = try await onDedicatedThread(name: "list uploads") { [output] () throws(ClairoError) in
            try output.openUploads(prefix: OutputLayout.videos.rawValue)
        }
        var hasEnded: [JobFolder: Bool] = [:]
        for upload in open {
            guard let folder = JobFolder(containing: upload.key) else { continue }
            if hasEnded[folder] == nil { hasEnded[folder] = try await isOver(folder) }
            if hasEnded[folder] == true { report += try await remover.abort(upload) }
        }
    }

    private func isOver(_ folder: JobFolder) async throws(ClairoError) -> Bool {
        // A video that is not gone yet is removed with its deletion.
        if let deletion = try await metadata.deletion(of: folder.video) { return deletion.finishedAt != nil }
        // If the job is unknown, this may be the wrong database.
        return try await metadata.job(folder.job)?.state.isFinal ?? options.removesUnknown
    }

    // MARK: Uploads

    private func removeUploads(
        _ mayContinue: @escaping Check, _ report: inout UpkeepReport
    ) async throws(ClairoError) {
        var failure: ClairoError?
        // An upload that cannot be removed stays in the list.
        var seen: Set<UploadID> = []
        while true {
            let limit = options.isDryRun ? Int.max : seen.count + Self.batch
            var found = try await metadata.expiredUploads(limit: limit)
            if let seconds = options.idleUploadSeconds {
                found += try await metadata.idleUploads(olderThanSeconds: seconds, limit: limit)
            }
            let new = found.filter { seen.insert($0.id).inserted }
            if new.isEmpty { break }
            for session in new {
                try await mayContinue()
                do throws(ClairoError) {
                    report += try await remove(session)
                } catch {
                    failure = failure ?? error
                }
            }
        }
        if let failure { throw failure }
    }

    private func remove(_ session: UploadSession) async throws(ClairoError) -> UpkeepReport {
        var report = UpkeepReport()
        if session.state == .complete {
            if !options.isDryRun {
                try await uploads.remove(session)
                report.rows = 1
            }
            return report
        }
        let bytes = try await uploads.bytes(of: session)
        if !options.isDryRun {
            try await uploads.remove(session)
            // Not if it was continued meanwhile.
            guard try await metadata.upload(session.id) == nil else { return report }
        }
        (report.uploads, report.bytes) = (1, bytes)
        return report
    }

    // MARK: Rows

    private func removeRows(
        _ mayContinue: Check, _ report: inout UpkeepReport
    ) async throws(ClairoError) {
        if options.isDryRun { return }
        let age = max(options.olderThanSeconds, Self.leastRowSeconds)
        report.rows += try await untilNone(mayContinue) { [metadata] () throws(ClairoError) in
            try await metadata.purge(
                olderThanSeconds: age, webhookSeconds: max(age, Self.webhookSeconds), limit: Self.rowBatch)
        }
        report.rows += try await untilNone(mayContinue) { [metadata, options] () throws(ClairoError) in
            try await metadata.trimQueue(toCount: options.queuedEvents, limit: Self.rowBatch)
        }
        report.rows += try await untilNone(mayContinue) { [metadata] () throws(ClairoError) in
            try await metadata.removeTombstones(olderThanSeconds: Deletion.tombstoneSeconds, limit: Self.rowBatch)
        }
        report.deadLetters = try await untilNone(mayContinue) { [metadata, options, observer] () throws(ClairoError) in
            let removed = try await metadata.trimDeadLetters(
                toCount: options.deadLetters, bytes: options.deadLetterBytes, limit: Self.rowBatch)
            for letter in removed { observer.onDeadLetter(letter) }
            return removed.count
        }
    }

    /// Repeats `body`, which returns the number of removed rows, until nothing is left to remove.
    private func untilNone(
        _ mayContinue: Check, _ body: () async throws(ClairoError) -> Int
    ) async throws(ClairoError) -> Int {
        var total = 0
        while true {
            let count = try await body()
            if count == 0 { return total }
            total += count
            try await mayContinue()
        }
    }

    // MARK: Stores

    private func removeLeftovers(
        _ mayContinue: @escaping Check, _ report: inout UpkeepReport
    ) async throws(ClairoError) {
        guard options.findsLeftovers else { return }
        let age = min(max(options.olderThanSeconds, 0), Self.partialFileSeconds)
        for store in [raw, output] {
            report += try await remover(store, mayContinue).removePartialObjects(under: "", olderThanSeconds: age)
        }
        if let exchange {
            let left = try await exchange(options.olderThanSeconds, options.isDryRun, observer.onRemove)
            report.objects += left.objects
            report.bytes += left.bytes
        }
    }

    private func sweepAll(_ mayContinue: @escaping Check) async throws(ClairoError) -> UpkeepReport {
        guard options.isFull else { return UpkeepReport() }
        let remover = remover(output, mayContinue)
        return try await FullSweep(
            metadata: metadata, remover: remover, jobs: JobSweep(metadata: metadata, remover: remover),
            olderThanSeconds: options.olderThanSeconds, removesUnknown: options.removesUnknown
        ).run()
    }
}
