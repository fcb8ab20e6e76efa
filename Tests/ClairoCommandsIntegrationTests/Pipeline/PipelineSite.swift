import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import RDKafka
import Testing

/// A deployment with a queue, with which the binary runs as relay and consumers.
struct PipelineSite: Sendable {
    enum Kind: String, Sendable, CaseIterable, CustomTestStringConvertible {
        /// Folders, SQLite and `local:`.
        case zeroService
        /// S3, MySQL and Kafka.
        case services

        var testDescription: String { rawValue }
        var isAvailable: Bool { self == .zeroService || Deployment.Kind.s3AndMySQL.isAvailable }
        static var available: [Kind] { allCases.filter(\.isAvailable) }
    }

    let kind: Kind
    let site: Deployment
    /// Used only by this test, so that it may change topics and inject faults.
    let kafka: KafkaCluster?
    /// Between the binary and S3. Nil with folders.
    let proxy: FaultProxy?
    private let scratch: Scratch
    private let environment: [String: String]

    /// The lease duration in seconds of consumers that will die, which is how long a test waits for them.
    static let lease = 3

    /// - Parameters:
    ///   - chunkSeconds: CPU seconds of a chunk. A small value gives many chunks.
    ///   - profile: More lines of the default profile.
    static func make(
        _ kind: Kind, in scratch: Scratch, chunkSeconds: Double = 0.02, profile: [String] = [],
        ownDatabase: MariaDBServer? = nil
    ) async throws -> PipelineSite {
        let site = try await Deployment.make(
            kind == .zeroService ? .zeroService : .s3AndMySQL, in: scratch, ownDatabase: ownDatabase)
        var environment = site.environment
        environment["CLAIRO_PROFILES"] = try scratch.write(
            """
            default:
              preset: ultrafast
              segment-seconds: 1
              chunk-cpu-seconds: \(chunkSeconds)
            """ + profile.map { "\n  \($0)" }.joined(), to: "profiles.yaml")
        var kafka: KafkaCluster?
        var proxy: FaultProxy?
        if kind == .services {
            let cluster = try await KafkaCluster.start()
            kafka = cluster
            // The mock cluster does not support CreateTopics.
            for topic in Topic.all { _ = try await cluster.makeTopic(topic, partitions: 4) }
            environment["CLAIRO_QUEUE"] = "kafka://\(cluster.brokers)"
            environment["CLAIRO_KAFKA_CONFIG"] = try scratch.write(
                "session.timeout.ms=6000\nheartbeat.interval.ms=500\n", to: "kafka.conf")
            let faultProxy = try FaultProxy(to: try await S3Server.shared(.rclone).port)
            scratch.onCleanup { faultProxy.stop() }
            environment.merge(S3Server.environment(endpoint: faultProxy.endpoint)) { $1 }
            proxy = faultProxy
        }
        return PipelineSite(
            kind: kind, site: site, kafka: kafka, proxy: proxy, scratch: scratch, environment: environment)
    }

    // MARK: Processes

    /// Starts the binary. It is killed at the end of the test at the latest.
    func start(_ arguments: [String], more: [String: String] = [:]) throws -> ChildProcess {
        let process = try ClairoProcess.start(
            arguments, environment: environment.merging(more) { $1 }, deadline: .seconds(900))
        scratch.onCleanup { process.send(SIGKILL) }
        return process
    }

    func clairo(_ arguments: String..., more: [String: String] = [:]) async throws -> ChildProcess.Outcome {
        try await start(arguments, more: more).outcome()
    }

    /// - Parameter lease: In seconds. A long lease does not expire on a busy machine.
    func consumer(
        _ arguments: String..., lease: Int = 300, more: [String: String] = [:]
    ) throws -> ChildProcess {
        try start(["consume", "--lease", "\(lease)", "--concurrency", "2"] + arguments, more: more)
    }

    /// A relay, for deployments in which consumers do not deliver messages themselves.
    func relay(more: [String: String] = [:]) throws -> ChildProcess? {
        kind == .services ? try start(["produce", "--follow"], more: more) : nil
    }

    func upload(_ file: URL, _ arguments: String...) async throws -> VideoID {
        let outcome = try await start(["upload", file.path, "--progress", "none"] + arguments).outcome()
        try #require(outcome.status == 0, "\(outcome)")
        return try #require(VideoID(outcome.text.trimmingCharacters(in: .newlines)))
    }

    /// Waits until every video has reached a final state.
    func untilFinal(_ ids: [VideoID]) async throws {
        let watch = try start(["status", "--watch", "--json"] + ids.map(\.rawValue))
        let outcome = try await watch.outcome()
        try #require(outcome.status == 0, "\(outcome)")
    }

    func video(_ id: VideoID) async throws -> Video {
        try #require(try await site.inspect { try await $0.video(id) })
    }

    func tasks(_ id: VideoID) async throws -> [WorkTask] {
        try await site.inspect { store in
            guard let job = try await store.video(id)?.jobID else { return [] }
            return try await store.tasks(of: job)
        }
    }

