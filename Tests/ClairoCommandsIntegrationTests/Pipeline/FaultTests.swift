import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Injects the faults of production. Afterwards, every upload must be processed exactly once, with a complete output
/// and nothing else.
@Suite(.mostlyWaits, .ownThreads, .tags(.long)) struct FaultTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// The crash points of each stage, in the order in which one job reaches them. A task fails for good after five
    /// attempts, so no job loses one more than three times. The track is not in a job whose chunks are killed: a process
    /// that waits to die at the one may complete the other.
    static let steps = [
        ["relay.claimed", "intake.received", "plan.claimed", "chunk.claimed", "finish.claimed"],
        ["relay.sent", "intake.started", "plan.executed", "chunk.executed", "finish.executed"],
        ["relay.marked", "plan.recorded", "chunk.recorded", "finish.recorded"],
        // In write order: before, between and after the files that players open first.
        ["track.claimed", "track.executed", "track.recorded"]
            + ["180p.mp4", "master.m3u8", "clairo.json"].map { "finish.wrote.\($0)" },
    ]

    @Test(arguments: steps, PipelineSite.Kind.available)
    func aJobWhoseProcessesAreKilledStepByStepIsProcessedOnce(
        _ steps: [String], _ kind: PipelineSite.Kind
    ) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        // Task processes do not affect the steps.
        let executor = kind == .services ? "process" : "inline"
        let id = try await pipeline.upload(try await Clip(seconds: 3).make())
        var hasRelay = false
        // The process that will die is the only one of its kind.
        for step in steps {
            let crash = ["CLAIRO_CRASH_AT": step]
            let dying: ChildProcess
            if step.hasPrefix("relay"), let relay = try pipeline.relay(more: crash) {
                dying = relay
            } else {
                if !hasRelay { hasRelay = try pipeline.relay() != nil }
                dying = try pipeline.consumer("--executor", executor, lease: PipelineSite.lease, more: crash)
            }
            #expect(try await dying.outcome().signal == SIGKILL, "\(step)")
        }
        _ = try pipeline.consumer("--executor", executor, lease: PipelineSite.lease)
        try await pipeline.untilFinal([id])
        #expect(try await pipeline.site.inspect { try await $0.jobs(of: id) }.count == 1)
        try await pipeline.audit([id])
        try await pipeline.untilLagIsZero(hasReader: true)
    }

    @Test(arguments: PipelineSite.Kind.available)
    func workersKilledAtRandomLoseNothing(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        _ = try pipeline.relay()
        var ids: [VideoID] = []
        for index in 0..<6 {
            ids.append(try await pipeline.upload(try await Clip(seconds: 2 + Double(index % 4)).make()))
        }
        let isOver = StopRequest()
        async let watching: Void = { [ids] in
            try await pipeline.untilFinal(ids)
            isOver.cancel()
        }()
        // Three workers. The one that has just started a task may be killed next.
        let deaths = try await withThrowingTaskGroup { group in
            for seed in 0..<3 {
                group.addTask {
                    var random = SeededGenerator(seed: UInt64(seed))
                    var deaths = 0
                    while !isOver.isCancelled {
                        let worker = try pipeline.consumer(lease: PipelineSite.lease)
                        let fatal = deaths < 4 ? Int(random.next() % 6) + 1 : .max
                        isOver.onCancel { worker.send(SIGTERM) }
                        if await worker.messages(fatal, where: { $0.contains("task began") }) {
                            worker.send(SIGKILL)
                            deaths += 1
                        }
                        _ = try await worker.outcome()
                    }
                    return deaths
                }
            }
            return try await group.reduce(0, +)
        }
        try await watching
        #expect(deaths >= 5, "workers died \(deaths) times")
        try await pipeline.audit(ids)
        try await pipeline.untilLagIsZero()
    }

    /// Not on SQLite, which allows one writer at a time: a process suspended within its transaction blocks all others.
    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"))
    func aWorkerResumedAfterItsLeaseExpiredChangesNothing() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        _ = try pipeline.relay()
        let id = try await pipeline.upload(try await Clip(seconds: 4).make())
        let suspended = try pipeline.consumer(
            "--concurrency", "1", lease: PipelineSite.lease, more: ["CLAIRO_STOP_AT": "chunk.executed"])
        try await untilItStops(suspended)
        _ = try pipeline.consumer(lease: PipelineSite.lease)
        try await pipeline.untilFinal([id])
        let before = try await pipeline.tasks(id)
        #expect(before.contains { $0.attempt > 1 }, "other workers took over its tasks")
        suspended.send(SIGCONT)
        #expect(await suspended.line(on: .messages) { $0.contains("claim lost") } != nil)
        suspended.send(SIGTERM)
        let outcome = try await suspended.outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await pipeline.tasks(id) == before)
        try await pipeline.audit([id])
    }

    private func untilItStops(_ process: ChildProcess) async throws {
        try await eventually {
            let status = try String(contentsOfFile: "/proc/\(process.identifier)/status", encoding: .utf8)
            return status.contains("State:\tT")
        }
    }

    /// Its connection and its locks stay alive until the server closes the idle session.
    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"))
    func aWorkerSuspendedWithinATransactionDoesNotBlockTheOthers() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        _ = try pipeline.relay()
        let id = try await pipeline.upload(try await Clip(seconds: 3).make())
        let suspended = try pipeline.consumer(lease: PipelineSite.lease, more: ["CLAIRO_STOP_AT": "plan.uncommitted"])
        try await untilItStops(suspended)
        _ = try pipeline.consumer(lease: PipelineSite.lease)
        try await pipeline.untilFinal([id])
        suspended.send(SIGCONT)
        suspended.send(SIGTERM)
        let outcome = try await suspended.outcome()
        #expect(outcome.status == 0, "\(outcome)")
        try await pipeline.audit([id])
    }

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"))
    func aDatabaseRestartLosesNothing() async throws {
        let database = try await MariaDBServer(folder: scratch.path("mariadb"))
        let pipeline = try await PipelineSite.make(.services, in: scratch, ownDatabase: database)
        _ = try pipeline.relay()
        var ids: [VideoID] = []
        for index in 0..<6 {
            ids.append(try await pipeline.upload(try await Clip(seconds: 4 + Double(index % 2)).make()))
        }
        let worker = try pipeline.consumer(lease: PipelineSite.lease)
        #expect(await worker.line(on: .messages) { $0.contains("kind=chunk") } != nil)
        try await database.restart()
        try await pipeline.untilFinal(ids)
        try await pipeline.audit(ids)
    }

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"))
    func anObjectStoreWithIntermittentFaultsLosesNothing() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        _ = try pipeline.relay()
        let proxy = try #require(pipeline.proxy)
        var ids: [VideoID] = []
        for index in 0..<5 {
            ids.append(try await pipeline.upload(try await Clip(seconds: 3 + Double(index % 3)).make()))
        }
        proxy.add(
            .init(.answer(status: 503, code: "SlowDown"), "PUT", skipping: 3, times: 6),
            .init(.answer(status: 500, code: "InternalError"), "GET", skipping: 5, times: 6),
            .init(.cutRequest(after: 1000), "PUT", skipping: 8, times: 4),
            .init(.dropReply, "PUT", skipping: 12, times: 4),
            .init(.cutReply(after: 500), "GET", skipping: 9, times: 4),
            .init(.truncateReply(after: 500), "GET", skipping: 12, times: 3),
            // Longer than the client's own retries: the task fails and is retried.
            .init(.answer(status: 503, code: "SlowDown"), "PUT", path: "playlist.m3u8", times: 12))
        _ = try pipeline.consumer(lease: PipelineSite.lease)
        try await pipeline.untilFinal(ids)
        #expect(proxy.exchanges.count { $0.fault != nil } > 20)
        try await pipeline.audit(ids)
    }

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"))
    func singleUploadsAreProcessedWhileAllBrokersAreDown() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let kafka = try #require(pipeline.kafka)
        let relay = try #require(try pipeline.relay())
        let worker = try pipeline.consumer(lease: PipelineSite.lease)
        let first = try await pipeline.upload(try await Clip(seconds: 2).make())
        try await pipeline.untilFinal([first])
        try await kafka.takeDown()
        let second = try await pipeline.upload(try await Clip(seconds: 3).make())
        #expect(await relay.line(on: .messages) { $0.contains("Delivering a message to clairo.uploads") } != nil)
        // Its message waits in the outbox, and a worker finds the video in the database.
        try await pipeline.untilFinal([second])
        try await kafka.bringUp()
        for process in [relay, worker] {
            process.send(SIGTERM)
            let outcome = try await process.outcome()
            #expect(outcome.status == 0, "\(outcome)")
        }
        try await pipeline.audit([first, second])
        try await pipeline.untilLagIsZero()
    }

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable, "rclone or MariaDB are not installed"))
    func brokerErrorsLoseNothing() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let kafka = try #require(pipeline.kafka)
        _ = try pipeline.relay()
        let workers = [
            try pipeline.consumer(lease: PipelineSite.lease), try pipeline.consumer(lease: PipelineSite.lease),
        ]
        var ids: [VideoID] = []
        for round in 0..<6 {
            try await kafka.fail(.produce, [.notEnoughReplicas, .notLeader, .connectionCut, .requestTimedOut])
            try await kafka.fail(.fetch, [.notLeader, .connectionCut, .leaderNotAvailable, .unknown])
            try await kafka.fail(.offsetCommit, [.rebalanceInProgress, .notCoordinator, .illegalGeneration])
            try await kafka.fail(.heartbeat, [.rebalanceInProgress, .unknownMember])
            try await kafka.fail(.joinGroup, [.coordinatorNotAvailable, .unknownMember, .unknown])
            try await kafka.fail(.syncGroup, [.rebalanceInProgress])
            ids.append(try await pipeline.upload(try await Clip(seconds: 2 + Double(round % 3)).make()))
            try await kafka.setCoordinator(round % 3 + 1, ofGroup: "clairo-plan")
            try await kafka.setCoordinator((round + 1) % 3 + 1, ofGroup: "clairo-work")
        }
        try await pipeline.untilFinal(ids)
        try await pipeline.untilLagIsZero(hasReader: true)
        // Neither process gave up.
        for worker in workers {
            worker.send(SIGTERM)
            let outcome = try await worker.outcome()
            #expect(outcome.status == 0, "\(outcome)")
        }
        try await pipeline.audit(ids)
    }

    @Test(
        .enabled(
            if: PipelineSite.Kind.services.isAvailable && Kcat.isInstalled, "kcat, rclone or MariaDB are not installed")
    )
    func duplicateReorderedAndInvalidMessagesAreHarmless() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let kafka = try #require(pipeline.kafka)
        func send(_ text: String, _ topic: String, _ key: String) async throws {
            try await Kcat.produce(Data(text.utf8), key: key, to: topic, brokers: kafka.brokers)
        }
        var ids: [VideoID] = []
        for index in 0..<3 { ids.append(try await pipeline.upload(try await Clip(seconds: 2 + Double(index)).make())) }
        let videos = try await pipeline.site.inspect { try await $0.videos(VideoFilter()) }
        let worker = try pipeline.consumer(lease: PipelineSite.lease)
        // In reverse order, each three times, followed by messages that no Clairo program has written.
        for video in videos.sorted(by: { $0.id > $1.id }) {
            let message = String(decoding: try JSON.encode(UploadMessage(video), pretty: false), as: UTF8.self)
            for _ in 0..<3 { try await send(message, "clairo.uploads", video.id.rawValue) }
        }
        let senseless = [
            "", "null", "[]", "garbage", "{\"schema\":99}", String(repeating: "x", count: 900_000),
            "{\"schema\":1,\"videoID\":\"\(VideoID.make())\"}", "\u{1}\u{2}",
        ]
        // Longer than the key column allows.
        try await send("garbage with a key", "clairo.uploads", String(repeating: "k", count: 1024))
        for text in senseless {
            try await send(text, "clairo.uploads", "k")
            try await send(text, "clairo.tasks", "k")
        }
        _ = try pipeline.relay()
        try await pipeline.untilFinal(ids)
        try await pipeline.untilLagIsZero(hasReader: true)
        worker.send(SIGTERM)
        #expect(try await worker.outcome().status == 0)
        try await pipeline.audit(ids)
        let letters = try await pipeline.clairo("dlq", "list", "--json")
        #expect(letters.status == 0 && letters.text.contains("garbage"), "\(letters)")
    }
}
