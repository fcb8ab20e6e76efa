internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoPipeline
internal import ClairoStorage
internal import Synchronization

/// Workers, their executors, and the sandbox around tasks.
extension Services {
    func worker(
        _ metadata: any MetadataStore, work: WorkOptions, limits: InputLimits, log: PipelineLog, health: DaemonHealth
    ) throws(ClairoError) -> Worker {
        Worker(
            Worker.Services(
                metadata: metadata, output: try outputStore(), openSource: openSource,
                executor: try taskExecutor(work, limits: limits), profiles: try profiles(), policy: try policy(),
                messages: messages, keys: try videoKeys()),
            owner: Self.processName, threads: work.threads, leaseSeconds: work.lease, health: health,
            report: { [metrics] event in
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

    /// Warns once if layers of the task sandbox are missing on this system. Call before work starts.
    /// - Throws: An error if all layers are required, or if tasks cannot run.
    func checkSandbox(_ work: WorkOptions, log: PipelineLog) async throws(ClairoError) {
        let (missing, refusal): (String?, ClairoError?)
        switch work.executor {
        case .inline: return try MediaTaskEngine.loadLibraries()
        case .process: return try await checkSandbox(work.sandbox, log: log)
        case .docker:
            let report = try await dockerExecutor(limits: InputLimits(), sandbox: work.sandbox).check()
            (missing, refusal) = (report.missing, report.refusal(of: work.sandbox))
        case .ecs:
            // Each task's container has its own sandbox.
            log.note("tasks run on ECS: \(try await ecsExecutor().check())")
            if settings.value(.ecsOutputRole) == nil {
                log.warn("ecs-output-role is not set, so each task can reach the output of all jobs")
            }
            return
        }
        try note(missing: missing, refusal, log)
    }

    /// The same for child processes, such as those that probe uploads.
    func checkSandbox(_ sandbox: SandboxMode, log: PipelineLog) async throws(ClairoError) {
        guard sandbox != .off else { return }
        let report = try await ProcessExecutor(taking: InputLimits(), sandbox: sandbox).sandboxReport()
        try note(missing: report.isComplete ? nil : report.missing, report.refusal(of: sandbox), log)
    }

    private func note(missing: String?, _ refusal: ClairoError?, _ log: PipelineLog) throws(ClairoError) {
        if let refusal { throw refusal }
        if let missing { log.warn("the sandbox is not complete on this system; missing: \(missing)") }
    }

    /// Opens a source in the raw store, or in the bucket that an event named.
    private var openSource: @Sendable (ObjectLocation) throws(ClairoError) -> any ByteSource {
        // Kept, because later tasks can reuse their connections and credentials.
        let buckets = Mutex<[String: any ObjectStore]>([:])
        return { (location: ObjectLocation) throws(ClairoError) in
            guard let url = location.bucketURL else { return metered(try DirectoryStore.openSource(location)) }
            let bucket = try buckets.withLock { (buckets) throws(ClairoError) in
                if let known = buckets[url] { return known }
                do throws(ClairoError) {
                    let opened = try openStore(url)
                    buckets[url] = opened
                    return opened
                } catch {
                    // The job's bucket exists, so the AWS settings of this worker are wrong.
                    throw error.kind == .usage
                        ? .refused(error.message, exitCode: error.exitCode, advice: error.advice) : error
                }
            }
            return metered(try bucket.open(ObjectKey(location.key)))
        }
    }

    private func metered(_ source: any ByteSource) -> any ByteSource { metrics?.metered(source) ?? source }
}
