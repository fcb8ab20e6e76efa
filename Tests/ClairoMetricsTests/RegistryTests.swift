import ClairoMetrics
import ClairoTestSupport
import CoreMetrics
import Foundation
import Testing

struct RegistryTests {
    private static let hits = MetricFamily.counter(
        "test_hits_total", "Hits of a \"page\"\nor a \\", labels: ["page", "by"])
    private static let level = MetricFamily.gauge("test_level_meters", "A level")
    private static let wait = MetricFamily.histogram("test_wait_seconds", "A wait", buckets: [0.5, 1, 2.5])
    private let registry = PrometheusRegistry([Self.hits, Self.level, Self.wait])

    private var page: String {
        var page = Exposition()
        registry.write(to: &page)
        return page.text
    }

    @Test func thePageIsInPrometheusTextFormat() {
        Counter(label: "test_hits_total", dimensions: [("by", "a\"b\\c\nd"), ("page", "x")], factory: registry)
            .increment()
        Counter(label: "test_hits_total", dimensions: [("by", "me"), ("page", "x")], factory: registry).increment(
            by: 41)
        FloatingPointCounter(label: "test_hits_total", dimensions: [("by", "me"), ("page", "x")], factory: registry)
            .increment(by: 0.5)
        Meter(label: "test_level_meters", factory: registry).set(-1.5)
        let timer = Timer(label: "test_wait_seconds", factory: registry)
        for milliseconds in [250, 500, 750, 9000] { timer.recordMilliseconds(milliseconds) }
        #expect(
            page == #"""
                # HELP test_hits_total Hits of a "page"\nor a \\
                # TYPE test_hits_total counter
                test_hits_total{page="x",by="a\"b\\c\nd"} 1
                test_hits_total{page="x",by="me"} 41.5
                # HELP test_level_meters A level
                # TYPE test_level_meters gauge
                test_level_meters -1.5
                # HELP test_wait_seconds A wait
                # TYPE test_wait_seconds histogram
                test_wait_seconds_bucket{le="0.5"} 2
                test_wait_seconds_bucket{le="1"} 3
                test_wait_seconds_bucket{le="2.5"} 3
                test_wait_seconds_bucket{le="+Inf"} 4
                test_wait_seconds_sum 10.5
                test_wait_seconds_count 4

                """#)
    }

    @Test func metricsWithoutLabelsAreExposedFromTheStart() {
        #expect(page.contains("test_level_meters 0\n") && page.contains("test_wait_seconds_count 0\n"))
        #expect(!page.contains("test_hits_total"), "a family without series is omitted")
    }

    @Test func renamedMetricsAndLabelsKeepTheirOldNamesForOneRelease() {
        let tasks = MetricFamily.gauge(
            "test_tasks", "Tasks", labels: ["kind", "state"], renamed: ["kind": "stage"])
        let errors = MetricFamily.counter(
            "test_errors_total", "Errors", labels: ["kind", "error"], renamed: ["kind": "stage", "error": "kind"],
            from: "test_failures_total")
        var page = Exposition()
        page.add(tasks, [.init(3, "chunk", "due")])
        page.add(errors, [.init(1, "chunk", "defect")])
        #expect(
            page.text == """
                # HELP test_tasks Tasks
                # TYPE test_tasks gauge
                test_tasks{kind="chunk",state="due",stage="chunk"} 3
                # HELP test_errors_total Errors
                # TYPE test_errors_total counter
                test_errors_total{kind="chunk",error="defect"} 1
                # HELP test_failures_total Deprecated: use test_errors_total
                # TYPE test_failures_total counter
                test_failures_total{stage="chunk",kind="defect"} 1

                """)
    }

    @Test func preparedSeriesStartAtZero() {
        registry.prepare(Self.hits, [["a", "b"]])
        #expect(page.contains(#"test_hits_total{page="a",by="b"} 0"#))
    }

    @Test func undeclaredNamesAndLabelsAreIgnored() {
        let before = page
        Counter(label: "other_total", factory: registry).increment()
        Counter(label: "test_hits_total", dimensions: [("page", "x"), ("video", "y")], factory: registry).increment()
        Counter(label: "test_hits_total", dimensions: [("page", "x")], factory: registry).increment()
        #expect(page == before)
    }

    @Test func countsFromManyThreadsAddUp() async {
        await withTaskGroup { group in
            for _ in 0..<8 {
                group.addTask { [registry] in
                    for _ in 0..<1000 {
                        Recorder(label: "test_wait_seconds", factory: registry).record(1)
                        Counter(label: "test_hits_total", dimensions: [("page", "x"), ("by", "y")], factory: registry)
                            .increment()
                    }
                }
            }
        }
        #expect(
            page.contains(#"test_hits_total{page="x",by="y"} 8000"#) && page.contains("test_wait_seconds_sum 8000\n"))
    }

    @Test func processMetricsAreExposed() {
        var figures = Exposition()
        ProcessMetrics.write(to: &figures)
        func value(_ name: String) -> Double {
            figures.text.split(separator: "\n").first { $0.hasPrefix(name + " ") }?.split(separator: " ").last
                .flatMap { Double($0) } ?? -1
        }
        #expect(value("process_resident_memory_bytes") > 1_000_000)
        #expect(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"))
        #expect(value("process_open_fds") > 2 && value("process_max_fds") >= value("process_open_fds"))
        #expect(value("process_cpu_seconds_total") >= 0)
        let age = Date().timeIntervalSince1970 - value("process_start_time_seconds")
        #expect(age > -2 && age < 24 * 3600)
    }

    @Test(.enabled(if: TestTools.path(of: "promtool") != nil))
    func promtoolAcceptsEveryDeclaredMetric() async throws {
        let registry = PrometheusRegistry(MetricFamily.daemon)
        for family in MetricFamily.daemon where !family.labels.isEmpty {
            registry.prepare(family, [family.labels.map { _ in "x" }])
        }
        var page = Exposition()
        registry.write(to: &page)
        ProcessMetrics.write(to: &page)
        let scratch = try Scratch()
        let file = try scratch.write(page.text, to: "metrics")
        let outcome = try await ChildProcess("sh", ["-c", "promtool check metrics < \"$0\"", file]).outcome()
        #expect(outcome.status == 0 && outcome.text.isEmpty && outcome.errors.isEmpty, "\(outcome)")
    }
}
