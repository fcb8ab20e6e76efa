import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

/// A running pipeline, monitored by a real Prometheus with the rules and the dashboard that ship with Clairo.
@Suite(.mostlyWaits, .ownThreads, .enabled(if: PrometheusServer.isInstalled)) struct PrometheusTests {
    private let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static let deploy = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent("Scripts/deploy")
    private static let rules = deploy.appendingPathComponent("prometheus/clairo.rules.yml").path

    /// `host:port` of a daemon's metrics.
    private func metrics(of process: ChildProcess) async throws -> String {
        let line = try #require(await process.line(on: .messages) { $0.contains("metrics on http://") })
        let address = try #require(line.components(separatedBy: "http://").last?.split(separator: "/").first)
        return String(address)
    }

    @Test(arguments: PipelineSite.Kind.available)
    func everyQueryOfTheDashboardAndTheAlertsReturnsData(_ kind: PipelineSite.Kind) async throws {
        let pipeline = try await PipelineSite.make(kind, in: scratch)
        let listen = ["--metrics-listen", "127.0.0.1:0"]
        let consumer = try pipeline.start(
            ["consume", "--lease", "300", "--concurrency", "2"] + listen)
        let server = try pipeline.start(["serve", "--listen", "127.0.0.1:0"] + listen)
        let exporter = try pipeline.start([
            "serve-metrics", "--listen", "127.0.0.1:0", "--bucket-usage", "--bucket-usage-interval", "1",
        ])
        var targets = [
            "clairo-consume": [try await metrics(of: consumer)], "clairo-serve": [try await metrics(of: server)],
            "clairo-pipeline": [try await metrics(of: exporter)],
        ]
        if kind == .services {
            let relay = try pipeline.start(["produce", "--follow"] + listen)
            targets["clairo-produce"] = [try await metrics(of: relay)]
        }
        let prometheus = try await PrometheusServer.start(scraping: targets, rules: [Self.rules], in: scratch)
        try await eventually { try await prometheus.query("sum(up)").values.first == Double(targets.count) }

        let api = try #require(await server.line(on: .messages) { $0.hasPrefix("Listening on ") })
        let film = try await Clip(width: 640, height: 360, seconds: 5).make()
        let sent = try await HTTPClient.send(
            "PUT", "\(api.dropFirst("Listening on ".count))/v1/videos/film.mp4", body: try Data(contentsOf: film))
        #expect(sent.status == 201)
        let id = try #require(sent.headers["clairo-video-id"].flatMap(VideoID.init))
        try await pipeline.untilFinal([id])
        #expect(try await pipeline.video(id).state == .ready)

        // Events are counted exactly.
        let tasks = try await pipeline.tasks(id)
        let chunks = Double(tasks.count { $0.kind == .chunk })
        let counts: [(String, Double)] = [
            (#"sum(clairo_jobs_total{result="ready"})"#, 1), (#"sum(clairo_jobs_total{result="failed"})"#, 0),
            (#"sum(clairo_tasks_ended_total{kind="chunk",outcome="succeeded"})"#, chunks),
            ("sum(clairo_tasks_ended_total)", Double(tasks.count)), ("sum(clairo_tasks_running)", 0),
            (#"round(sum(clairo_media_seconds_total{kind="chunk"}) * 10)"#, 50),
            ("sum(clairo_frames_encoded_total)", Double(tasks.reduce(0) { $0 + $1.framesPlanned })),
            (#"sum(clairo_frames_encoded_total{rendition="360p"})"#, 125),
            (#"sum(clairo_frames_encoded_total{rendition="240p"})"#, 125),
            ("sum(clairo_queue_wait_seconds_count)", Double(tasks.count)),
            ("sum(clairo_job_duration_seconds_count)", 1),
            (#"max(clairo_store_objects{store="raw"})"#, 1),
            (#"max(clairo_videos{state="ready"})"#, 1), (#"max(clairo_jobs{state="succeeded"})"#, 1),
            ("sum(clairo_sandbox_kills_total)", 0), ("max(clairo_outbox_due)", 0),
            (#"sum(clairo_http_requests_total{method="PUT",code="201"})"#, 1),
        ]
        for (query, expected) in counts {
            try await eventually("\(query)") { try await prometheus.query(query).values.first == expected }
        }
        func value(_ query: String) async throws -> Double {
            var found: Double?
            // A target that replies late is missing for one scrape.
            try await eventually("\(query)") {
                found = try await prometheus.query(query).values.first
                return found != nil
            }
            return try #require(found)
        }
        for step in ["read", "decode", "conform", "encode", "verify", "write"] {
            let series = #"{kind="chunk",step="\#(step)"}"#
            #expect(try await value("sum(clairo_step_duration_seconds_count\(series))") == chunks)
            #expect(try await value("sum(clairo_step_duration_seconds_sum\(series))") > 0)
        }
        let size = Double(try Data(contentsOf: film).count)
        #expect(try await value(#"clairo_store_bytes{store="raw"}"#) == size)
        #expect(try await value("min(clairo_disk_size_bytes)") > 1e6)
        let written = #"clairo_bytes_uploaded_total{job="clairo-serve",store="raw"}"#
        #expect(try await value(written) == size)
        let read = #"clairo_bytes_downloaded_total{job="clairo-consume",store="raw"}"#
        #expect(try await value(read) >= size / 2)

        // Rates need two scrapes of all current series. After that, every query returns data.
        let wanted = try Self.dashboardQueries() + Self.ruleQueries(alerts: false)
        #expect(wanted.count > 50)
        for query in wanted where try Self.isExpected(query, kind) {
            try await eventually("\(query)") { !(try await prometheus.query(query)).isEmpty }
        }
        // An alert's query only returns data while there is a problem, so only its syntax is checked here.
        for query in try Self.ruleQueries(alerts: true) { _ = try await prometheus.query(query) }

        for target in targets.values.flatMap({ $0 }) { try await Self.lint("http://\(target)/metrics", scratch) }
    }

    /// The shipped rules, without the duration for which a condition must hold before an alert fires.
    private func hastyRules() throws -> String {
        let rules = try String(contentsOfFile: Self.rules, encoding: .utf8)
        return try scratch.write(rules.replacing(/for: \d+[mh]/, with: "for: 2s"), to: "hasty.rules.yml")
    }

    @Test(.enabled(if: AlertmanagerServer.isInstalled))
    func aDeadWorkerIsReported() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let workers = try (0..<2).map { _ in try pipeline.start(["consume", "--metrics-listen", "127.0.0.1:0"]) }
        var addresses: [String] = []
        for worker in workers { addresses.append(try await metrics(of: worker)) }
        let notifications = Mutex<[String]>([])
        let receiver = try StubServer { _, body in
            notifications.withLock { $0.append(String(decoding: body, as: UTF8.self)) }
            return HTTPResponse(200, "")
        }
        defer { receiver.stop() }
        let manager = try await AlertmanagerServer.start(webhook: receiver.url, in: scratch)
        let prometheus = try await PrometheusServer.start(
            scraping: ["clairo-consume": addresses], rules: [try hastyRules()], alertmanager: manager.address,
            in: scratch)
        try await eventually { try await prometheus.query("sum(up)").values.first == 2 }

        workers[0].send(SIGKILL)
        let firing = #"ALERTS{alertname="ClairoDaemonDown",alertstate="firing",instance="\#(addresses[0])"}"#
        try await eventually { !(try await prometheus.query(firing)).isEmpty }
        try await eventually("\(notifications.withLock { $0 })") {
            notifications.withLock { $0.contains { $0.contains("ClairoDaemonDown") && $0.contains(addresses[0]) } }
        }
        // The running worker is not reported, except while it was late.
        var alerts: [AlertmanagerServer.Alert] = []
        try await eventually("\(alerts)") {
            alerts = try await manager.alerts().filter { $0.labels["alertname"] == "ClairoDaemonDown" }
            return alerts.map { $0.labels["instance"] } == [addresses[0]]
        }
        let alert = try #require(alerts.first)
        #expect(alert.labels["severity"] == "critical")
        #expect(alert.annotations["summary"] == "clairo-consume on \(addresses[0]) does not answer")
    }

    /// Metrics without data here: mock brokers do not list members of groups, nothing fails, no ECS cluster is
    /// configured, and a queue without Kafka has no lag.
    private static func isExpected(_ query: String, _ kind: PipelineSite.Kind) throws -> Bool {
        let unknown = ["kafka_consumergroup_members", "> 0", "clairo_ecs_task", #"outcome!~"success|notFound""#]
        let withServices = ["kafka", "consumergroup_lag", "clairo_s3_"]
        return !unknown.contains { query.contains($0) }
            && (kind == .services || !withServices.contains { query.contains($0) })
    }

    private static func lint(_ url: String, _ scratch: Scratch) async throws {
        let reply = try await HTTPClient.send("GET", url)
        #expect(reply.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
        let file = scratch.path(UUID().uuidString)
        try reply.body.write(to: URL(fileURLWithPath: file))
        let outcome = try await ChildProcess("sh", ["-c", "promtool check metrics < \"$0\"", file]).outcome()
        #expect(outcome.status == 0 && outcome.text.isEmpty && outcome.errors.isEmpty, "\(url): \(outcome)")
    }

    // MARK: Shipped rules and dashboard

    private static func dashboardQueries() throws -> [String] {
        let data = try Data(contentsOf: deploy.appendingPathComponent("grafana/clairo.json"))
        let dashboard = try #require(try JSONSerialization.jsonObject(with: data) as? [String: Any])
        let panels = try #require(dashboard["panels"] as? [[String: Any]])
        return panels.flatMap { $0["targets"] as? [[String: Any]] ?? [] }.compactMap { $0["expr"] as? String }
    }

    /// - Parameter alerts: Whether to return the queries of alerts instead of those of recording rules.
    private static func ruleQueries(alerts: Bool) throws -> [String] {
        try rules(kind: alerts ? "alert" : "record").compactMap { $0["expr"] }
    }

    /// Reads the rules line by line, because they are regular enough: a rule begins with `- alert:` or `- record:`, and
    /// its expression is one line or a folded block.
    private static func rules(kind: String) throws -> [[String: String]] {
        var found: [[String: String]] = []
        var folding = false
        for line in try String(contentsOfFile: rules, encoding: .utf8).components(separatedBy: "\n") {
            let text = line.trimmingCharacters(in: .whitespaces)
            if let name = text.prefix(after: "- alert: ") ?? text.prefix(after: "- record: ") {
                found.append(["name": name, "kind": text.hasPrefix("- alert") ? "alert" : "record"])
                folding = false
            } else if let expression = text.prefix(after: "expr: "), !found.isEmpty {
                folding = expression == ">-"
                found[found.count - 1]["expr"] = folding ? "" : expression
            } else if folding, line.hasPrefix("          ") {
                found[found.count - 1]["expr", default: ""] += " " + text
            } else {
                folding = false
            }
        }
        return found.filter { $0["kind"] == kind }
    }

    @Test func theRulesPassTheirTests() async throws {
        let folder = Self.deploy.appendingPathComponent("prometheus").path
        for arguments in [
            ["check", "rules", "clairo.rules.yml"], ["check", "config", "prometheus.yml"],
            ["test", "rules", "clairo.rules.test.yml"],
        ] {
            let outcome = try await ChildProcess("promtool", arguments, in: folder).outcome()
            #expect(outcome.status == 0, "\(arguments): \(outcome)")
        }
    }

    @Test func everyAlertHasATestAndARunbookEntry() throws {
        let folder = Self.deploy.appendingPathComponent("prometheus")
        let runbook = try String(contentsOf: folder.appendingPathComponent("RUNBOOK.md"), encoding: .utf8)
        let tests = try String(contentsOf: folder.appendingPathComponent("clairo.rules.test.yml"), encoding: .utf8)
        let text = try String(contentsOfFile: Self.rules, encoding: .utf8)
        let names = try Self.rules(kind: "alert").compactMap { $0["name"] }
        #expect(names.count > 15)
        for name in names {
            #expect(runbook.contains("\n## \(name)\n"), "\(name) has no page")
            #expect(text.contains("RUNBOOK.md#\(name.lowercased())\""), "\(name) does not name its page")
            #expect(tests.contains("alertname: \(name)\n"), "\(name) has no test")
        }
    }

    @Test func aDaemonServesItsOwnMetrics() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let consumer = try pipeline.start(["consume", "--metrics-listen", "127.0.0.1:0"])
        let address = try await metrics(of: consumer)
        let page = try await HTTPClient.send("GET", "http://\(address)/metrics")
        #expect(String(decoding: page.body, as: UTF8.self).contains("clairo_build_info{"))
        #expect(try await HTTPClient.send("GET", "http://\(address)/healthz").status == 200)
        #expect(try await HTTPClient.send("GET", "http://\(address)/readyz").status == 200)
        #expect(try await HTTPClient.send("GET", "http://\(address)/other").status == 404)
        #expect(try await HTTPClient.send("POST", "http://\(address)/metrics").status == 405)
        let busy = try await pipeline.start(["serve-metrics", "--listen", address]).outcome()
        #expect(busy.status == 78, "\(busy)")
        consumer.send(SIGTERM)
        #expect(try await consumer.outcome().status == 0)
    }

    // MARK: serve-metrics

    private func page(_ address: String) async throws -> String {
        String(decoding: try await HTTPClient.send("GET", "http://\(address)/metrics").body, as: UTF8.self)
    }

    @Test func anUnavailableSourceDoesNotAffectTheRestOfThePage() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        _ = try await pipeline.clairo("migrate")
        // Nothing listens on port 1.
        let exporter = try pipeline.start([
            "serve-metrics", "--listen", "127.0.0.1:0", "--queue", "kafka://127.0.0.1:1",
        ])
        let address = try await metrics(of: exporter)
        try await eventually { try await self.page(address).contains(#"clairo_scrape_success{source="database"} 1"#) }
        let page = try await page(address)
        #expect(page.contains(#"clairo_scrape_success{source="kafka"} 0"#), "\(page)")
        #expect(page.contains(#"clairo_videos{state="ready"} 0"#))
        #expect(page.contains("process_resident_memory_bytes"))
        exporter.send(SIGTERM)
        #expect(try await exporter.outcome().status == 0)
    }

    @Test func aDeadBrokerIsAFailedScrapeUntilItIsBack() async throws {
        let cluster = try await KafkaCluster.start()
        for topic in Topic.all { _ = try await cluster.makeTopic(topic, partitions: 3) }
        for partition in 0..<3 {
            try await cluster.setLeader(partition + 1, of: Topic.uploads, partition: partition)
        }
        let exporter = try await PipelineSite.make(.zeroService, in: scratch).start([
            "serve-metrics", "--listen", "127.0.0.1:0", "--queue", "kafka://\(cluster.brokers)",
        ])
        let address = try await metrics(of: exporter)
        func isRead(_ success: Int) async throws -> Bool {
            let page = try await page(address)
            return page.contains("clairo_scrape_success{source=\"kafka\"} \(success)")
                && page.contains("kafka_consumergroup_lag{") == (success == 1)
        }
        try await eventually { try await isRead(1) }
        try await cluster.takeDown(2)
        try await eventually { try await isRead(0) }
        try await cluster.bringUp(2)
        try await eventually { try await isRead(1) }
    }

    @Test func aDatabaseUnavailableAtStartIsUsedOnceItIsAvailable() async throws {
        let pipeline = try await PipelineSite.make(.zeroService, in: scratch)
        let file = scratch.path("late/clairo.db")
        // A file in place of the folder.
        try Data().write(to: scratch.url("late"))
        let exporter = try pipeline.start([
            "serve-metrics", "--listen", "127.0.0.1:0", "--database", "sqlite:\(file)",
        ])
        let address = try await metrics(of: exporter)
        #expect(try await page(address).contains(#"clairo_scrape_success{source="database"} 0"#))
        let readiness = try await HTTPClient.send("GET", "http://\(address)/readyz")
        #expect(readiness.status == 503 && readiness.text.hasPrefix("database: "), "\(readiness.text)")
        try FileManager.default.removeItem(atPath: scratch.path("late"))
        #expect(try await pipeline.clairo("migrate", "--database", "sqlite:\(file)").status == 0)
        try await eventually { try await page(address).contains(#"clairo_scrape_success{source="database"} 1"#) }
    }
}

extension String {
    fileprivate func prefix(after start: String) -> String? {
        hasPrefix(start) ? String(dropFirst(start.count)) : nil
    }
}
