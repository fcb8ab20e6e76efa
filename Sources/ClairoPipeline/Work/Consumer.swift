public import ClairoCore
internal import Synchronization

/// The service behind `clairo consume`: handles upload messages and runs tasks until it is stopped.
///
/// ```
/// uploads ──► intake ──► job with its plan task ─┐
/// tasks ────► a slot claims the first due task, runs it, and repeats until there is none
/// ```
///
/// A task message is only a hint. A free slot receives one, claims a task in the database, and then acknowledges the
/// message. While all slots are busy, no message is received, so the topic's lag shows the backlog. Slots also poll the
/// database after each task and every few seconds, so a lost message does no harm.
public struct Consumer: Sendable {
    /// The options of a consumer.
    public struct Options: Sendable, Hashable {
        /// The kinds of tasks to run. `plan` also handles uploads.
        public var kinds: Set<WorkTask.Kind>
        /// The number of concurrent tasks.
        public var concurrency: Int
        /// Whether to end after one task.
        public var once: Bool
        /// Whether to end when the pipeline has no work left.
        public var untilIdle: Bool
        /// Whether a relay in this process delivers the outbox. If so, `untilIdle` also waits until the outbox is
        /// empty.
        public var relays: Bool
        /// Seconds between polls of an idle slot.
        public var idleSeconds: Double

        public init(
            kinds: Set<WorkTask.Kind> = Set(WorkTask.Kind.allCases), concurrency: Int = 1, once: Bool = false,
            untilIdle: Bool = false, relays: Bool = false, idleSeconds: Double = 5
        ) {
            self.kinds = kinds
            self.concurrency = concurrency
            self.once = once
            self.untilIdle = untilIdle
            self.relays = relays
            self.idleSeconds = idleSeconds
        }
    }

    private static let intakeGroup = "clairo-plan"

    private let metadata: any StatisticsRecords
    private let queue: any MessageQueue
    private let intake: UploadMessageHandler
    private let worker: Worker
    private let options: Options
    private let wakeSignal: WakeSignal
    private let report: @Sendable (ClairoError) -> Void

    /// Ends the consumer because of an error that a retry cannot fix.
    private typealias Failing = @Sendable (ClairoError) -> Void

    /// - Parameters:
    ///   - wakeSignal: Signalled when this process has new work. Shared with its relay.
    ///   - report: Called for recovered errors.
    public init(
        metadata: any StatisticsRecords, queue: any MessageQueue, intake: UploadMessageHandler, worker: Worker,
        options: Options,
        wakeSignal: WakeSignal, report: @escaping @Sendable (ClairoError) -> Void
    ) {
        self.metadata = metadata
        self.queue = queue
        self.intake = intake
        self.worker = worker
        self.options = options
        self.wakeSignal = wakeSignal
        self.report = report
    }

    /// Runs until `drain` is cancelled (running tasks are finished), `stop` is cancelled (running tasks are released),
    /// or the options end it.
    public func run(drain: StopRequest, stop: StopRequest) async throws(ClairoError) {
        stop.onCancel { drain.cancel() }
        let failure = Mutex<ClairoError?>(nil)
        let fail: Failing = { error in
            failure.withLock { $0 = $0 ?? error }
            stop.cancel()
        }
        await withTaskGroup { group in
            if options.kinds.contains(.plan) {
                group.addTask { await takeIn(drain, fail) }
                group.addTask { await takeInForgotten(drain) }
            }
            group.addTask { await work(drain, stop, fail) }
            if options.untilIdle { group.addTask { await watchForTheEnd(drain) } }
        }
        if let error = failure.withLock({ $0 }) { throw error }
    }

    // MARK: Uploads

    /// Clairo's own messages, which need only the database, do not wait for events, which wait for buckets and read
    /// whole sources. The difference between these numbers is how many events may wait here.
    private static let (intakeInFlight, intakeConcurrency) = (16, 4)

    private func takeIn(_ drain: StopRequest, _ fail: @escaping Failing) async {
        let (own, events) = (Slots(Self.intakeConcurrency), Slots(Self.intakeConcurrency))
        await withConsumer(of: Topic.uploads, group: Self.intakeGroup, inFlight: Self.intakeInFlight, drain, fail) {
            consumer in
            await withDiscardingTaskGroup { group in
                while !drain.isCancelled, let message = await next(consumer, drain, fail) {
                    group.addTask {
                        await (UploadDialect.isOwn(message.payload) ? own : events).run {
                            if drain.isCancelled {
                                try? await consumer.release(message)
                            } else {
                                await takeIn(message, consumer)
                            }
                        }
                    }
                }
            }
        }
    }

    private func takeIn(_ message: ReceivedMessage, _ consumer: any MessageConsumer) async {
        CrashPoint.reach("intake.received")
        do throws(ClairoError) {
            for trouble in try await intake.handle(message) { report(trouble) }
            wakeSignal.signal()
            CrashPoint.reach("intake.started")
            try await consumer.done(message)
        } catch {
            report(error)
            try? await Task.sleep(for: .seconds(.random(in: 0.5...1.5)))
            try? await consumer.release(message)
        }
    }

