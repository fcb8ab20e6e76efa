import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Workers whose tasks run on ECS.
@Suite(
    .enabled(if: ECSStandIn.isAvailable && PipelineSite.Kind.services.isAvailable, "servers are missing"),
    .mostlyWaits, .ownThreads)
struct ECSTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test func aPipelineProcessesAVideoWithTasksOnECS() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let ecs = try await ECSStandIn.start(environment: pipeline.site.environment.containerPart, in: scratch)
        // The first task's machine is reclaimed; the second task finds no capacity.
        ecs.setOutcomes(.stopped(code: "SpotInterruption", reason: "Your Spot Task was interrupted."))
        let id = try await pipeline.upload(try await Clip(seconds: 5).make())
        _ = try pipeline.relay()
        let consumed = try await pipeline.start(
            ["consume", "--until-idle", "--executor", "ecs", "--concurrency", "4", "--lease", "3000"],
            more: ecs.settings
        ).outcome()
        #expect(consumed.status == 0, "\(consumed)")
        #expect(consumed.errors.contains("tasks run on ECS: \(ecs.cluster)"), "\(consumed)")
        #expect(consumed.errors.contains("SpotInterruption"), "\(consumed)")
        #expect(try await pipeline.video(id).state == .ready, "\(consumed)")
        let tasks = try await pipeline.tasks(id)
        #expect(tasks.count { $0.kind == .chunk } > 1)
        #expect(tasks.count { $0.attempt == 2 } == 1 && tasks.allSatisfy { $0.state == .succeeded })
        // A call with a late reply is repeated with the same token.
        let tokens = Set(ecs.calls("RunTask").map { $0.value("clientToken") as? String })
        #expect(tokens.count == tasks.count + 1)
        // CPU and memory are those of the ECS task.
        #expect(tasks.allSatisfy { $0.result?.usage.cpuSeconds == ECSStandIn.cpuSeconds })
        try await pipeline.audit([id])
    }

    @Test func runProcessesAVideoOnECS() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        let ecs = try await ECSStandIn.start(environment: server.environment, in: scratch)
        let outcome = try await ClairoProcess.run(
            arguments: ["run", "--executor", "ecs", try await Clip(seconds: 2).make().path],
            environment: server.environment.merging(ecs.settings) { $1 }.merging([
                "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path,
                "CLAIRO_RAW_STORE": "s3://\(bucket)/raw", "CLAIRO_OUTPUT_STORE": "s3://\(bucket)/out",
                "CLAIRO_ECS_OUTPUT_ROLE": "arn:aws:iam::123456789012:role/output",
            ]) { $1 })
        #expect(outcome.status == 0 && outcome.text.contains(/state +ready/), "\(outcome)")
        #expect(!outcome.errors.contains("ecs-output-role"), "\(outcome)")
        // Each task gets credentials for the folder of its job.
        let (sessions, tasks) = (ecs.calls("AssumeRole"), ecs.calls("RunTask"))
        #expect(sessions.count == tasks.count && !tasks.isEmpty)
        for session in sessions {
            let policy = try #require(session.field("Policy"))
            #expect(policy.contains(/"Resource":"arn:aws:s3:::[a-z0-9-]+\/out\/videos\/[0-9a-f-]+\/[0-9a-f-]+\/\*"/))
            #expect(session.field("RoleSessionName")?.hasPrefix("clairo-") == true)
        }
        // Others can see what a task was started with.
        for task in tasks { #expect(!String(decoding: task.body, as: UTF8.self).contains("session")) }
    }

    @Test func aRoleForOutputThatIsNoARNIsRefused() async throws {
        let settings = [
            "CLAIRO_ECS_CLUSTER": "c", "CLAIRO_ECS_TASK_DEFINITION": "t", "CLAIRO_RAW_STORE": "s3://b/raw",
            "CLAIRO_OUTPUT_STORE": "s3://b/out", "CLAIRO_ECS_OUTPUT_ROLE": "output",
        ]
        let outcome = try await clairo(["consume", "--until-idle", "--executor", "ecs"], settings)
        #expect(outcome.status == 78 && outcome.errors.contains("ecs-output-role"), "\(outcome)")
    }

    @Test func aCancelledVideoStopsItsTasks() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch, chunkSeconds: 60)
        let ecs = try await ECSStandIn.start(environment: pipeline.site.environment.containerPart, in: scratch)
        _ = try pipeline.relay()
        let id = try await pipeline.upload(try await Clip.long.make())
        let worker = try pipeline.start(
            ["consume", "--executor", "ecs", "--lease", "30"], more: ecs.settings)
        #expect(await worker.line(on: .messages) { $0.contains("kind=chunk") && $0.contains("began") } != nil)
        try await eventually { ecs.calls("RunTask").count > 1 }
        #expect(try await pipeline.clairo("cancel", id.rawValue).status == 0)
        #expect(await worker.line(on: .messages) { $0.contains("claim lost") } != nil)
        try await eventually { !ecs.calls("StopTask").isEmpty }
        for process in ecs.processes { _ = try await process.outcome() }
        worker.send(SIGTERM)
        #expect(try await worker.outcome().status == 0)
    }

    @Test func aWorkerThatECSRefusesWaitsUntilItIsAllowed() async throws {
        let pipeline = try await PipelineSite.make(.services, in: scratch)
        let ecs = try await ECSStandIn.start(environment: pipeline.site.environment.containerPart, in: scratch)
        ecs.answer(
            .init(
                "RunTask", code: "AccessDeniedException", message: "not authorized to perform: iam:PassRole", times: 3))
        let id = try await pipeline.upload(try await Clip(seconds: 2).make())
        _ = try pipeline.relay()
        let worker = try pipeline.start(["consume", "--executor", "ecs"], more: ecs.settings)
        #expect(
            await worker.line(on: .messages) { $0.contains("error_kind=refused") && $0.contains("iam:PassRole") } != nil
        )
        try await pipeline.untilFinal([id])
        #expect(try await pipeline.video(id).state == .ready)
        #expect(try await pipeline.tasks(id).allSatisfy { $0.attempt <= 4 })
        worker.send(SIGTERM)
        #expect(try await worker.outcome().status == 0)
    }

    // MARK: Settings

    private func clairo(_ arguments: [String], _ environment: [String: String]) async throws -> ChildProcess.Outcome {
        try await ClairoProcess.run(
            arguments: arguments,
            environment: ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path].merging(environment) { $1 })
    }

    @Test func missingSettingsAreReportedBeforeAnyTaskIsClaimed() async throws {
        let ecs = ["CLAIRO_ECS_CLUSTER": "c", "CLAIRO_ECS_TASK_DEFINITION": "t"]
        let s3 = ["CLAIRO_RAW_STORE": "s3://b/raw", "CLAIRO_OUTPUT_STORE": "s3://b/out"]
        let wrong: [([String: String], String)] = [
            ([:], "--ecs-cluster"), (["CLAIRO_ECS_CLUSTER": "c"], "--ecs-task-definition"),
            (ecs, "--output-store"), (ecs.merging(["CLAIRO_OUTPUT_STORE": "s3://b/out"]) { $1 }, "--raw-store"),
            (ecs.merging(s3) { $1 }.merging(["CLAIRO_ECS_EXCHANGE": "file:/x"]) { $1 }, "ecs-exchange"),
            (ecs.merging(s3) { $1 }.merging(["CLAIRO_ECS_CAPACITY_PROVIDER": "A="]) { $1 }, "ecs-capacity-provider"),
            (ecs.merging(s3) { $1 }.merging(["CLAIRO_ECS_ASSIGN_PUBLIC_IP": "maybe"]) { $1 }, "ecs-assign-public-ip"),
        ]
        for (settings, words) in wrong {
            let outcome = try await clairo(["consume", "--until-idle", "--executor", "ecs"], settings)
            #expect(outcome.status == 78 && outcome.errors.contains(words), "\(settings): \(outcome)")
        }
    }

    @Test func doctorChecksTheClusterAndTheTaskDefinition() async throws {
        let server = try await S3Server.shared(.rclone)
        let bucket = try await server.makeBucket()
        let ecs = try await ECSStandIn.start(environment: server.environment, in: scratch)
        let environment = server.environment.merging(ecs.settings) { $1 }.merging([
            "CLAIRO_RAW_STORE": "s3://\(bucket)/raw", "CLAIRO_OUTPUT_STORE": "s3://\(bucket)/out",
        ]) { $1 }
        let well = try await clairo(["doctor"], environment)
        #expect(well.status == 0 && well.text.contains("ok    ecs: \(ecs.cluster)"), "\(well)")
        let none = try await clairo(["doctor", "--ecs-cluster", "none"], environment)
        #expect(none.status == 78 && none.text.contains("No active ECS cluster none"), "\(none)")
        let other = try await clairo(["doctor", "--ecs-container", "other"], environment)
        #expect(other.status == 78 && other.text.contains("no container other"), "\(other)")
    }

    // MARK: Metrics

    @Test func theMetricsPageCountsTheTasksOfTheCluster() async throws {
        let server = try await S3Server.shared(.rclone)
        let ecs = try await ECSStandIn.start(environment: server.environment, in: scratch)
        let exporter = try ClairoProcess.start(
            ["serve-metrics", "--listen", "127.0.0.1:0"],
            environment: server.environment.merging(ecs.settings) { $1 }.merging([
                "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path,
            ]) { $1 })
        scratch.onCleanup { exporter.send(SIGKILL) }
        let line = try #require(await exporter.line(on: .messages) { $0.contains("metrics on http://") })
        let address = try #require(line.components(separatedBy: "http://").last?.split(separator: "/").first)
        func page() async throws -> String {
            String(decoding: try await HTTPClient.send("GET", "http://\(address)/metrics").body, as: UTF8.self)
        }
        try await eventually { try await page().contains(#"clairo_scrape_success{source="ecs"} 1"#) }
        let text = try await page()
        for series in [
            #"clairo_ecs_tasks{status="RUNNING"} 0"#, #"clairo_ecs_task_cpus{status="STOPPED"} 0"#,
            #"clairo_ecs_task_memory_bytes{status="PENDING"} 0"#,
            #"clairo_ecs_tasks_stopped{code="SpotInterruption"} 0"#,
        ] { #expect(text.contains(series + "\n"), "\(series)\n\(text)") }
        exporter.send(SIGTERM)
        #expect(try await exporter.outcome().status == 0)
    }
}

extension [String: String] {
    /// The environment of a container of the task definition: S3, but neither database nor queue.
    fileprivate var containerPart: [String: String] { filter { $0.key.hasPrefix("AWS_") || $0.key == "NO_PROXY" } }
}
