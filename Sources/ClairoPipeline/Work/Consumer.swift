public import ClairoCore
internal import Synchronization

/// What `clairo consume` runs: it takes in messages about uploads and works on tasks, until it is told to end.
///
/// ```
/// uploads ──► intake ──► job with its plan task ─┐
/// tasks ────► a slot takes the task that is due first, does it, and asks again until there is none
/// ```
///
/// A task message is a ticket: a slot that is free takes it, asks the database for work, and is done with it as soon as a
/// claim is written down; while all slots work, no ticket is taken, so the topic's lag tells how much waits. Slots ask
/// by themselves too, after each task and every few seconds, so a ticket may be lost.
public struct Consumer: Sendable {
    /// What a consumer does.
    public struct Options: Sendable, Hashable {
        /// Kinds of tasks to work on; `plan` takes in uploads too.
        public var kinds: Set<WorkTask.Kind>
        /// Tasks at once.
        public var concurrency: Int
        /// Ends after one task.
        public var once: Bool
        /// Ends when nothing is left to do anywhere.
        public var untilIdle: Bool
        /// Whether a relay in this process brings messages from the outbox to the queue, so that nothing is done before.
        public var relays: Bool
        /// Between questions of an idle slot, in seconds.
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
    private let say: @Sendable (ClairoError) -> Void

    /// Ends the consumer with an error that no waiting mends.
    private typealias Failing = @Sendable (ClairoError) -> Void

    /// - Parameters:
    ///   - wakeSignal: rung when there is new work in this process; shared with a relay in it.
    ///   - say: is told of trouble that passes.
    public init(
        metadata: any StatisticsRecords, queue: any MessageQueue, intake: UploadMessageHandler, worker: Worker,
        options: Options,
        wakeSignal: WakeSignal, say: @escaping @Sendable (ClairoError) -> Void
    ) {
        self.metadata = metadata
        self.queue = queue
        self.intake = intake
        self.worker = worker
        self.options = options
        self.wakeSignal = wakeSignal
        self.say = say
    }

    /// Works until `drain` is asked for (running tasks are finished then) or `stop` (they are handed back), or the options
    /// say that it is over.
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

    private func takeIn(_ drain: StopRequest, _ fail: @escaping Failing) async {
        await withConsumer(of: Topic.uploads, group: Self.intakeGroup, inFlight: 4, drain, fail) { consumer in
            await withTaskGroup { group in
                for _ in 0..<4 {
                    group.addTask {
                        while !drain.isCancelled, let message = await next(consumer, drain, fail) {
                            await takeIn(message, consumer)
                        }
                    }
                }
            }
        }
    }

    private func takeIn(_ message: ReceivedMessage, _ consumer: any MessageConsumer) async {
        CrashPoint.reach("intake.received")
        do throws(ClairoError) {
            for trouble in try await intake.handle(message) { say(trouble) }
            wakeSignal.ring()
            CrashPoint.reach("intake.started")
            try await consumer.done(message)
        } catch {
            say(error)
            try? await Task.sleep(for: .seconds(.random(in: 0.5...1.5)))
            try? await consumer.release(message)
        }
    }

    /// Begins the jobs of videos whose messages were lost on the way: the topic's retention was shorter than the way, or
    /// the topic is new. That a message comes all the same does no harm.
    private func takeInForgotten(_ drain: StopRequest) async {
        let round = Task {
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(.random(in: 45...75)))
                if Task.isCancelled { return }
                do throws(ClairoError) {
                    if try await intake.startMissedJobs(olderThanSeconds: 300) > 0 { wakeSignal.ring() }
                } catch {
                    say(error)
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

    /// One slot: asks for a task, does it, and waits where there is none.
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
                    // A ticket that comes again does no harm; the claim is what counts.
                    try? await consumer.done(held)
                }
                if let claimed {
                    try await worker.perform(claimed, stop: stop)
                    // What follows from it may be for others in this process too.
                    wakeSignal.ring()
                    if options.once { drain.cancel() }
                } else {
                    ticket = await waitForTicket(consumer, drain, fail)
                }
            } catch  where error.kind == .transient || error.kind == .capacity {
                say(error)
                await wakeSignal.wait(seconds: .random(in: 0.5...1.5))
            } catch {
                fail(error)
            }
        }
        if let ticket { try? await consumer.release(ticket) }
    }

    /// A ticket, or nil after a ring, or when it is time to ask without one.
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
            // A ticket that came in the same moment is not to be dropped.
            let second = await group.next() ?? nil
            return first ?? second
        }
    }

    // MARK: Both

    private func next(
        _ consumer: any MessageConsumer, _ drain: StopRequest, _ fail: @escaping Failing
    ) async -> ReceivedMessage? {
        while !drain.isCancelled, !Task.isCancelled {
            do throws(ClairoError) {
                return try await consumer.next()
            } catch  where error.kind == .transient {
                say(error)
                try? await Task.sleep(for: .seconds(1))
            } catch {
                fail(error)
            }
        }
        return nil
    }

    /// Joins a group and leaves it when `body` is over; a queue that is away now is tried again.
    private func withConsumer(
        of topic: String, group: String, inFlight: Int, _ drain: StopRequest, _ fail: @escaping Failing,
        _ body: (any MessageConsumer) async -> Void
    ) async {
        while !drain.isCancelled {
            do throws(ClairoError) {
                let consumer = try await queue.consumer(topics: [topic], group: group, inFlight: inFlight)
                // Whoever waits for a message is woken.
                drain.onCancel { Task { await consumer.close() } }
                await body(consumer)
                await consumer.close()
            } catch  where error.kind == .transient {
                say(error)
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
                // Elsewhere somebody sends them, and nobody here waits for that: videos and tasks are looked for in the database.
                if !options.relays { pending.messages = 0 }
                // Events of a bucket are in the topic only.
                if pending.isEmpty, try await queue.lag(of: Self.intakeGroup, topic: Topic.uploads) == 0 {
                    return drain.cancel()
                }
            } catch {
                say(error)
            }
            await wakeSignal.wait(seconds: 0.25)
        }
    }
}
