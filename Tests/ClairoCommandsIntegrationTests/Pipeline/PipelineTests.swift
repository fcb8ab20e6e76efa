import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// The pipeline as users run it: uploads, relay and consumers in separate processes.
@Suite(.mostlyWaits, .ownThreads) struct PipelineTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test(arguments: PipelineSite.Kind.available)
    func anUploadedVideoBecomesReadyWithItsURLsAndResolutions(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 5).make(), "--title", "Summer")
        _ = try pipeline.relay()
        let consumed = try await pipeline.consumer("--until-idle").outcome()
        #expect(consumed.status == 0, "\(consumed)")
        let video = try await pipeline.video(id)
        #expect(video.state == .ready)
        #expect(video.output?.resolutions == ["320x180"])
        #expect(video.output?.masterPlaylist?.hasSuffix("/master.m3u8") == true)
        #expect(video.output?.poster?.hasSuffix("/poster.jpg") == true)
        let tasks = try await pipeline.tasks(id)
        #expect(tasks.allSatisfy { $0.state == .succeeded && $0.attempt == 1 })
        #expect(tasks.count { $0.kind == .chunk } > 1)
        let status = try await pipeline.clairo("status", id.rawValue)
        #expect(status.text.contains("100 % of frames") && status.text.contains("180p"))
        try await pipeline.audit([id])
        try await pipeline.untilLagIsZero()
    }

    @Test func runProcessesAVideoInOneCommand() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let outcome = try await pipeline.clairo("run", try await Clip(seconds: 3).make().path)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.text.contains(/state +ready/) && outcome.text.contains("master.m3u8"))
    }

    /// Each codec is made by chunks of its own, whose first stores the parameter sets.
    @Test func everyCodecOfAProfileIsPublishedAfterAWorkerDied() async throws {
        let pipeline = try await PipelineSite.make(
            .zeroService, in: scratch, profile: ["codec: [h264, hevc]", "audio: [aac, opus]", "loudness: -16"])
        let id = try await pipeline.upload(try await Clip(seconds: 3).make())
        let worker = try pipeline.consumer(lease: PipelineSite.lease, more: ["CLAIRO_CRASH_AT": "chunk.wrote.init.mp4"])
        #expect(try await worker.outcome().signal != nil)
        let consumed = try await pipeline.consumer("--until-idle").outcome()
        #expect(consumed.status == 0, "\(consumed)")
        #expect(try await pipeline.video(id).state == .ready)
        let status = try await pipeline.clairo("status", id.rawValue)
        for name in ["180p-hevc", "opus", "-16.0 LUFS"] { #expect(status.text.contains(name), "\(status)") }
        try await pipeline.audit([id])
    }

    @Test(arguments: PipelineSite.Kind.available)
    func uploadWithWaitFollowsTheJobToItsEnd(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        _ = try pipeline.relay()
        _ = try pipeline.consumer()
        let clip = try await Clip(seconds: 2).make()
        let outcome = try await pipeline.clairo("upload", clip.path, "--wait")
        #expect(outcome.status == 0 && outcome.errors.contains("is ready"), "\(outcome)")
    }

    @Test(arguments: PipelineSite.Kind.available)
    func consumersShareTheTasksOfOneJob(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        _ = try pipeline.relay()
        let workers = try (0..<3).map { _ in try pipeline.consumer() }
        for worker in workers { #expect(await worker.line(on: .messages) { $0.contains("consuming") } != nil) }
        let id = try await pipeline.upload(try await Clip(seconds: 30).make())
        try await pipeline.untilFinal([id])
        for worker in workers { worker.send(SIGTERM) }
        var shares: [Int] = []
        for worker in workers {
            let outcome = try await worker.outcome()
            #expect(outcome.status == 0, "\(outcome)")
            shares.append(outcome.errors.split(separator: "\n").count { $0.contains("task succeeded") })
        }
        #expect(shares.count { $0 > 0 } > 1, "tasks by worker: \(shares)")
        #expect(try await pipeline.tasks(id).count == shares.reduce(0, +))
        try await pipeline.audit([id])
    }

    @Test(arguments: PipelineSite.Kind.available)
    func differentProcessesMayRunDifferentKinds(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        _ = try pipeline.relay()
        for kind in ["plan", "work", "finish"] { _ = try pipeline.consumer("--kinds", kind) }
        let id = try await pipeline.upload(try await Clip(seconds: 3).make())
        try await pipeline.untilFinal([id])
        try await pipeline.audit([id])
    }

    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable))
    func untilIdleDoesNotWaitForARelay() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        #expect(try await pipeline.clairo("produce", "--once").status == 0)
        let outcome = try await pipeline.consumer("--until-idle").outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await pipeline.video(id).state == .ready)
        #expect(try await pipeline.site.inspect { try await $0.unsentMessages() } > 0)
    }

    /// Until then, a bucket's event exists only in the topic.
    @Test(.enabled(if: PipelineSite.Kind.services.isAvailable && Kcat.isInstalled), arguments: [false, true])
    func untilIdleProcessesEventsThatAreStillInTheTopic(isMinIO: Bool) async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        let store = try StoreURL.open("s3://\(bucket)", environment: server.environment)
        let clip = try Data(contentsOf: try await Clip(seconds: 2).make())
        try await onDedicatedThread(name: "put") { try store.put(clip, at: "in box/film.mp4") }
        let records =
            #""Records":[{"eventVersion":"2.1","eventSource":"\#(isMinIO ? "minio:s3" : "aws:s3")","eventName":"s3:ObjectCreated:Put","s3":{"bucket":{"name":"\#(bucket)"},"object":{"key":"in+box%2Ffilm.mp4","sequencer":"01"}}}]"#
        let event =
            isMinIO
            ? #"{"EventName":"s3:ObjectCreated:Put","Key":"\#(bucket)/in box/film.mp4",\#(records)}"# : "{\(records)}"
        try await Kcat.produce(
            Data(event.utf8), key: "\(bucket)/in box/film.mp4", to: Topic.uploads,
            brokers: try #require(pipeline.kafka).brokers)
        _ = try pipeline.relay()
        let outcome = try await pipeline.consumer("--until-idle").outcome()
        #expect(outcome.status == 0, "\(outcome)")
        let videos = try await pipeline.site.inspect { try await $0.videos(VideoFilter()) }
        #expect(videos.map(\.state) == [.ready] && videos.first?.originalName == "film.mp4")
    }

    @Test func onceRunsASingleTask() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        let outcome = try await pipeline.clairo("consume", "--once", "--concurrency", "3")
        #expect(outcome.status == 0, "\(outcome)")
        let tasks = try await pipeline.tasks(id)
        #expect(tasks.filter { $0.state == .succeeded }.map(\.kind) == [.plan])
        #expect(tasks.count > 1)
    }

    /// On one deployment, because the worker encodes during the whole grace period. Releases in MariaDB are proved by the
    /// contract of metadata stores, and stops of Kafka's consumers by `FaultTests`.
    @Test func aStoppedWorkerReleasesItsTasksAtOnce() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch, chunkSeconds: 60)
        // Longer than the grace period of SIGTERM; the second signal ends the worker at once.
        let id = try await pipeline.upload(try await Clip.long.make())
        let worker = try pipeline.start(["consume", "--concurrency", "1", "--lease", "3000"])
        #expect(await worker.line(on: .messages) { $0.contains("kind=chunk") && $0.contains("began") } != nil)
        let begin = ContinuousClock.now
        worker.send(SIGTERM)
        let outcome = try await worker.outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(ContinuousClock.now - begin < .seconds(30), "twenty on an idle machine")
        let tasks = try await pipeline.tasks(id)
        #expect(tasks.allSatisfy { $0.state != .running && $0.owner == nil }, "no lease needs to expire")
        #expect(
            tasks.allSatisfy { $0.maxAttempts - $0.attempt >= 4 || $0.state == .succeeded }, "and no attempt is lost")
        #expect(try await pipeline.clairo("cancel", id.rawValue).status == 0)
    }

    @Test(arguments: PipelineSite.Kind.available)
    func aCancelledVideoStopsWithinSeconds(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch, chunkSeconds: 60)
        _ = try pipeline.relay()
        let id = try await pipeline.upload(try await Clip.long.make())
        // The worker renews its claim every tenth of its lease.
        let worker = try pipeline.consumer(lease: 30)
        #expect(await worker.line(on: .messages) { $0.contains("kind=chunk") && $0.contains("began") } != nil)
        #expect(try await pipeline.clairo("cancel", id.rawValue).status == 0)
        #expect(await worker.line(on: .messages) { $0.contains("claim lost") } != nil)
        let chunks = try await pipeline.tasks(id).filter { $0.kind == .chunk }
        #expect(!chunks.isEmpty && chunks.allSatisfy { $0.state == .cancelled }, "\(chunks)")
        #expect(try await pipeline.video(id).state == .cancelled)
        #expect(try await pipeline.clairo("cancel", id.rawValue).status == 64, "there is nothing left to stop")
        worker.send(SIGTERM)
        #expect(try await worker.outcome().status == 0)
        #expect(try await pipeline.clairo("gc", "--older-than", "0s").status == 0)
        let store = try pipeline.outputStore()
        #expect(try await onDedicatedThread(name: "list") { try store.list(prefix: "") }.isEmpty)
    }

    @Test(arguments: PipelineSite.Kind.available)
    func aRetryRunsOnlyTheUnfinishedTasks(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        _ = try pipeline.relay()
        let id = try await pipeline.upload(try await Clip(seconds: 5).make())
        for _ in 0..<3 { #expect(try await pipeline.consumer("--once", "--concurrency", "1").outcome().status == 0) }
        #expect(try await pipeline.clairo("cancel", id.rawValue).status == 0)
        let before = try await pipeline.tasks(id).filter { $0.state == .succeeded }
        #expect(before.count == 3)
        #expect(try await pipeline.clairo("retry", id.rawValue).status == 0)
        _ = try pipeline.consumer()
        try await pipeline.untilFinal([id])
        let after = try await pipeline.tasks(id)
        #expect(after.allSatisfy { $0.state == .succeeded })
        for task in before { #expect(after.first { $0.id == task.id } == task, "it did not run again") }
        try await pipeline.audit([id])
    }

    @Test func aRetryRecreatesDamagedAndLostObjects() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 5).make())
        for _ in 0..<3 { #expect(try await pipeline.consumer("--once", "--concurrency", "1").outcome().status == 0) }
        #expect(try await pipeline.clairo("cancel", id.rawValue).status == 0)
        let before = try await pipeline.tasks(id)
        let made = before.filter { $0.state == .succeeded && $0.kind != .plan }
        #expect(made.count == 2)
        let store = try pipeline.outputStore()
        let folder = "videos/\(id)/\(before[0].jobID)/"
        let segments = try made.map { task in
            ObjectKey(folder + (try #require(task.result?.files.last { !$0.key.contains("init") }?.key)))
        }
        try await onDedicatedThread(name: "damage") {
            try store.put(try store.get(segments[0]).dropLast(7), at: segments[0])
            try store.delete(segments[1])
        }
        #expect(try await pipeline.clairo("retry", id.rawValue).status == 0)
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
        let after = try await pipeline.tasks(id)
        #expect(after.first { $0.kind == .plan } == before.first { $0.kind == .plan })
        for task in made { #expect(after.first { $0.id == task.id }?.attempt == 2) }
        try await pipeline.audit([id])
    }

    @Test func reprocessingAVideoCollectsItsOldOutput() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
        let first = try #require(try await pipeline.video(id).jobID)
        #expect(try await pipeline.clairo("retry", id.rawValue).status == 64)
        #expect(try await pipeline.clairo("retry", "--anew", id.rawValue).status == 0)
        #expect(try await pipeline.clairo("retry", "--anew", id.rawValue).status == 64, "it is being processed")
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
        let second = try #require(try await pipeline.video(id).jobID)
        #expect(first != second)
        #expect(try await pipeline.clairo("gc", "--older-than", "0s").status == 0)
        let store = try pipeline.outputStore()
        let old = try await onDedicatedThread(name: "list") { try store.list(prefix: "videos/\(id)/\(first)/") }
        #expect(old.isEmpty)
        try await pipeline.audit([id])
    }

    @Test func theTasksOfADeletedVideoAreGone() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        #expect(try await pipeline.site.inspect { try await $0.deleteVideo(id) })
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
    }

    @Test func anUnknownVideoDoesNotStopTheOthersFromBeingCancelledOrRetried() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        let unknown = VideoID.make()
        for (command, done) in [("cancel", "is cancelled"), ("retry", "is processed again")] {
            let outcome = try await pipeline.clairo(command, unknown.rawValue, id.rawValue)
            #expect(outcome.status == 66 && outcome.text.hasPrefix("\(id) \(done)"), "\(outcome)")
            #expect(outcome.errors.contains("Video \(unknown) does not exist"))
        }
        #expect(try await pipeline.video(id).state == .processing)
    }

    @Test func waitingForAVideoReportsItsCancellation() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let waiting = try pipeline.start(
            ["upload", try await Clip(seconds: 2).make().path, "--wait", "--progress", "none"])
        let line = try #require(await waiting.line(on: .messages) { $0.hasSuffix("is uploaded") })
        let id = try #require(line.split(separator: " ").first.map(String.init))
        #expect(try await pipeline.clairo("cancel", id).status == 0)
        let outcome = try await waiting.outcome()
        #expect(outcome.status == 75 && outcome.errors.contains("Video \(id) is cancelled"), "\(outcome)")
        #expect(outcome.errors.contains("clairo retry \(id)"))
    }

    @Test func runUploadsNothingWithAnUnknownProfile() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let outcome = try await pipeline.clairo("run", try await Clip(seconds: 2).make().path, "--profile", "nobody")
        #expect(outcome.status == 78 && outcome.errors.contains("Profile nobody does not exist"), "\(outcome)")
        #expect(try await pipeline.site.inspect { try await $0.videos(VideoFilter()) }.isEmpty)
    }

    @Test func uploadRefusesAnUnknownProfile() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let outcome = try await pipeline.clairo(
            "upload", try await Clip(seconds: 2).make().path, "--profile", "nobody")
        #expect(outcome.status == 78 && outcome.errors.contains("Profile nobody does not exist"), "\(outcome)")
        #expect(try await pipeline.site.inspect { try await $0.videos(VideoFilter()) }.isEmpty)
    }

    @Test func runFailsIfTheQueueCannotBeSetUp() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let outcome = try await pipeline.site.clairo(
            "run", try await Clip(seconds: 2).make().path, "--queue", "kafka://127.0.0.1:1", "-X",
            "security.protocol=ssl", "-X", "ssl.ca.location=/nonexistent")
        #expect(outcome.status == 78 && outcome.errors.contains("ssl.ca.location"), "\(outcome)")
    }

    @Test func aDryRunReportsOnlyWhatItCounts() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let nothing = "0 objects, 0 abandoned uploads, 0 partial files (0 bytes), 0 deleted videos"
        let dry = try await pipeline.clairo("gc", "--dry-run")
        #expect(dry.status == 0 && dry.text == "would remove \(nothing)\n", "\(dry)")
        let outcome = try await pipeline.clairo("gc")
        #expect(outcome.text == "removed \(nothing), 0 dead letters, 0 rows\n", "\(outcome)")
    }

    @Test func anAgeWithoutAUnitIsRefused() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        #expect(try await pipeline.clairo("gc", "--older-than", "7").status == 64)
        #expect(try await pipeline.clairo("gc", more: ["CLAIRO_GC_OLDER_THAN": "7"]).status == 78)
        #expect(try await pipeline.clairo("consume", "--gc-interval", "60").status == 78)
        #expect(try await pipeline.clairo("consume", "--until-idle", "--gc-older-than", "7").status == 78)
    }

    @Test func garbageCollectionCountsInterruptedUploadsAndRemovesTheirBytes() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 2).make()
        let upload = try pipeline.start(
            ["upload", source.path, "--progress", "none"], more: ["CLAIRO_CRASH_AT": "upload.sent"])
        #expect(try await upload.outcome().signal != nil)
        let kept = try await pipeline.clairo("gc", "--older-than", "1w")
        #expect(kept.text.contains(", 0 abandoned uploads,"), "it can be continued for a week: \(kept)")
        let dry = try await pipeline.clairo("gc", "--older-than", "0s", "--dry-run")
        #expect(dry.text.contains(", 1 abandoned uploads,") && !dry.text.contains("(0 bytes)"), "\(dry)")
        let outcome = try await pipeline.clairo("gc", "--older-than", "0s")
        #expect(outcome.text.contains(", 1 abandoned uploads,") && !outcome.text.contains("(0 bytes)"), "\(outcome)")
        #expect(try await pipeline.clairo("gc", "--older-than", "0s").text.contains(", 0 abandoned uploads,"))
        let left = try FileManager.default.subpathsOfDirectory(atPath: scratch.path("home/raw"))
        #expect(left.allSatisfy { $0 == ".uploads" }, "\(left)")
    }

    /// The schedule of the daemon, not `clairo gc`.
    @Test func aWorkerRemovesWhatIsObsolete() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let (doomed, kept) = (
            try await pipeline.upload(try await Clip(seconds: 2).make()),
            try await pipeline.upload(try await Clip(seconds: 3).make())
        )
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
        #expect(try await pipeline.clairo("rm", "--no-wait", doomed.rawValue).text == "\(doomed) is being deleted\n")
        #expect(try await pipeline.video(doomed).state == .deleting)
        for command in ["retry", "cancel"] {
            let refused = try await pipeline.clairo(command, doomed.rawValue)
            #expect(refused.status == 64 && refused.errors.contains("is being deleted"), "\(refused)")
        }
        let worker = try pipeline.consumer("--gc-interval", "1s")
        try await eventually { try await pipeline.site.inspect { try await $0.video(doomed) } == nil }
        worker.send(SIGTERM)
        #expect(try await worker.outcome().status == 0)
        try await pipeline.audit([kept])
    }

    @Test func rmDeletesAVideoWhileItIsProcessed() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 5).make())
        #expect(try await pipeline.consumer("--once", "--concurrency", "1").outcome().status == 0)
        let dry = try await pipeline.clairo("rm", "--dry-run", id.rawValue)
        #expect(dry.text.hasSuffix("would delete \(id) with 1 objects\n"), "\(dry)")
        #expect(try await pipeline.video(id).state == .processing)
        let outcome = try await pipeline.clairo("rm", id.rawValue)
        #expect(outcome.status == 0 && outcome.text.hasPrefix("\(id) is deleted: 1 objects, "), "\(outcome)")
        #expect(try await pipeline.clairo("rm", id.rawValue).text == "\(id) was deleted before\n")
        #expect(try await pipeline.clairo("rm", VideoID.make().rawValue).status == 66)
        #expect(try await pipeline.clairo("status", id.rawValue).status == 66)
        let left = try FileManager.default.subpathsOfDirectory(atPath: scratch.path("home/raw"))
        #expect(left.isEmpty, "\(left)")
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
    }

    @Test func anUnknownProfileFailsTheVideoAndNotTheWorker() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let source = try await Clip(seconds: 2).make()
        // The uploader has no profiles, so it cannot refuse the name.
        let upload = try await pipeline.clairo(
            "upload", source.path, "--profile", "nobody", more: ["CLAIRO_PROFILES": ""])
        #expect(upload.status == 0 && upload.errors.contains("nobody is not checked"), "\(upload)")
        let lost = try #require(VideoID(upload.text.trimmingCharacters(in: .newlines)))
        let fine = try await pipeline.upload(try await Clip(seconds: 3).make())
        let outcome = try await pipeline.consumer("--until-idle").outcome()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await pipeline.video(lost).error?.message == "Profile nobody does not exist")
        #expect(try await pipeline.video(fine).state == .ready)
    }

    @Test func garbageCollectionWithTheWrongDatabaseKeepsPublishedVideos() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        #expect(try await pipeline.consumer("--until-idle").outcome().status == 0)
        let otherDatabase = ["CLAIRO_DATABASE": "sqlite:\(scratch.path("other.db"))"]
        #expect(try await pipeline.clairo("gc", "--full", "--older-than", "0s", more: otherDatabase).status == 0)
        try await pipeline.audit([id])
    }

    @Test(arguments: [["--kinds", "plan,dance"], ["--stages", "dance"], ["--concurrency", "0"], ["--lease", "0"]])
    func invalidOptionsAreRefused(_ arguments: [String]) async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        #expect(try await pipeline.start(["consume"] + arguments).outcome().status == 64)
    }

    @Test(arguments: [
        ["--queue", "http://x"], ["--queue", "kafka://"], ["--queue", "kafka://b:1", "-X", "no.such.thing=1"],
        ["--queue", "kafka://b:1", "-X", "enable.auto.commit=true"],
    ])
    func anInvalidQueueIsAConfigurationError(_ arguments: [String]) async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let outcome = try await pipeline.start(["consume"] + arguments).outcome()
        #expect(outcome.status == 78, "\(outcome)")
    }
}
