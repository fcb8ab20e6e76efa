import AWSSigning
import ClairoCore
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoExecutors

/// Tasks on ECS that do not end well, and the calls to ECS meanwhile. Nothing runs here, and no time passes;
/// `ExecutorContractTests` runs real tasks.
@Suite(.mostlyWaits, .enabled(if: ECSStandIn.isAvailable, "moto_server or rclone is not installed"))
struct ECSExecutorTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let settings = TranscodeSettings(heights: [96], preset: "ultrafast")

    private func spec(_ job: TaskJob) throws -> TaskSpec { try job.spec(.plan(job.planRequest)) }

    /// The error of a task, with a clock that needs no real time.
    private func error(
        _ fixture: ECSFixture, clock: VirtualClock = VirtualClock(), pace: ECSExecutor.Pace = ECSExecutor.Pace()
    ) async throws -> ClairoError? {
        let job = try await fixture.job(Data("film".utf8), name: "film", settings: Self.settings)
        let executor = try fixture.executor(clock: clock.clock, pace: pace)
        let spec = try spec(job)
        do throws(ClairoError) {
            _ = try await executor.run(spec, io: job.io, observer: TaskObserver(), stop: StopRequest())
            return nil
        } catch {
            return error
        }
    }

    /// Whether nothing is left in the exchange.
    private func isClear(_ fixture: ECSFixture) async throws -> Bool {
        try await ECSFixture.contents(of: fixture.exchange).isEmpty
    }

    static let endings: [(ECSStandIn.Outcome, ClairoError.Kind, String)] = [
        (.refused(["RESOURCE:MEMORY"]), .capacity, "RESOURCE:MEMORY"),
        (.refused(["RESOURCE:CPU", "RESOURCE:FARGATE"]), .capacity, "RESOURCE:FARGATE"),
        (.refused(["CAPACITY"]), .capacity, "CAPACITY"),
        (.refused(["Capacity is unavailable at this time."]), .capacity, "unavailable"),
        (.refused(["ATTRIBUTE"]), .defect, "ATTRIBUTE"),
        (.refused([]), .capacity, "no reason"),
        (.stopped(code: "SpotInterruption", reason: "Your Spot Task was interrupted."), .transient, "reclaimed"),
        (.stopped(code: "TerminationNotice"), .transient, "reclaimed"),
        (
            .stopped(
                code: "EssentialContainerExited", reason: "Essential container in task exited",
                containerReason: "OutOfMemoryError: Container killed due to memory usage", exit: 137), .defect,
            "out of memory"
        ),
        (.stopped(code: "EssentialContainerExited", exit: 1), .defect, "exit 1"),
        (.stopped(code: "EssentialContainerExited", exit: 0), .defect, "without a result"),
        (.stopped(code: "EssentialContainerExited", exit: 137), .defect, "exit 137"),
        (.stopped(code: "EssentialContainerExited", exit: 143), .transient, "exit 143"),
        (.stopped(code: "EssentialContainerExited", exit: 69), .transient, "exit 69"),
        (.stopped(code: "EssentialContainerExited", exit: 77), .refused, "settings"),
        (.stopped(code: "UserInitiated", reason: "Task stopped by user"), .transient, "Task stopped by user"),
        (.stopped(code: "ServiceSchedulerInitiated"), .transient, "from outside"),
        (
            .stopped(code: "TaskFailedToStart", reason: "CannotPullContainerError: not found"), .defect,
            "CannotPullContainerError"
        ),
        (
            .stopped(code: "TaskFailedToStart", reason: "Capacity is unavailable at this time. Please try again later"),
            .capacity, "no capacity"
        ),
        (
            .stopped(code: "TaskFailedToStart", reason: "Timeout waiting for network interface provisioning"),
            .transient, "could not start"
        ),
        (.vanishes(afterLooks: 1), .transient, "was lost"),
        (.vanishes(afterLooks: 0), .transient, "was lost"),
        (.stuck("PENDING"), .capacity, "did not start"),
        (.stuck("RUNNING"), .transient, "no heartbeat"),
    ]

    @Test(arguments: endings.indices) func theStopReasonDeterminesTheKindOfTheError(_ index: Int) async throws {
        let (outcome, kind, words) = Self.endings[index]
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.setOutcomes(outcome)
        let error = try #require(try await error(fixture))
        #expect(error.kind == kind, "\(error)")
        #expect(error.message.contains(words), "\(error)")
        #expect(try await isClear(fixture))
        // A task that may still be running is stopped.
        if case .stuck = outcome { #expect(fixture.standIn.calls("StopTask").count == 1) }
    }

    static let refusals: [(ECSStandIn.Answer, ClairoError.Kind, ClairoError.ExitCode, String)] = [
        (
            .init("RunTask", code: "ClusterNotFoundException", message: "Cluster not found."), .refused, .configuration,
            "the cluster does not exist"
        ),
        (
            .init("RunTask", code: "AccessDeniedException", message: "User is not authorized to perform: ecs:RunTask"),
            .refused, .noPermission, "not authorized"
        ),
        (
            .init("RunTask", code: "UnrecognizedClientException", message: "The security token is invalid."), .refused,
            .noPermission, "security token"
        ),
        (
            .init("RunTask", code: "InvalidParameterException", message: "Network Configuration must be provided"),
            .refused, .configuration, "Network Configuration"
        ),
        (
            .init("RunTask", code: "ClientException", message: "TaskDefinition not found."), .refused, .configuration,
            "TaskDefinition not found"
        ),
        (
            .init(
                "RunTask", code: "ClientException",
                message: "You've reached the limit on the number of vCPUs you can run concurrently"), .capacity,
            .temporary, "reached the limit"
        ),
        (
            .init(
                "RunTask", code: "ClientException",
                message: "The quota of tasks in the PROVISIONING state has been reached"), .capacity, .temporary,
            "PROVISIONING"
        ),
        (.init("RunTask", code: "LimitExceededException"), .capacity, .temporary, "LimitExceededException"),
        (.init("RunTask", code: "ThrottlingException", times: 99), .transient, .temporary, "after 6 attempts"),
        (.init("RunTask", status: 500, code: "ServerException", times: 99), .transient, .temporary, "after 6 attempts"),
        (.init("RunTask", code: "ConflictException"), .defect, .software, "ConflictException"),
    ]

    @Test(arguments: refusals.indices) func ecsRejectionsAreReportedWithKindAndAdvice(_ index: Int) async throws {
        let (answer, kind, code, words) = Self.refusals[index]
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.answer(answer)
        let error = try #require(try await error(fixture))
        #expect(error.kind == kind && error.exitCode == code, "\(error)")
        #expect(error.message.contains(words), "\(error)")
        #expect(!"\(error)".contains(S3Server.credentials.secretAccessKey) && !"\(error)".contains("Signature"))
        #expect(try await isClear(fixture))
    }

    @Test func aThrottledCallIsRetriedWithIncreasingPauses() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.answer(
            .init("RunTask", code: "ThrottlingException", times: 2),
            .init("RunTask", status: 503, code: "ServiceUnavailable", headers: ["retry-after": "7"]))
        fixture.standIn.setOutcomes(.stopped(code: "SpotInterruption"))
        let clock = VirtualClock()
        #expect(try await error(fixture, clock: clock)?.message.contains("reclaimed") == true)
        let calls = fixture.standIn.calls("RunTask")
        #expect(calls.count == 4)
        #expect(
            Set(calls.map { $0.value("clientToken") as? String }).count == 1, "one task, however often it is asked for")
        #expect(clock.slept.contains { $0 >= 7 }, "it waits as long as ECS requests")
    }

    @Test func throttledDescribeCallsDoNotFailTheTask() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.answer(.init("DescribeTasks", code: "ThrottlingException", times: 8))
        fixture.standIn.setOutcomes(.stopped(code: "SpotInterruption"))
        #expect(try await error(fixture)?.message.contains("reclaimed") == true)
    }

    @Test func aRefusalWhileTheTaskRunsIsWaitedFor() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.answer(.init("DescribeTasks", code: "ExpiredTokenException", times: 3))
        fixture.standIn.setOutcomes(.stopped(code: "SpotInterruption"))
        #expect(try await error(fixture)?.message.contains("reclaimed") == true)
    }

    @Test func runTaskUsesTheSettings() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.setOutcomes(.stopped(code: "SpotInterruption"), .stopped(code: "SpotInterruption"))
        _ = try await error(fixture)
        var call = try #require(fixture.standIn.calls("RunTask").first)
        #expect(call.headers["content-type"] == "application/x-amz-json-1.1")
        #expect(call.headers["authorization"]?.contains("/us-east-1/ecs/aws4_request") == true)
        #expect(call.value("cluster") as? String == fixture.standIn.cluster)
        #expect(call.value("taskDefinition") as? String == fixture.standIn.taskDefinition)
        #expect(call.value("startedBy") as? String == "clairo")
        #expect(call.value("launchType") as? String == "FARGATE" && call.value("capacityProviderStrategy") == nil)
        #expect((call.value("clientToken") as? String ?? "").utf8.count <= 64)
        let network = ["networkConfiguration", "awsvpcConfiguration"]
        #expect(call.value(network[0], network[1], "subnets") as? [String] == [fixture.standIn.subnet])
        #expect(call.value(network[0], network[1], "assignPublicIp") as? String == "DISABLED")
        let command = call.value("overrides", "containerOverrides", "0", "command") as? [String]
        #expect(command?.dropLast() == ["run-task", "--spec"])
        #expect(command?.last?.hasPrefix("s3://") == true && command?.last?.hasSuffix("/spec.json") == true)
        let text = String(decoding: call.body, as: UTF8.self)
        #expect(!text.contains("X-Amz-") && !text.contains(S3Server.credentials.secretAccessKey), "no secret")

        var spot = fixture.placement
        spot.capacityProviders = try ECSPlacement.CapacityProvider.list("FARGATE=1+2,FARGATE_SPOT=4")
        spot.assignsPublicIP = true
        let job = try await fixture.job(Data("film".utf8), name: "film", settings: Self.settings)
        let executor = try fixture.executor(clock: VirtualClock().clock, placement: spot)
        await #expect(throws: ClairoError.self) {
            try await executor.run(spec(job), io: job.io, stop: StopRequest())
        }
        call = try #require(fixture.standIn.calls("RunTask").last)
        #expect(call.value("launchType") == nil)
        #expect(call.value("capacityProviderStrategy", "0", "base") as? Int == 2)
        #expect(call.value("capacityProviderStrategy", "1", "capacityProvider") as? String == "FARGATE_SPOT")
        #expect(call.value("capacityProviderStrategy", "1", "weight") as? Int == 4)
        #expect(call.value(network[0], network[1], "assignPublicIp") as? String == "ENABLED")
    }

    @Test func aLostReplyStartsNoSecondTask() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.setOutcomes(.stopped(code: "SpotInterruption"), .stopped(code: "EssentialContainerExited"))
        let proxy = try FaultProxy(
            to: UInt16(try #require(fixture.standIn.endpoint.split(separator: ":").last.map(String.init)))
                ?? 0, [FaultProxy.Rule(.dropReply, "POST")])
        scratch.onCleanup { proxy.stop() }
        let job = try await fixture.job(Data("film".utf8), name: "film", settings: Self.settings)
        let client = try fixture.client(clock: VirtualClock().clock, endpoint: proxy.endpoint)
        let executor = ECSExecutor(client, placement: fixture.placement, exchange: try fixture.exchange)
        await #expect { try await executor.run(spec(job), io: job.io, stop: StopRequest()) } throws: {
            ($0 as? ClairoError)?.message.contains("reclaimed") == true
        }
        #expect(fixture.standIn.calls("RunTask").count == 2)
    }

    @Test func aHundredTasksAreDescribedInOneCall() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        let client = try fixture.client(clock: VirtualClock().clock)
        let watch = TaskWatch(client, cluster: fixture.standIn.cluster)
        let arns = (0..<150).map { "arn:aws:ecs:us-east-1:1:task/\(fixture.standIn.cluster)/\($0)" }
        for arn in arns { watch.add(arn) }
        let seen = try await onDedicatedThread(name: "looks") {
            try arns.compactMap { try watch.look(at: $0, noOlderThan: 1, stop: StopRequest()) }
        }
        #expect(seen.isEmpty)
        let sizes = fixture.standIn.calls("DescribeTasks").map { ($0.value("tasks") as? [String])?.count ?? 0 }
        #expect(sizes == [100, 50])
    }

    /// A task on ECS writes its own result, so the result must be checked.
    @Test(arguments: [
        (TaskResult(plan: MetadataSamples.plan), [FileRecord]()), (TaskResult(usage: TaskUsage(cpuSeconds: 1e308)), []),
        (TaskResult(), [FileRecord(key: "x", bytes: .max, sha256: String(repeating: "0", count: 64))]),
    ]) func anImpossibleResultIsADefect(result: TaskResult, files: [FileRecord]) async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.setOutcomes(.stuck("RUNNING"))
        var pace = ECSFixture.quick
        pace.stopping = 0
        let executor = try fixture.executor(pace: pace)
        let job = try await fixture.job(Data("film".utf8), name: "film", settings: Self.settings)
        let spec = job.spec(.chunk(Plan.sample(chunks: 1, segmentsPerChunk: 1), index: 0))
        let running = Task { try await executor.run(spec, io: job.io, stop: StopRequest()) }
        let exchange = try fixture.exchange
        var folder: String?
        try await eventually {
            let keys = try await ECSFixture.contents(of: exchange).keys
            folder = keys.first { $0.hasSuffix("/spec.json") }.map { String($0.dropLast("spec.json".count)) }
            return folder != nil
        }
        let place = Exchange(store: exchange, folder: try #require(folder))
        let forged = ExchangeResult(taskID: spec.taskID, attempt: spec.attempt, result: result, files: files)
        try await onDedicatedThread(name: "forger") { try place.write(forged, ExchangeResult.key) }
        await #expect { try await running.value } throws: {
            let error = $0 as? ClairoError
            return error?.kind == .defect && error?.message.contains("sent an invalid result") == true
        }
    }

    @Test func theNumberOfPendingTasksIsLimited() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.setOutcomes(.stuck("PENDING"), .stopped(code: "SpotInterruption"))
        var pace = ECSFixture.quick
        pace.pending = 1
        pace.stopping = 0
        let executor = try fixture.executor(pace: pace)
        let job = try await fixture.job(Data("film".utf8), name: "film", settings: Self.settings)
        let (first, second) = (StopRequest(), StopRequest())
        let (one, two) = (try spec(job), try spec(job))
        let waiting = Task { try await executor.run(one, io: job.io, stop: first) }
        try await eventually { fixture.standIn.calls("DescribeTasks").count > 1 }
        let behind = Task { try await executor.run(two, io: job.io, stop: second) }
        try await eventually { fixture.standIn.calls("DescribeTasks").count > 3 }
        #expect(fixture.standIn.calls("RunTask").count == 1)
        first.cancel()
        await #expect(throws: ClairoError.cancelled) { try await waiting.value }
        await #expect { try await behind.value } throws: { ($0 as? ClairoError)?.kind == .transient }
        #expect(fixture.standIn.calls("RunTask").count == 2)
    }

    @Test func mediaOutsideS3IsAConfigurationError() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        let executor = try fixture.executor()
        var job = TaskJob(source: MemorySource(Data([1])), name: "x", settings: Self.settings)
        job.remote = RemoteOutput(store: DirectoryStore(root: scratch.url("out"))) { _ in }
        let request = TaskSpec.PlanRequest(
            source: SourceFingerprint(name: "x", size: 1, identity: ""), settings: Self.settings)
        for store in [DirectoryStore(root: scratch.url("out")) as any BackingStore, try fixture.output] {
            job.remote = RemoteOutput(store: store) { _ in }
            let (spec, io) = (job.spec(.plan(request)), job.io)
            await #expect { try await executor.run(spec, io: io, stop: StopRequest()) } throws: {
                ($0 as? ClairoError)?.exitCode == .configuration && "\($0)".contains("S3")
            }
        }
        #expect(fixture.standIn.calls("RunTask").isEmpty)
    }

    @Test func theCheckReportsEachMissingPart() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        func words(_ change: (inout ECSPlacement) -> Void) async throws -> String {
            var placement = fixture.placement
            change(&placement)
            do {
                return try await fixture.executor(placement: placement).check()
            } catch let error as ClairoError {
                #expect(error.exitCode == .configuration, "\(error)")
                return "\(error)"
            }
        }
        #expect(try await words { _ in }.contains("\(fixture.standIn.taskDefinition):1, container clairo"))
        #expect(try await words { $0.cluster = "none" }.contains("No active ECS cluster none"))
        #expect(try await words { $0.taskDefinition = "none" }.contains("none"))
        #expect(try await words { $0.container = "none" }.contains("no container none"))
        #expect(try await words { $0.subnets = [] }.contains("--ecs-subnets"))
        #expect(
            try await words { $0.capacityProviders = [.init(capacityProvider: "MINE", weight: 1)] }.contains(
                "no capacity provider MINE"))
    }

    @Test func countsClairosTasksByStatusWithCPUAndMemory() async throws {
        let fixture = try await ECSFixture.make(in: scratch)
        fixture.standIn.setOutcomes(.stuck("RUNNING"), .stuck("RUNNING"), .stopped(code: "SpotInterruption"))
        let client = try fixture.client()
        let job = try await fixture.job(Data("film".utf8), name: "film", settings: Self.settings)
        let service = ECSService(
            client: client, placement: fixture.placement, exchange: try fixture.exchange, access: nil, arguments: [],
            environment: [:], pace: ECSExecutor.Pace(), watch: TaskWatch(client, cluster: fixture.standIn.cluster),
            pending: PendingGate(1)
        )
        for _ in 0..<3 {
            let request = service.request(try spec(job), specURL: "s3://x/spec.json")
            _ = try await onDedicatedThread(name: "start") { try client.runTask(request, stop: StopRequest()) }
        }
        let statistics = try await ECSTaskStatistics.take(client, placement: fixture.placement)
        #expect(statistics.tasks["RUNNING"] == .init(count: 2, cpus: 4, memory: Double(2 * 4096 << 20)))
        #expect(statistics.tasks["STOPPED"]?.count == 1 && statistics.stopped == ["SpotInterruption": 1])
    }
}
