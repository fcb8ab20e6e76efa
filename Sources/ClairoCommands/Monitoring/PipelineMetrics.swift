internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoMessaging
internal import ClairoMetrics
internal import Foundation

/// The page of `clairo serve-metrics`: the state of the pipeline from the database, the brokers, the stores and ECS.
struct PipelineMetrics: Sendable {
    private let sources: [MetricsPage]
    /// Sources that pages do not read.
    private let slowSources: [MetricsPage]

    /// - Parameters:
    ///   - open: Opens the database. Called until it succeeds.
    ///   - kafka: Nil if the queue is a table of the database.
    ///   - stores: The stores, by role. Their objects are counted every `usageInterval`.
    ///   - ecs: Nil if no tasks run on ECS.
    init(
        open: @escaping @Sendable () async throws(ClairoError) -> any MetadataStore, kafka: KafkaQueue?,
        stores: [(role: DaemonMetrics.StoreRole, store: any BackingStore)] = [],
        usageInterval: Duration = .seconds(3600),
        ecs: (@Sendable () async throws(ClairoError) -> ECSTaskStatistics)? = nil,
        log: PipelineLog
    ) {
        let database = LazyMetadata(open)
        @Sendable func trouble(_ source: String) -> @Sendable (ClairoError?) -> Void {
            { error in
                if let error {
                    log.warn(error.whileDoing("The metrics of \(source)"))
                } else {
                    log.note("the metrics of \(source) are available again")
                }
            }
        }
        let sources = [
            MetricsPage("database", freshness: .seconds(1), onTrouble: trouble("the database")) {
                () throws(ClairoError) in
                try await database.reading { (store) throws(ClairoError) in
                    var page = Self.page(try await store.statistics())
                    if let last = try await store.dutyStatus(.upkeep)?.succeededAt {
                        page.add(.upkeepSuccess, Double(last.microseconds) / 1e6)
                    }
                    return page
                }
            }
        ]
        var slowSources = stores.map { role, store in
            MetricsPage(
                "\(role)_store", freshness: usageInterval, timeout: nil, limit: .seconds(86_400),
                onTrouble: trouble("the \(role) store")
            ) { () throws(ClairoError) in Self.page(try await Self.usage(of: store), role) }
        }
        // Counting many tasks for the first time takes seconds.
        slowSources.append(
            MetricsPage("finished_tasks", freshness: .seconds(60), timeout: nil, limit: .seconds(600)) {
                () throws(ClairoError) in
                try await database.reading { (store) throws(ClairoError) in
                    var page = Exposition()
                    for (kind, states) in try await store.finishedTasks() {
                        page.add(.pipelineTasks, states.map { .init(Double($1), kind.rawValue, $0.rawValue) })
                    }
                    return page
                }
            })
        if let kafka {
            // Every partition is queried, which takes seconds if there are many.
            slowSources.append(
                MetricsPage("kafka", freshness: .seconds(5), timeout: nil, onTrouble: trouble("Kafka")) {
                    () throws(ClairoError) in
                    Self.page(try await kafka.metrics())
                })
            // Brokers that do not support this request must not hide the lag.
            slowSources.append(
                MetricsPage("kafka_groups", freshness: .seconds(15), timeout: nil) { () throws(ClairoError) in
                    var page = Exposition()
                    page.add(.kafkaMembers, try await kafka.memberCounts().map { .init(Double($1), $0) })
                    return page
                })
        }
        if let ecs {
            slowSources.append(
                MetricsPage("ecs", freshness: .seconds(30), timeout: nil, onTrouble: trouble("ECS")) {
                    () throws(ClairoError) in
                    Self.page(try await ecs())
                })
        }
        self.slowSources = slowSources
        self.sources = sources + slowSources
    }

    /// Refreshes the sources that pages do not read, until the task is cancelled.
    func keepFresh() async {
        await withTaskGroup { group in
            for source in slowSources { group.addTask { await source.keepFresh() } }
        }
    }

    /// The sources whose last read failed, a line each.
    func problems() async -> [String] {
        var lines: [String] = []
        for source in sources {
            guard let error = await source.failure else { continue }
            lines.append("\(source.name): \(error.kind.rawValue): \(Render.printable(error.message))")
        }
        return lines
    }

    func page() async -> String {
        var page = Exposition()
        page.addBuildInfo()
        await withTaskGroup(of: Exposition.self) { group in
            for source in sources { group.addTask { await source.write(to: Exposition()) } }
            for await part in group { page.add(part) }
        }
        ProcessMetrics.write(to: &page)
        return page.text
    }

    // MARK: Numbers

    private static func usage(of store: any BackingStore) async throws(ClairoError) -> StoreUsage {
        try await onDedicatedThread(name: "store usage") { () throws(ClairoError) in try store.usage() }
    }

