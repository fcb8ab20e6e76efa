internal import ClairoAPI
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoMessaging
internal import ClairoMetadata
internal import ClairoMetrics
internal import ClairoPipeline
internal import ClairoStorage
internal import CoreMetrics
internal import Synchronization

/// Counts the events of a daemon's components. The components do not depend on metrics; events flow one way.
final class DaemonMetrics: Sendable {
    private let registry = PrometheusRegistry(MetricFamily.daemon)

    private static let taskKinds = WorkTask.Kind.allCases.map(\.rawValue)
    private static let errorKinds = ClairoError.Kind.allCases.map(\.rawValue)
    /// The standard heights of the ladder (`LadderPlanner.standardHeights`).
    private static let heights: Set<String> = ["2160p", "1440p", "1080p", "720p", "480p", "360p", "240p"]
    /// The first parts of the codec strings of renditions, by their kind.
    private static let codecs: KeyValuePairs<RenditionKind, [String]> = [
        .video: ["avc1", "hvc1", "av01"], .audio: ["mp4a", "ac-3", "ec-3", "opus"], .text: ["wvtt"], .image: ["jpeg"],
    ]
    private static let methods: Set<String> = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]

    /// A store, as a label.
    enum StoreRole: String, CaseIterable { case raw, output }

    private let folders: [DiskMetrics.Folder]
    private let health = Mutex<DaemonHealth?>(nil)
    /// The kinds of errors that can block a daemon.
    private static let blockingKinds: [ClairoError.Kind] = [.refused, .capacity, .transient, .defect]

    /// - Parameter folders: The folders that this process writes to. The free space of their disks is a metric.
    init(folders: [DiskMetrics.Folder] = []) {
        self.folders = folders
        // Alerts and dashboards use rates, so counters must be zero before the first event.
        func each(_ labels: [String], by others: [String]) -> [[String]] {
            labels.flatMap { label in others.map { [label, $0] } }
        }
        registry.prepare(.tasksRunning, Self.taskKinds.map { [$0] })
        registry.prepare(
            .tasksEnded, each(Self.taskKinds, by: ["succeeded", "retried", "failed", "released", "lost"]))
        registry.prepare(.taskErrors, each(Self.taskKinds, by: Self.errorKinds))
        registry.prepare(.retries, Self.errorKinds.map { [$0] })
        registry.prepare(.warnings, Self.errorKinds.map { [$0] })
        registry.prepare(.mediaWarnings, MediaWarning.Code.allCases.map { [$0.rawValue] })
        registry.prepare(.jobs, [["ready"], ["failed"]])
        registry.prepare(.framesEncoded, each(Self.heights.sorted(), by: VideoCodec.allCases.map(\.rawValue)))
        registry.prepare(.renditions, Self.codecs.flatMap { kind, codecs in codecs.map { [kind.rawValue, $0] } })
        for family in [MetricFamily.storeRead, .storeWritten] {
            registry.prepare(family, StoreRole.allCases.map { [$0.rawValue] })
        }
        registry.prepare(.sandboxKills, TaskKill.allCases.map { [$0.rawValue] })
        registry.prepare(
            .s3Requests, S3Event.Operation.allCases.map { [$0.rawValue, S3Event.Outcome.denied.rawValue] })
        registry.prepare(.upkeepRuns, [["success"], ["failure"]])
        registry.prepare(.upkeepRemoved, Self.counts(UpkeepReport()).map { [$0.key] })
        registry.prepare(.s3Retries, S3Event.Outcome.allCases.map { [$0.rawValue] })
        registry.prepare(
            .ecsRequests, ECSEvent.Outcome.allCases.map { [ECSEvent.Operation.runTask.rawValue, $0.rawValue] })
    }

    /// Shows what blocks the daemon.
    func watch(_ health: DaemonHealth) { self.health.withLock { $0 = health } }

    private func measureBlockages() {
        guard let blockages = health.withLock({ $0 })?.blockages else { return }
        for activity in DaemonHealth.Activity.allCases {
            // An error of another kind comes from the settings, which an operator has to change too.
            let reason = blockages[activity].map { Self.blockingKinds.contains($0.kind) ? $0.kind : .refused }
            for kind in Self.blockingKinds {
                let value = reason == kind ? 1.0 : 0
                Meter(
                    label: MetricFamily.blocked.name, dimensions: labels(.blocked, [activity.rawValue, kind.rawValue]),
                    factory: registry
                ).set(value)
            }
        }
    }

    /// The page for Prometheus.
    var page: String {
        measureBlockages()
        var page = Exposition()
        page.addBuildInfo()
        registry.write(to: &page)
        ProcessMetrics.write(to: &page)
        DiskMetrics.write(folders, to: &page)
        return page.text
    }

    // MARK: Instruments

    private func labels(_ family: MetricFamily, _ values: [String]) -> [(String, String)] {
        Array(zip(family.labels, values))
    }

    private func add(_ amount: Double = 1, to family: MetricFamily, _ values: String...) {
        FloatingPointCounter(label: family.name, dimensions: labels(family, values), factory: registry)
            .increment(by: amount)
    }

    private func record(_ value: Double, in family: MetricFamily, _ values: String...) {
        Recorder(label: family.name, dimensions: labels(family, values), factory: registry).record(value)
    }

    private func change(_ family: MetricFamily, by amount: Double, _ values: String...) {
        Meter(label: family.name, dimensions: labels(family, values), factory: registry).increment(by: amount)
    }

    // MARK: Events

    func count(_ event: WorkerEvent) {
        let (task, kind) = (event.task, event.task.kind.rawValue)
        if case .began = event.content {
            change(.tasksRunning, by: 1, kind)
            if task.attempt == 1 {
                record(max(0, Timestamp.now.seconds(since: max(task.createdAt, task.notBefore))), in: .queueWait, kind)
            }
            return
        }
        change(.tasksRunning, by: -1, kind)
        switch event.content {
        case .began: break
        case .released: add(to: .tasksEnded, kind, "released")
        case .lost: add(to: .tasksEnded, kind, "lost")
        case .succeeded(let result):
            add(to: .tasksEnded, kind, "succeeded")
            count(result, of: task, event.job)
        case .failed(let error, let consequence):
            add(to: .tasksEnded, kind, Self.outcome(of: consequence))
            add(to: .taskErrors, kind, error.kind.rawValue)
            switch consequence {
            case .retry: add(to: .retries, error.kind.rawValue)
            case .deadLetter:
                add(to: .deadLetters)
                add(to: .jobs, "failed")
            case .failure: add(to: .jobs, "failed")
            }
        }
    }

    private static func outcome(of consequence: WorkerEvent.Consequence) -> String {
        switch consequence {
        case .retry: "retried"
        case .failure, .deadLetter: "failed"
        }
    }

    private func count(_ result: TaskResult, of task: WorkTask, _ job: Job?) {
        let kind = task.kind.rawValue
        record(result.usage.wallSeconds, in: .taskDuration, kind)
        for step in TaskStep.allCases {
            guard let seconds = result.usage.seconds(in: step) else { continue }
            record(max(0, seconds), in: .stepDuration, kind, step.rawValue)
        }
        add(result.usage.cpuSeconds, to: .taskCPU, kind)
        add(Double(result.decodeErrors), to: .decodeErrors)
        let plan = job?.plan
        switch task.kind {
        case .plan: break
        case .chunk:
            guard let video = plan?.video, let chunk = plan?.chunks[checked: task.index] else { return }
            let grid = video.grid
            let frames = chunk.segments.reduce(0) { $0 + grid.frames(ofSegment: $1).count }
            for rung in video.rungs(ofWave: chunk.wave).map({ video.rungs[$0] }) where !rung.isCopy {
                let height = "\(rung.size.shortSide)p"
                add(
                    Double(frames), to: .framesEncoded, Self.heights.contains(height) ? height : "other",
                    rung.codec.rawValue)
            }
            // Later waves make other renditions of the same media.
            if chunk.wave == 0 { add(grid.time(ofFrame: frames).doubleValue, to: .mediaSeconds, kind) }
        case .track:
            if let track = plan?.tracks[checked: task.index] {
                add(track.duration.doubleValue, to: .mediaSeconds, kind)
            }
        case .finish:
            add(to: .jobs, "ready")
            for warning in result.warnings { add(to: .mediaWarnings, warning.code.rawValue) }
            for rendition in result.renditions {
                add(to: .renditions, rendition.kind.rawValue, Self.label(ofCodec: rendition.codec, rendition.kind))
            }
            guard let job, let plan else { return }
            let seconds = max(0.001, Timestamp.now.seconds(since: job.createdAt))
            record(seconds, in: .jobDuration)
            record(plan.duration.doubleValue / seconds, in: .jobRealtime)
        }
    }

    /// The first part of a codec string, such as `avc1`.
    private static func label(ofCodec codec: String, _ kind: RenditionKind) -> String {
        let known = codecs.first { $0.key == kind }?.value ?? []
        return known.first { codec == $0 || codec.hasPrefix($0 + ".") } ?? "other"
    }

    func count(_ trouble: ClairoError) { add(to: .warnings, trouble.kind.rawValue) }

    func count(_ kill: TaskKill) { add(to: .sandboxKills, kill.rawValue) }

    func count(_ event: S3Event) {
        add(to: .s3Requests, event.operation.rawValue, event.outcome.rawValue)
        record(event.seconds, in: .s3Duration, event.operation.rawValue)
        if event.isRepeated { add(to: .s3Retries, event.outcome.rawValue) }
    }

    func count(_ event: ECSEvent) { add(to: .ecsRequests, event.operation.rawValue, event.outcome.rawValue) }

    func count(_ event: DatabaseEvent) {
        add(to: .databaseRequests, event.operation.rawValue, event.failure?.rawValue ?? "success")
        record(event.seconds, in: .databaseDuration, event.operation.rawValue)
    }

    func count(_ batch: Relay.Summary) {
        add(Double(batch.delivered), to: .outboxDelivered)
        add(Double(batch.postponed), to: .outboxPostponed)
        add(Double(batch.deadLetters), to: .deadLetters)
    }

    func count(_ report: UpkeepReport, succeeded: Bool) {
        add(to: .upkeepRuns, succeeded ? "success" : "failure")
        for (what, count) in Self.counts(report) { add(Double(count), to: .upkeepRemoved, what) }
        add(Double(report.bytes), to: .upkeepBytes)
    }

    private static func counts(_ report: UpkeepReport) -> KeyValuePairs<String, Int> {
        [
            "objects": report.objects, "uploads": report.uploads, "partial_files": report.partialFiles,
            "videos": report.videos, "dead_letters": report.deadLetters, "rows": report.rows,
        ]
    }

    func count(_ event: RequestEvent) {
        let method = Self.methods.contains(event.method) ? event.method : "other"
        add(to: .httpRequests, method, String(event.status))
        record(event.seconds, in: .httpDuration, method)
    }

    var observeS3: @Sendable (S3Event) -> Void { { [self] in count($0) } }
    var observeECS: @Sendable (ECSEvent) -> Void { { [self] in count($0) } }
    var observeDatabase: @Sendable (DatabaseEvent) -> Void { { [self] in count($0) } }

    // MARK: Bytes

    func metered(_ store: any DurableStore, as role: StoreRole) -> any DurableStore {
        MeteredStore(
            base: store, read: { [self] in add(Double($0), to: .storeRead, role.rawValue) },
            written: { [self] in add(Double($0), to: .storeWritten, role.rawValue) })
    }

    func metered(_ source: any ByteSource) -> any ByteSource {
        MeteredSource(base: source) { [self] in add(Double($0), to: .storeRead, StoreRole.raw.rawValue) }
    }
}

extension Array {
    fileprivate subscript(checked index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
