internal import ClairoCore
internal import ClairoMedia
internal import ClairoPipeline

/// A consumer and, if the queue is `local:`, a relay: the whole pipeline in one process.
struct RunningPipeline: Sendable {
    private let metadata: any MetadataStore
    private let queue: any MessageQueue
    private let relay: @Sendable (any MessageProducer) throws(ClairoError) -> Relay
    private let consumer: Consumer
    private let upkeep: UpkeepSchedule?
    private let wakeSignal: WakeSignal
    private let metrics: DaemonMetrics?
    private let log: PipelineLog

    init(
        services: Services, metadata: any MetadataStore, work: WorkOptions, options: Consumer.Options,
        limits: InputLimits, upkeep: UpkeepSchedule? = nil, log: PipelineLog
    ) throws(ClairoError) {
        let queue = try services.queue(metadata, leaseSeconds: work.lease)
        let wakeSignal = WakeSignal()
        self.metadata = metadata
        self.queue = queue
        self.wakeSignal = wakeSignal
        self.log = log
        self.upkeep = upkeep
        metrics = services.metrics
        relay = { (producer: any MessageProducer) throws(ClairoError) in try services.relay(metadata, producer) }
        consumer = Consumer(
            metadata: metadata, queue: queue,
            intake: try services.intake(metadata, limits: limits, sandbox: work.sandbox),
            worker: try services.worker(
                metadata, work: work, limits: limits, log: log),
            options: options, wakeSignal: wakeSignal, report: log.warning(services.metrics))
    }

    /// Runs until `drain` or `stop` is requested, or until the options end it.
    func run(relays: Bool, drain: StopRequest, stop: StopRequest) async throws {
        async let upkept: Void? = upkeep?.run(until: drain)
        do {
            try await consume(relays: relays, drain: drain, stop: stop)
        } catch {
            drain.cancel()
            _ = await upkept
            throw error
        }
        drain.cancel()
        _ = await upkept
    }

    private func consume(relays: Bool, drain: StopRequest, stop: StopRequest) async throws {
        // A worker that only receives may have no permission on the other topics.
        let topics = relays ? Topic.all : [Topic.uploads, Topic.tasks]
        try await queue.prepare(topics, untilReached: drain, log: log)
        guard relays else { return try await consumer.run(drain: drain, stop: stop) }
        let producer = try await queue.producer()
        let relay = try relay(producer)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                do {
                    try await relay.follow(
                        wakeSignal: wakeSignal, count: { metrics?.count($0) }, log: log.warning(metrics))
                } catch {
                    // Without the relay nothing continues, so the consumer ends too.
                    stop.cancel()
                    throw error
                }
            }
            try await consumer.run(drain: drain, stop: stop)
            group.cancelAll()
            try await group.waitForAll()
        }
        // Relays the messages of the last tasks.
        _ = try? await relay.drain()
        await producer.close()
    }
}

extension MessageQueue {
    /// Creates the topics as soon as the queue is available.
    func prepare(
        _ topics: [String] = Topic.all, untilReached drain: StopRequest, log: PipelineLog
    ) async throws(ClairoError) {
        while !drain.isCancelled {
            do throws(ClairoError) {
                return try await prepare(topics: topics)
            } catch  where error.kind == .transient {
                log.warn(error)
                try? await Task.sleep(for: .seconds(1))
            }
        }
    }
}