    private static func page(_ usage: StoreUsage, _ role: DaemonMetrics.StoreRole) -> Exposition {
        var page = Exposition()
        page.add(.storeObjects, [.init(Double(usage.objects), role.rawValue)])
        page.add(.storeBytes, [.init(Double(usage.bytes), role.rawValue)])
        return page
    }

    private static func page(_ statistics: QueueStatistics) -> Exposition {
        var page = Exposition()
        // States without entries are zero, so that their graphs have no gaps.
        page.add(
            .pipelineVideos,
            Video.State.allCases.map { .init(Double(statistics.videos[$0] ?? 0), $0.rawValue) })
        page.add(
            .pipelineJobs, Job.State.allCases.map { .init(Double(statistics.jobs[$0]?.count ?? 0), $0.rawValue) })
        let inFlight = Job.State.allCases.filter { !$0.isFinal }.reduce(0) { $0 + (statistics.jobs[$1]?.count ?? 0) }
        page.add(.jobsInFlight, [.init(Double(inFlight))])
        page.add(
            .oldestJob,
            Job.State.allCases.filter { !$0.isFinal }.map {
                .init(statistics.jobs[$0]?.oldestSeconds ?? 0, $0.rawValue)
            })
        for kind in WorkTask.Kind.allCases {
            let (tasks, kind) = (statistics.tasks[kind] ?? QueueStatistics.Tasks(), kind.rawValue)
            for (state, group) in [("pending", tasks.pending), ("running", tasks.running)] {
                page.add(.pipelineTasks, [.init(Double(group.count), kind, state)])
                page.add(.oldestTask, [.init(group.oldestSeconds ?? 0, kind, state)])
            }
            page.add(.tasksDue, [.init(Double(tasks.due), kind)])
            page.add(.abandonedTasks, [.init(Double(tasks.abandoned), kind)])
        }
        page.add(.workers, Double(statistics.workers))
        page.add(.outboxPending, Double(statistics.outbox.pending))
        page.add(.outboxDue, Double(statistics.outbox.due))
        page.add(.outboxOldest, statistics.outbox.oldestSeconds ?? 0)
        page.add(.outboxOverdue, statistics.outbox.overdueSeconds ?? 0)
        page.add(.queuedMessages, statistics.queued.map { .init(Double($1), $0) })
        let topics = Set([Topic.uploads, Topic.tasks]).union(statistics.deadLetters.keys)
        page.add(.deadLettersPending, topics.map { .init(Double(statistics.deadLetters[$0] ?? 0), $0) })
        return page
    }

    private static func page(_ ecs: ECSTaskStatistics) -> Exposition {
        var page = Exposition()
        for status in ECSTaskStatistics.states + [ECSTaskStatistics.other] {
            let group = ecs.tasks[status] ?? ECSTaskStatistics.Group()
            page.add(.ecsTasks, [.init(Double(group.count), status)])
            page.add(.ecsCPUs, [.init(group.cpus, status)])
            page.add(.ecsMemory, [.init(group.memory, status)])
        }
        page.add(
            .ecsStopped,
            (ECSTaskStatistics.stopCodes + [ECSTaskStatistics.other]).map { .init(Double(ecs.stopped[$0] ?? 0), $0) })
        return page
    }

    private static func page(_ kafka: KafkaQueueMetrics) -> Exposition {
        var page = Exposition()
        page.add(.kafkaBrokers, Double(kafka.brokers))
        page.add(.kafkaTopicPartitions, kafka.topics.map { .init(Double($1), $0) })
        page.add(.kafkaEndOffset, kafka.partitions.map { .init(Double($0.end), $0.topic, String($0.number)) })
        page.add(.kafkaOldestOffset, kafka.partitions.map { .init(Double($0.oldest), $0.topic, String($0.number)) })
        for one in kafka.progress {
            let partition = String(one.partition)
            page.add(.kafkaLag, [.init(Double(one.lag), one.group, one.topic, partition)])
            if let offset = one.committed {
                page.add(.kafkaGroupOffset, [.init(Double(offset), one.group, one.topic, partition)])
            }
        }
        let letters = Dictionary(grouping: kafka.partitions.filter { $0.topic.hasSuffix(".dlq") }, by: \.topic)
        page.add(
            .kafkaDeadLetters,
            letters.map { topic, partitions in
                .init(Double(partitions.reduce(0) { $0 + $1.end - $1.oldest }), topic)
            })
        return page
    }
}

/// A database that may be unavailable when the process starts.
private actor LazyMetadata {
    private let open: @Sendable () async throws(ClairoError) -> any MetadataStore
    private var store: (any MetadataStore)?

    init(_ open: @escaping @Sendable () async throws(ClairoError) -> any MetadataStore) { self.open = open }

    func reading(
        _ body: @Sendable (any MetadataStore) async throws(ClairoError) -> Exposition
    ) async throws(ClairoError) -> Exposition {
        if store == nil {
            let opened = try await open()
            if store == nil { store = opened } else { await opened.close() }
        }
        guard let store else { return Exposition() }
        return try await body(store)
    }
}
