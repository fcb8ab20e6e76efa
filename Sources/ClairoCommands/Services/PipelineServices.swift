internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoMessaging
internal import ClairoPipeline
internal import ClairoStorage
internal import Foundation
internal import Synchronization

/// How tasks are run.
enum ExecutorKind: String, CaseIterable, Sendable {
    /// In this process: for trying out, and for media that is trusted.
    case inline
    /// Each in a child of its own, which has no credentials, no network and no database.
    case process
    /// Each in a container of its own on this machine's Docker daemon.
    case docker
    /// Each as a task of Amazon ECS.
    case ecs
}

extension Services {
    // MARK: The pipeline's parts

    /// - Parameter leaseSeconds: how long a message of a consumer that died is kept from others.
    func queue(_ metadata: any MetadataStore, leaseSeconds: Double = 30) throws(ClairoError) -> any MessageQueue {
        try kafkaQueue() ?? LocalQueue(records: metadata, leaseSeconds: leaseSeconds)
    }

    /// Nil where the queue is `local:`.
    func kafkaQueue() throws(ClairoError) -> KafkaQueue? {
        if hasLocalQueue {
            guard kafkaProperties.isEmpty, settings.value(.kafkaConfig) == nil else {
                throw .usage(
                    "Properties of librdkafka (-X, kafka-config) are given, but the queue is local:",
                    advice: "Name the brokers with --queue kafka://BROKER or CLAIRO_QUEUE.")
            }
            return nil
        }
        return try KafkaQueue(
            url: settings[.queue], properties: kafkaProperties, file: settings.value(.kafkaConfig),
            log: { text in log?.warn(text) ?? environment.error("\(Render.printable(text))\n") })
    }

    /// Whether the queue is a table that this program serves itself, relay and all.
    var hasLocalQueue: Bool { settings[.queue] == "local:" }

    func policy() throws(ClairoError) -> QueuePolicy {
        try QueuePolicy(settings.value(.tenantWeights) ?? "")
    }

    var messages: JobMessages { JobMessages(hasWebhook: settings.value(.webhookURL) != nil) }

    func jobStart(_ metadata: any MetadataStore) throws(ClairoError) -> JobStart {
        JobStart(metadata: metadata, policy: try policy(), messages: messages)
    }

    func jobOperations(_ metadata: any MetadataStore) throws(ClairoError) -> JobOperations {
        JobOperations(
            metadata: metadata, output: try outputStore(), start: try jobStart(metadata), messages: messages)
    }

    func deadLetters(_ metadata: any MetadataStore) throws(ClairoError) -> DeadLetterOperations {
        DeadLetterOperations(metadata: metadata, jobs: try jobOperations(metadata))
    }

    func relay(_ metadata: any MetadataStore, _ producer: any MessageProducer) throws(ClairoError) -> Relay {
        Relay(metadata: metadata, producer: producer, webhook: try webhook(), owner: Self.processName)
    }

    func worker(
        _ metadata: any MetadataStore, work: WorkOptions, limits: InputLimits, log: PipelineLog
    ) throws(ClairoError) -> Worker {
        Worker(
            Worker.Services(
                metadata: metadata, output: try outputStore(), openSource: openSource,
                executor: try taskExecutor(work, limits: limits), profiles: try profiles(), policy: try policy(),
                messages: messages),
            owner: Self.processName, threads: work.threads, leaseSeconds: work.lease,
            say: { [metrics] event in
                log.note(event)
                metrics?.count(event)
            })
    }

    private func taskExecutor(
        _ work: WorkOptions, limits: InputLimits
    ) throws(ClairoError) -> any TaskExecutor {
        switch work.executor {
        case .ecs: try ecsExecutor(sandbox: work.sandbox, limits: limits)
        case .inline: InlineExecutor(engine: MediaTaskEngine(limits: limits))
        case .process:
            ProcessExecutor(
                taking: limits, sandbox: work.sandbox,
                within: ProcessLimits(memory: ProcessLimits.memory(of: MachineMemory.bytes, tasks: work.slots)),
                onKill: { [metrics] in metrics?.count($0) })
        case .docker: try dockerExecutor(limits: limits, sandbox: work.sandbox)
        }
    }

    /// Looks into what was uploaded, in a process of its own. A profile that is not known here may be known to workers.
    func prober(_ limits: InputLimits, sandbox: SandboxMode = .auto) throws(ClairoError) -> any MediaProber {
        let profiles = try profiles()
        // Several uploads may be looked into at once, beside all else that the process does.
        let processLimits = ProcessLimits(memory: ProcessLimits.memory(of: MachineMemory.bytes, tasks: 8))
        return SandboxedProber(
            executor: ProcessExecutor(taking: limits, sandbox: sandbox, within: processLimits),
            settings: { (try? profiles.settings(of: $0)) ?? TranscodeSettings() })
    }

    /// Tells once which of the walls around tasks this system does not have. To be called before any work is taken.
    /// - Throws: where all of them are required, or where tasks cannot be run at all.
    func checkSandbox(_ work: WorkOptions, log: PipelineLog) async throws(ClairoError) {
        let (missing, refusal): (String?, ClairoError?)
        switch work.executor {
        case .inline: return
        case .process: return try await checkSandbox(work.sandbox, log: log)
        case .docker:
            let report = try await dockerExecutor(limits: InputLimits(), sandbox: work.sandbox).check()
            (missing, refusal) = (report.missing, report.refusal(of: work.sandbox))
        case .ecs:
            // Each task's container builds its own.
            return log.note("tasks run on ECS: \(try await ecsExecutor().check())")
        }
        try note(missing: missing, refusal, log)
    }

    /// The same of processes of this one's own, such as those that look into what is uploaded.
    func checkSandbox(_ sandbox: SandboxMode, log: PipelineLog) async throws(ClairoError) {
        guard sandbox != .off else { return }
        let report = try await ProcessExecutor(taking: InputLimits(), sandbox: sandbox).sandboxReport()
        try note(missing: report.isComplete ? nil : report.missing, report.refusal(of: sandbox), log)
    }

    private func note(missing: String?, _ refusal: ClairoError?, _ log: PipelineLog) throws(ClairoError) {
        if let refusal { throw refusal }
        if let missing { log.warn("the sandbox of tasks is not complete here; missing: \(missing)") }
    }

    /// Opens a source where it lies, in the raw store or in the bucket that an event told of.
    private var openSource: @Sendable (ObjectLocation) throws(ClairoError) -> any ByteSource {
        // Few, and each has connections and credentials that the next task can use.
        let buckets = Mutex<[String: any ObjectStore]>([:])
        return { (location: ObjectLocation) throws(ClairoError) in
            if location.bucket.isEmpty { return metered(try FileByteSource(path: location.key)) }
            let bucket = try buckets.withLock { (buckets) throws(ClairoError) in
                if let known = buckets[location.bucket] { return known }
                let opened = try openStore("s3://\(location.bucket)")
                buckets[location.bucket] = opened
                return opened
            }
            return metered(try bucket.open(ObjectKey(location.key)))
        }
    }

    private func metered(_ source: any ByteSource) -> any ByteSource { metrics?.metered(source) ?? source }

    /// Names this process among all workers. In containers on the host's network many have the same two first parts.
    static let processName =
        "\(ProcessInfo.processInfo.hostName):\(ProcessInfo.processInfo.processIdentifier)"
        + ":\(String(UInt16.random(in: .min ... .max), radix: 16))"
}