    // MARK: Stores

    var outputURL: String {
        environment["CLAIRO_OUTPUT_STORE"] ?? "file:\(environment["CLAIRO_HOME"] ?? "")/output"
    }

    /// In the format of `clairo verify`.
    func outputPlace(_ id: VideoID, _ job: JobID) -> String {
        let place = "\(outputURL)/videos/\(id)/\(job)"
        return kind == .zeroService ? String(place.dropFirst("file:".count)) : place
    }

    func outputStore() throws -> any DurableStore { try StoreURL.open(outputURL, environment: site.environment) }

    // MARK: Checks

    /// Checks everything that must hold once all videos are final: one row each, outputs that verify with the recorded
    /// sizes and checksums, no duplicates, no orphans, and no pending messages or tasks.
    func audit(_ ids: [VideoID], ready: Int? = nil, sourceLocation: SourceLocation = #_sourceLocation) async throws {
        let videos = try await site.inspect { try await $0.videos(VideoFilter(limit: 10_000)) }
        #expect(Set(videos.map(\.id)) == Set(ids) && videos.count == ids.count, sourceLocation: sourceLocation)
        #expect(videos.allSatisfy { $0.state == .ready || $0.state == .failed }, sourceLocation: sourceLocation)
        #expect(
            videos.count { $0.state == .ready } == ready ?? ids.count,
            "\(videos.filter { $0.state != .ready }.map { "\($0.state): \($0.error?.message ?? "")" })",
            sourceLocation: sourceLocation)

        // Nothing is pending. A relay that died may hold messages for a while.
        try await site.inspect { store in
            var rounds = 0
            try await eventually {
                let (messages, work) = (try await store.unsentMessages(), try await store.pendingWork())
                let isDone = messages == 0 && work.isEmpty
                // For tests without a relay. Not in every round, because it starts a process.
                if !isDone, rounds.isMultiple(of: 20) { _ = try await clairo("produce", "--once") }
                rounds += 1
                return isDone
            }
        }

        let collected = try await clairo("gc", "--older-than", "0s")
        #expect(collected.status == 0, "\(collected)", sourceLocation: sourceLocation)
        let store = try outputStore()
        var named: Set<String> = []
        for video in videos where video.state == .ready {
            let job = try #require(video.jobID)
            let renditions = try await site.inspect { try await $0.renditions(of: video.id) }
            let sizes = renditions.filter { $0.record.kind == .video }.compactMap(\.record.size?.description)
            // Each size once, though several codecs have it.
            let resolutions = try #require(video.output?.resolutions)
            #expect(
                !renditions.isEmpty && Set(resolutions) == Set(sizes) && Set(resolutions).count == resolutions.count,
                sourceLocation: sourceLocation)
            let prefix = "videos/\(video.id)/\(job)/"
            let manifest = try JSONDecoder().decode(
                OutputManifest.self,
                from: try await onDedicatedThread(name: "get") { try store.get(ObjectKey(prefix + "clairo.json")) })
            // The database rounds the duration.
            func comparable(_ record: RenditionRecord) -> RenditionRecord {
                var record = record
                record.duration = record.duration.map { ($0 * 1000).rounded() }
                return record
            }
            #expect(
                manifest.renditions.sorted(by: RenditionRecord.isBefore).map(comparable)
                    == renditions.map { comparable($0.record) })
            named.formUnion(manifest.files.map { prefix + $0.key } + [prefix + "clairo.json"])
            let verified = try await clairo("verify", outputPlace(video.id, job))
            #expect(verified.status == 0, "\(verified)", sourceLocation: sourceLocation)
        }
        let (present, uploads) = try await onDedicatedThread(name: "list") {
            (try store.list(prefix: "").map(\.rawValue), try store.openUploads(prefix: ""))
        }
        #expect(Set(present) == named, "orphans or losses", sourceLocation: sourceLocation)
        #expect(uploads.isEmpty, sourceLocation: sourceLocation)
    }

    /// Waits until the consumer groups have no lag.
    /// - Parameter hasReader: Whether a consumer is running already. Another one would cause a rebalance, which takes
    ///   seconds.
    func untilLagIsZero(hasReader: Bool = false) async throws {
        let reader = hasReader ? nil : try consumer(lease: Self.lease)
        defer { reader?.send(SIGKILL) }
        guard let kafka else {
            return try await site.inspect { store in
                try await eventually {
                    let counts = try await store.queuedCounts()
                    return (counts[Topic.uploads] ?? 0) == 0 && (counts[Topic.tasks] ?? 0) == 0
                }
            }
        }
        let admin = KafkaAdmin(try KafkaConfiguration(brokers: kafka.brokers), limit: .seconds(60))
        for (group, topic) in [("clairo-plan", "clairo.uploads"), ("clairo-work", "clairo.tasks")] {
            try await eventually {
                (try? await admin.progress(of: group, topics: [topic]).allSatisfy { $0.lag == 0 }) ?? false
            }
        }
    }
}
