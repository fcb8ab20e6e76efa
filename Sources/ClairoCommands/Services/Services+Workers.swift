internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoPipeline
internal import ClairoStorage
internal import Synchronization

/// Workers, what they run tasks with, and the sandbox around those.
extension Services {
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
}
