public import ClairoCore
internal import Foundation

/// Claims tasks, has them executed, and records the results.
///
/// A worker may run a task only while it holds the claim in the database, which is valid until its lease expires.
/// Messages are only hints. An idle worker looks for a task by itself, and claims the tasks of a dead worker once their
/// leases have expired.
public struct Worker: Sendable {
    /// A worker's dependencies.
    public struct Services: Sendable {
        /// The database of jobs and tasks.
        public var metadata: any VideoRecords & JobRecords & TaskRecords
        /// The whole output store, not a job's folder.
        public var output: any BackingStore
        /// Opens a video's source. Blocks.
        public var openSource: @Sendable (ObjectLocation) throws(ClairoError) -> any ByteSource
        /// Runs tasks.
        public var executor: any TaskExecutor
        /// The transcoding profiles.
        public var profiles: Profiles
        /// Assigns the positions of tasks in the queue.
        public var policy: QueuePolicy
        /// Creates the messages about changes.
        public var messages: JobMessages
        /// The keys of encrypted output; nil without a master secret.
        public var keys: VideoKeys?

        public init(
            metadata: any VideoRecords & JobRecords & TaskRecords, output: any BackingStore,
            openSource: @escaping @Sendable (ObjectLocation) throws(ClairoError) -> any ByteSource,
            executor: any TaskExecutor, profiles: Profiles = Profiles(), policy: QueuePolicy = QueuePolicy(),
            messages: JobMessages = JobMessages(), keys: VideoKeys? = nil
        ) {
            self.metadata = metadata
            self.output = output
            self.openSource = openSource
            self.executor = executor
            self.profiles = profiles
            self.policy = policy
            self.messages = messages
            self.keys = keys
        }
    }

    private let services: Services
    private let owner: String
    private let threads: Int?
    private let leaseSeconds: Double
    private let health: DaemonHealth
    /// Receives events, for the log.
    private let report: @Sendable (WorkerEvent) -> Void

    /// - Parameters:
    ///   - owner: A unique name of this worker in the database.
    ///   - threads: Decoding threads per task.
    ///   - leaseSeconds: Time without a heartbeat after which other workers may claim this worker's tasks.
    ///   - health: Learns when the database does not take a result.
    public init(
        _ services: Services, owner: String, threads: Int? = nil, leaseSeconds: Double = 30,
        health: DaemonHealth = DaemonHealth(), report: @escaping @Sendable (WorkerEvent) -> Void = { _ in }
    ) {
        self.services = services
        self.owner = owner
        self.threads = threads
        self.leaseSeconds = leaseSeconds
        self.health = health
        self.report = report
    }

    /// A claimed task.
    public struct Claimed: Sendable {
        let task: WorkTask
        let lease: Lease
    }

    /// Claims the first due task of these kinds. Returns nil if there is none.
    public func claim(_ kinds: [WorkTask.Kind]) async throws(ClairoError) -> Claimed? {
        let now = ContinuousClock.now
        let task = try await services.metadata.claimNextTask(kinds: kinds, owner: owner, leaseSeconds: leaseSeconds)
        guard let task else { return nil }
        CrashPoint.reach("\(task.kind).claimed")
        return Claimed(task: task, lease: Lease(since: now, seconds: leaseSeconds))
    }

    /// What the end of an attempt says about the services that this worker needs.
    public enum Outcome: Sendable, Equatable {
        /// They work.
        case worked
        /// One refuses this worker, is unavailable, or has no room. The task will be retried.
        case blocked(ClairoError)
        /// Nothing.
        case inconclusive
    }

