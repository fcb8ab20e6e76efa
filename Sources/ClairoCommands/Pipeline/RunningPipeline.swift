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
    private let health: DaemonHealth
    private let endsWhenRefused: Bool

    init(
        services: Services, metadata: any MetadataStore, work: WorkOptions, options: Consumer.Options,
        limits: InputLimits, upkeep: UpkeepSchedule? = nil, log: PipelineLog, health: DaemonHealth
    ) throws(ClairoError) {
        let queue = try services.queue(metadata, leaseSeconds: work.lease)
        let wakeSignal = WakeSignal()
        self.metadata = metadata
        self.queue = queue
        self.wakeSignal = wakeSignal
        self.upkeep = upkeep
        self.health = health
        endsWhenRefused = options.endsWhenRefused
        metrics = services.metrics
        relay = { (producer: any MessageProducer) throws(ClairoError) in try services.relay(metadata, producer) }
        consumer = Consumer(
            metadata: metadata, queue: queue,
            intake: try services.intake(metadata, limits: limits, sandbox: work.sandbox),
            worker: try services.worker(
                metadata, work: work, limits: limits, log: log, health: health),
            options: options, wakeSignal: wakeSignal, health: health)
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
        try await queue.prepare(topics, untilReached: drain, health, endsWhenRefused: endsWhenRefused)
        guard relays else { return try await consumer.run(drain: drain, stop: stop) }
        let producer = try await queue.producer()
        let relay = try relay(producer)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await relay.follow(wakeSignal: wakeSignal, count: { metrics?.count($0) }, health: health)
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
    /// Creates the topics as soon as the queue is available and accepts this process.
    /// - Throws: The error if the settings are wrong, or if `endsWhenRefused` and the queue refuses this process.
    func prepare(
        _ topics: [String] = Topic.all, untilReached drain: StopRequest, _ health: DaemonHealth,
        endsWhenRefused: Bool = false
    ) async throws(ClairoError) {
        var seconds = 1
        while !drain.isCancelled {
            do throws(ClairoError) {
                try await prepare(topics: topics)
                return health.succeeded(.receive)
            } catch  where error.mayPass && !(endsWhenRefused && error.kind == .refused) {
                health.failed(.receive, error)
                for _ in 0..<seconds where !drain.isCancelled { try? await Task.sleep(for: .seconds(1)) }
                seconds = min(seconds * 2, 10)
            }
        }
    }
}