    /// Starts the jobs of videos whose messages were lost, for example to a short retention or a recreated topic. A
    /// message that arrives later is harmless.
    private func takeInForgotten(_ drain: StopRequest) async {
        let round = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(.random(in: 45...75)))
                if Task.isCancelled { return }
                do throws(ClairoError) {
                    if try await intake.startMissedJobs(olderThanSeconds: 300) > 0 { wakeSignal.signal() }
                } catch {
                    report(error)
                }
            }
        }
        drain.onCancel { round.cancel() }
        await round.value
    }

    // MARK: Tasks

    private func work(
        _ drain: StopRequest, _ stop: StopRequest, _ fail: @escaping Failing
    ) async {
        let kinds = WorkTask.Kind.allCases.filter(options.kinds.contains)
        await withConsumer(of: Topic.tasks, group: "clairo-work", inFlight: options.concurrency, drain, fail) {
            consumer in
            await withTaskGroup { group in
                for _ in 0..<options.concurrency {
                    group.addTask { await fill(kinds, consumer, drain, stop, fail) }
                }
            }
        }
    }

    /// One slot: claims and runs tasks, and waits when there are none.
    private func fill(
        _ kinds: [WorkTask.Kind], _ consumer: any MessageConsumer, _ drain: StopRequest, _ stop: StopRequest,
        _ fail: @escaping Failing
    ) async {
        var ticket: ReceivedMessage?
        while !drain.isCancelled {
            do throws(ClairoError) {
                let claimed = try await worker.claim(kinds)
                if let held = ticket {
                    ticket = nil
                    // An error is ignored: a redelivered hint is harmless.
                    try? await consumer.done(held)
                }
                if let claimed {
                    try await worker.perform(claimed, stop: stop)
                    // Follow-up tasks may be for other slots of this process.
                    wakeSignal.signal()
                    if options.once { drain.cancel() }
                } else {
                    ticket = await waitForTicket(consumer, drain, fail)
                }
            } catch  where error.kind == .transient || error.kind == .capacity {
                report(error)
                await wakeSignal.wait(seconds: .random(in: 0.5...1.5))
            } catch {
                fail(error)
            }
        }
        if let ticket { try? await consumer.release(ticket) }
    }

    /// Waits for a task message. Returns nil on a wake signal or when it is time to poll.
    private func waitForTicket(
        _ consumer: any MessageConsumer, _ drain: StopRequest, _ fail: @escaping Failing
    ) async -> ReceivedMessage? {
        await withTaskGroup(of: ReceivedMessage?.self) { group in
            group.addTask { await next(consumer, drain, fail) }
            group.addTask {
                await wakeSignal.wait(seconds: options.idleSeconds * .random(in: 0.75...1.25))
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            // Keeps a hint that arrived at the same time.
            let second = await group.next() ?? nil
            return first ?? second
        }
    }

    // MARK: Helpers

    private func next(
        _ consumer: any MessageConsumer, _ drain: StopRequest, _ fail: @escaping Failing
    ) async -> ReceivedMessage? {
        while !drain.isCancelled, !Task.isCancelled {
            do throws(ClairoError) {
                return try await consumer.next()
            } catch  where error.kind == .transient {
                report(error)
                try? await Task.sleep(for: .seconds(1))
            } catch {
                fail(error)
            }
        }
        return nil
    }

    /// Joins a group for the duration of `body`. Retries while the queue is unavailable.
    private func withConsumer(
        of topic: String, group: String, inFlight: Int, _ drain: StopRequest, _ fail: @escaping Failing,
        _ body: (any MessageConsumer) async -> Void
    ) async {
        while !drain.isCancelled {
            do throws(ClairoError) {
                let consumer = try await queue.consumer(topics: [topic], group: group, inFlight: inFlight)
                // Unblocks a pending `next`.
                drain.onCancel { Task { await consumer.close() } }
                await body(consumer)
                await consumer.close()
            } catch  where error.kind == .transient {
                report(error)
                try? await Task.sleep(for: .seconds(1))
            } catch {
                fail(error)
            }
        }
    }

    private func watchForTheEnd(_ drain: StopRequest) async {
        while !drain.isCancelled {
            do throws(ClairoError) {
                var pending = try await metadata.pendingWork()
                // Another process delivers the messages. Waiting videos and tasks are counted in the database.
                if !options.relays { pending.messages = 0 }
                // Storage events are in the topic only, so its lag is checked too.
                if pending.isEmpty, try await queue.lag(of: Self.intakeGroup, topic: Topic.uploads) == 0 {
                    return drain.cancel()
                }
            } catch {
                report(error)
            }
            await wakeSignal.wait(seconds: 0.25)
        }
    }
}