    /// Runs a task and records the result.
    /// - Parameter stop: Stops the attempt and releases the task.
    /// - Throws: An error if the result could not be recorded before `stop` was requested.
    @discardableResult
    public func perform(_ claimed: Claimed, stop: StopRequest) async throws(ClairoError) -> Outcome {
        let (task, lease) = (claimed.task, claimed.lease)
        let handler = stop.onCancel { lease.stop.cancel() }
        defer { stop.forget(handler) }
        let (job, outcome) = await withLease(claimed) { await attempt(task, lease) }
        switch outcome {
        case .success(let (job, result)):
            CrashPoint.reach("\(task.kind).executed")
            let holds: Bool
            do throws(ClairoError) {
                holds = try await recording(stop) { () throws(ClairoError) in
                    try await succeed(task, job: job, result)
                }
            } catch  where error.kind == .defect {
                // The database does not take this result. That is no reason to end the worker.
                return try await recording(stop) { () throws(ClairoError) in
                    try await fail(task, of: job, error, stop: stop)
                }
            }
            CrashPoint.reach("\(task.kind).recorded")
            report(WorkerEvent(holds ? .succeeded(result) : .lost, task, job))
            return .worked
        case .failure(let error):
            return try await recording(stop) { () throws(ClairoError) in
                try await fail(task, of: job, error, stop: stop)
            }
        }
    }

    /// Retries a database update until the database takes it or `stop` is requested, so that a restart, a failover or a
    /// full disk of the database does not cost an hour's work. The update carries the attempt's number, so it is safe
    /// after the lease has expired too: if another worker has claimed the task, nothing changes.
    private func recording<R: Sendable>(
        _ stop: StopRequest, _ body: () async throws(ClairoError) -> R
    ) async throws(ClairoError) -> R {
        var backOff = BackOff(first: 1, longest: 10)
        while true {
            do throws(ClairoError) {
                return try await body()
            } catch  where error.mayPass && !stop.isCancelled {
                health.failed(.claim, error)
                await stop.sleep(seconds: backOff.next())
            }
        }
    }

    // MARK: Execution

    /// - Returns: The task's job, if it could be read, and the result of the attempt.
    private func attempt(
        _ task: WorkTask, _ lease: Lease
    ) async -> (job: Job?, outcome: Result<(Job, TaskResult), ClairoError>) {
        do throws(ClairoError) {
            let context = try await services.metadata.context(of: task.claim)
            report(WorkerEvent(.began, task, context?.job))
            return (context?.job, await execute(task, in: context, lease))
        } catch {
            report(WorkerEvent(.began, task, nil))
            return (nil, .failure(error))
        }
    }

    private func execute(
        _ task: WorkTask, in context: TaskContext?, _ lease: Lease
    ) async -> Result<(Job, TaskResult), ClairoError> {
        do throws(ClairoError) {
            guard task.attempt <= task.maxAttempts else {
                throw .defect("\(task.attempt - 1) attempts started and none finished: their workers died")
            }
            guard let context else { throw .cancelled }
            let (job, video) = (context.job, context.video)
            let tasks = task.kind == .finish ? try await services.metadata.tasks(of: job.id) : []
            let folder = AttemptFolder(store: services.output, task: task, plan: job.plan, lease: lease) {
                () throws(ClairoError) in
                try waitOnThread { () throws(ClairoError) in try await confirm(task, lease) }
            }
            do throws(ClairoError) {
                var result = try await run(task, job: job, video: video, tasks: tasks, folder, lease)
                result.files = task.kind.makesSegments ? folder.files : []
                // They become part of rows and messages.
                result.warnings = result.warnings.bounded()
                try lease.check()
                return .success((job, result))
            } catch {
                // The files of a failed attempt are not needed. They are kept if the worker is stopping or has lost the
                // claim.
                if error.kind != .cancelled {
                    await onDedicatedThread(name: "tidy attempt") { folder.discard() }
                }
                guard error.kind == .usage, error.exitCode == .noInput else { throw error }
                throw Self.missing(error, for: task, of: video)
            }
        } catch {
            return .failure(error)
        }
    }

    /// The error of a task whose source, or a file that an earlier task wrote, does not exist any more.
    private static func missing(_ error: ClairoError, for task: WorkTask, of video: Video) -> ClairoError {
        // A finish task reads what the other tasks wrote, not the source.
        task.kind == .finish
            ? .noInput(
                "A file of the job was deleted from the output store: \(error.message)",
                advice: "Find out what deleted it, then run clairo retry \(video.id), which makes it again.")
            : .noInput(
                "The source was deleted from the raw store: \(video.source.url) does not exist",
                advice: "Find out what deleted it and restore it, then run clairo retry \(video.id).")
    }

