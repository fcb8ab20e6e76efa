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
///
/// Errors never end a consumer: it waits with back-off, and `DaemonHealth` says what it waits for. While tasks are
/// blocked, `ClaimGate` limits the claims.
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
        /// Whether to end when a service refuses this process, for a command that a person waits for.
        public var endsWhenRefused: Bool
        /// Seconds between polls of an idle slot.
        public var idleSeconds: Double
        /// Seconds until the first retry of what failed. The delay doubles with each failure.
        public var retrySeconds: Double

        public init(
            kinds: Set<WorkTask.Kind> = Set(WorkTask.Kind.allCases), concurrency: Int = 1, once: Bool = false,
            untilIdle: Bool = false, relays: Bool = false, endsWhenRefused: Bool = false, idleSeconds: Double = 5,
            retrySeconds: Double = 1
        ) {
            self.kinds = kinds
            self.concurrency = concurrency
            self.once = once
            self.untilIdle = untilIdle
            self.relays = relays
            self.endsWhenRefused = endsWhenRefused
            self.idleSeconds = idleSeconds
            self.retrySeconds = retrySeconds
        }
    }

    private static let intakeGroup = "clairo-plan"
    /// The longest delay before a retry of anything but a task, in seconds.
    private static let longestDelay = 10.0

    private let metadata: any StatisticsRecords
    private let queue: any MessageQueue
    private let intake: UploadMessageHandler
    private let worker: Worker
    private let options: Options
    private let wakeSignal: WakeSignal
    private let health: DaemonHealth

    /// Ends the consumer if it should end because of this error.
    private typealias Failing = @Sendable (ClairoError) -> Void

    /// - Parameters:
    ///   - wakeSignal: Signalled when this process has new work. Shared with its relay.
    ///   - health: Learns what fails and what works.
    public init(
        metadata: any StatisticsRecords, queue: any MessageQueue, intake: UploadMessageHandler, worker: Worker,
        options: Options, wakeSignal: WakeSignal, health: DaemonHealth = DaemonHealth()
    ) {
        self.metadata = metadata
        self.queue = queue
        self.intake = intake
        self.worker = worker
        self.options = options
        self.wakeSignal = wakeSignal
        self.health = health
    }

    /// Runs until `drain` is cancelled (running tasks are finished), `stop` is cancelled (running tasks are released),
    /// or the options end it.
    /// - Throws: Only if the option `endsWhenRefused` is set: the error if a service refuses this process.
    public func run(drain: StopRequest, stop: StopRequest) async throws(ClairoError) {
        stop.onCancel { drain.cancel() }
        let failure = Mutex<ClairoError?>(nil)
        let fail: Failing = { error in
            guard options.endsWhenRefused, [.refused, .usage].contains(error.kind) else { return }
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
        let backOff = SharedBackOff(backOff())
        await withConsumer(of: Topic.uploads, group: Self.intakeGroup, inFlight: Self.intakeInFlight, drain, fail) {
            consumer in
            await withDiscardingTaskGroup { group in
                while !drain.isCancelled, let message = await next(consumer, drain, fail) {
                    group.addTask {
                        await (UploadDialect.isOwn(message.payload) ? own : events).run {
                            if drain.isCancelled {
                                try? await consumer.release(message)
                            } else {
                                await takeIn(message, consumer, drain, backOff)
                            }
                        }
                    }
                }
            }
        }
    }

    private func takeIn(
        _ message: ReceivedMessage, _ consumer: any MessageConsumer, _ drain: StopRequest, _ backOff: SharedBackOff
    ) async {
        CrashPoint.reach("intake.received")
        do throws(ClairoError) {
            for error in try await intake.handle(message) { health.report(error) }
            wakeSignal.signal()
            CrashPoint.reach("intake.started")
            try await consumer.done(message)
            health.succeeded(.intake)
            backOff.reset()
        } catch {
            health.failed(.intake, error)
            await drain.sleep(seconds: backOff.next())
            try? await consumer.release(message)
        }
    }

    /// Starts the jobs of videos whose messages do not arrive: after the death of a consumer, the queue holds its messages
    /// back until its session or lease ends, and a message may be lost. One that arrives later is harmless.
    private func takeInForgotten(_ drain: StopRequest) async {
        let rounds = Task {
            while !Task.isCancelled {
                for round in 0..<15 {
                    try? await Task.sleep(for: .seconds(.random(in: 3...5)))
                    if Task.isCancelled { return }
                    do throws(ClairoError) {
                        let count =
                            round == 0 ? try await intake.startMissedJobs() : try await intake.startDelayedJobs()
                        if count > 0 { wakeSignal.signal() }
                    } catch {
                        health.report(error)
                    }
                }
            }
        }
        drain.onCancel { rounds.cancel() }
        await rounds.value
    }

    // MARK: Tasks

    private func work(
        _ drain: StopRequest, _ stop: StopRequest, _ fail: @escaping Failing
    ) async {
        let kinds = WorkTask.Kind.allCases.filter(options.kinds.contains)
        await withConsumer(of: Topic.tasks, group: "clairo-work", inFlight: options.concurrency, drain, fail) {
            consumer in
            let gate = Gate(first: options.retrySeconds)
            await withTaskGroup { group in
                for _ in 0..<options.concurrency {
                    group.addTask { await fill(kinds, consumer, gate, drain, stop, fail) }
                }
            }
        }
    }

    /// The gate of all slots.
    private final class Gate: Sendable {
        private let gate: Mutex<ClaimGate>

        init(first: Double) { gate = Mutex(ClaimGate(first: first)) }

        func change<R>(_ body: (inout ClaimGate) -> R) -> R { gate.withLock { body(&$0) } }
    }

    /// One slot: claims and runs tasks, and waits when there are none.
    private func fill(
        _ kinds: [WorkTask.Kind], _ consumer: any MessageConsumer, _ gate: Gate, _ drain: StopRequest,
        _ stop: StopRequest, _ fail: @escaping Failing
    ) async {
        var ticket: ReceivedMessage?
        var backOff = backOff()
        while !drain.isCancelled {
            if let delay = gate.change({ $0.delay(at: .now) }) {
                // Asks again before long, because another slot may open the gate.
                await drain.sleep(seconds: min(delay / .seconds(1), 1))
                continue
            }
            do throws(ClairoError) {
                let claimed = try await worker.claim(kinds)
                health.succeeded(.claim)
                backOff.reset()
                if let held = ticket {
                    ticket = nil
                    // An error is ignored: a redelivered hint is harmless.
                    try? await consumer.done(held)
                }
                if let claimed {
                    take(try await worker.perform(claimed, stop: stop), gate, fail)
                    // Follow-up tasks may be for other slots of this process.
                    wakeSignal.signal()
                    if options.once { drain.cancel() }
                } else {
                    gate.change { $0.learnedNothing(at: .now) }
                    ticket = await waitForTicket(consumer, drain, fail)
                }
            } catch {
                gate.change { $0.learnedNothing(at: .now) }
                await wait(.claim, error, &backOff, drain, fail)
            }
        }
        if let ticket { try? await consumer.release(ticket) }
    }

    private func take(_ outcome: Worker.Outcome, _ gate: Gate, _ fail: Failing) {
        switch outcome {
        case .worked:
            gate.change { $0.opened() }
            health.succeeded(.claim)
            health.succeeded(.run)
        case .blocked(let error):
            gate.change { $0.blocked(at: .now) }
            // The worker's event reports the error.
            health.blocked(.run, by: error)
            fail(error)
        case .inconclusive: gate.change { $0.learnedNothing(at: .now) }
        }
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

    private func backOff() -> BackOff { BackOff(first: options.retrySeconds, longest: Self.longestDelay) }

    /// Reports an error and waits before a retry.
    private func wait(
        _ activity: DaemonHealth.Activity, _ error: ClairoError, _ backOff: inout BackOff, _ drain: StopRequest,
        _ fail: Failing
    ) async {
        // The consumer is stopping, or no longer waits.
        if error.kind == .cancelled, drain.isCancelled || Task.isCancelled { return }
        health.failed(activity, error)
        fail(error)
        await drain.sleep(seconds: backOff.next())
    }

    private func next(
        _ consumer: any MessageConsumer, _ drain: StopRequest, _ fail: @escaping Failing
    ) async -> ReceivedMessage? {
        var backOff = backOff()
        while !drain.isCancelled, !Task.isCancelled {
            do throws(ClairoError) {
                let message = try await consumer.next()
                if message != nil { health.succeeded(.receive) }
                return message
            } catch {
                await wait(.receive, error, &backOff, drain, fail)
            }
        }
        return nil
    }

    /// Joins a group for the duration of `body`. Retries until the queue accepts this process.
    private func withConsumer(
        of topic: String, group: String, inFlight: Int, _ drain: StopRequest, _ fail: @escaping Failing,
        _ body: (any MessageConsumer) async -> Void
    ) async {
        var backOff = backOff()
        while !drain.isCancelled {
            do throws(ClairoError) {
                let consumer = try await queue.consumer(topics: [topic], group: group, inFlight: inFlight)
                // Unblocks a pending `next`.
                drain.onCancel { Task { await consumer.close() } }
                await body(consumer)
                await consumer.close()
            } catch {
                await wait(.receive, error, &backOff, drain, fail)
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
                health.report(error)
            }
            await wakeSignal.wait(seconds: 0.25)
        }
    }
}