    private func run(
        _ task: WorkTask, job: Job, video: Video, tasks: [WorkTask], _ folder: AttemptFolder, _ lease: Lease
    ) async throws(ClairoError) -> TaskResult {
        let spec = try TaskSpecs(job: job, video: video, profiles: services.profiles, keys: services.keys)
            .spec(of: task, threads: threads, tasks: tasks)
        var io = TaskIO(
            output: try VideoKeys.folder(folder, plan: job.plan, of: video.id, services.keys),
            remote: RemoteOutput(store: services.output) { (files) throws(ClairoError) in try folder.adopt(files) })
        // A task elsewhere that writes to the store itself would need the keys.
        if job.plan?.protection != nil { io.remote = nil }
        // A finish task reads what the other tasks wrote, not the source.
        if task.kind != .finish {
            io.source = try await onDedicatedThread(name: "open source") { [services] () throws(ClairoError) in
                try services.openSource(video.source)
            }
        }
        // Limits implausible frame counts.
        let observer = TaskObserver(progress: { lease.framesDone = min($0, task.framesPlanned) })
        var result = try await services.executor.run(spec, io: io, observer: observer, stop: lease.stop)
        // An executor cannot remove the warnings of earlier tasks.
        if case .finish(let request) = spec.work { result.warnings = request.warnings + result.warnings }
        return result
    }

    /// Runs `body` while renewing the lease, and stops it if the claim is lost.
    private func withLease<R: Sendable>(_ claimed: Claimed, _ body: @escaping @Sendable () async -> R) async -> R {
        await withTaskGroup(of: R?.self) { group in
            group.addTask { await body() }
            group.addTask {
                await keepRenewing(claimed)
                return nil
            }
            while let end = await group.next() {
                if let result = end {
                    group.cancelAll()
                    return result
                }
            }
            fatalError("The task group ended before its body returned")
        }
    }

    private func keepRenewing(_ claimed: Claimed) async {
        while !Task.isCancelled {
            try? await Task.sleep(for: .seconds(claimed.lease.interval))
            if Task.isCancelled { return }
            guard await renew(claimed) else { return claimed.lease.lose() }
        }
    }

    /// Renews the lease right before the output is published. Unlike the regular renewal, it needs the database's
    /// answer: the job may have been cancelled, or the video deleted, since the last one.
    private func confirm(_ task: WorkTask, _ lease: Lease) async throws(ClairoError) {
        let now = ContinuousClock.now
        guard
            try await services.metadata.renewLease(
                task.claim, leaseSeconds: lease.seconds, framesDone: lease.framesDone)
        else {
            lease.lose()
            throw .cancelled
        }
        lease.renewed(since: now)
    }

    /// Renews the lease once and records progress.
    /// - Returns: False if the claim is lost.
    func renew(_ claimed: Claimed) async -> Bool {
        let (lease, now) = (claimed.lease, ContinuousClock.now)
        do throws(ClairoError) {
            let holds = try await services.metadata.renewLease(
                claimed.task.claim, leaseSeconds: lease.seconds, framesDone: lease.framesDone)
            if holds { lease.renewed(since: now) }
            return holds
        } catch {
            // The database is unavailable, but the lease may still hold.
            return !lease.isLost
        }
    }

    // MARK: Results

    private func succeed(_ task: WorkTask, job: Job, _ result: TaskResult) async throws(ClairoError) -> Bool {
        let now = Timestamp.now
        let (metadata, messages) = (services.metadata, services.messages)
        switch task.kind {
        case .plan:
            guard let plan = result.plan else { throw .defect("The plan task returned no plan") }
            let tasks = TaskSpecs.tasks(of: plan, job: job, policy: services.policy, now: now)
            return try await metadata.succeedPlan(
                task.claim, result: result, plan: plan, tasks: tasks,
                messages: tasks.map { messages.task($0, traceID: job.traceID) }
                    + messages.event(.planned, job: job, warnings: result.warnings))
        case .chunk, .track:
            let finish = TaskSpecs.finishTask(of: job, policy: services.policy, now: now)
            return try await metadata.succeedTask(
                task.claim, result: result, finish: finish, messages: [messages.task(finish, traceID: job.traceID)])
        case .finish:
            let publication = PublishedJob(job: job, result: result, store: services.output)
            return try await metadata.succeedFinish(
                task.claim, result: result, renditions: publication.renditions, output: publication.output,
                messages: messages.event(
                    .ready, job: job, output: publication.output, renditions: publication.renditions,
                    warnings: result.warnings))
        }
    }

    private func fail(
        _ task: WorkTask, of known: Job?, _ error: ClairoError, stop: StopRequest
    ) async throws(ClairoError) -> Outcome {
        func lost(_ job: Job?) -> Outcome {
            report(WorkerEvent(.lost, task, job))
            return .inconclusive
        }
        // If the claim was lost, nothing must be updated. A task of a stopping worker must be released.
        if error.kind == .cancelled, !stop.isCancelled { return lost(known) }
        let metadata = services.metadata
        guard let job = try await metadata.job(task.jobID) else { return lost(known) }
        let verdict = FailurePolicy.verdict(on: error, task: task)
        let holds: Bool
        let content: WorkerEvent.Content
        switch verdict {
        case .retry(let seconds, let counts):
            content = .failed(error, .retry)
            holds = try await metadata.retryTask(
                task.claim, failure: Failure(error), afterSeconds: seconds, countsAsAttempt: counts,
                messages: [
                    services.messages.task(task, traceID: job.traceID, dueAt: .now.advanced(bySeconds: seconds))
                ])
        case .giveUp(let isDeadLetter):
            content = .failed(error, isDeadLetter ? .deadLetter : .failure)
            let failure = Failure(error)
            let letter = isDeadLetter ? deadLetter(task, job: job, failure) : nil
            holds = try await metadata.failTask(
                task.claim, failure: failure,
                messages: services.messages.event(.failed, job: job, error: failure)
                    + [letter].compactMap { $0 }.map(JobMessages.deadLetter), deadLetter: letter)
        case .release:
            content = .released
            holds = try await metadata.releaseTask(
                task.claim, messages: [services.messages.task(task, traceID: job.traceID)])
        }
        guard holds else { return lost(job) }
        report(WorkerEvent(content, task, job))
        if FailurePolicy.blocksWorker(error) { return .blocked(error) }
        // The source was read to find bad media, and a crash is not a service's.
        return [.badInput, .defect].contains(error.kind) ? .worked : .inconclusive
    }

    /// Creates a dead letter. If the job has a plan, it contains the task document, which reproduces the failure on the
    /// same source.
    private func deadLetter(_ task: WorkTask, job: Job, _ failure: Failure) -> DeadLetter {
        var payload = (try? JSON.encode(TaskMessage(task), pretty: false)) ?? .init()
        if let work = job.plan.flatMap({ TaskSpec.Work(task.kind, index: task.index, of: $0) }),
            let bytes = try? JSON.encode(
                TaskSpec(
                    taskID: task.id, jobID: job.id, videoID: job.videoID, attempt: task.attempt, traceID: job.traceID,
                    work: work),
                pretty: false)
        {
            payload = bytes
        }
        return DeadLetter(
            id: .make(), topic: Topic.tasks, key: task.id.rawValue,
            headers: [
                ReceivedMessage.Header.trace: job.traceID, "job-id": job.id.rawValue, "task-id": task.id.rawValue,
                "task-kind": task.kind.rawValue, "task-index": String(task.index), "worker": owner,
            ], payload: payload, failure: failure, attempts: task.attempt, videoID: job.videoID)
    }
}

extension WorkTask {
    var claim: TaskClaim { TaskClaim(self) }
}
