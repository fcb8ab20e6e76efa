import ClairoCore
import ClairoMetrics
import ClairoTestSupport
import Foundation
import Synchronization
import Testing

@testable import ClairoCommands

struct MetricsPageTests {
    private static let family = MetricFamily.gauge("test_level", "A level")

    private func page(_ level: Double) -> Exposition {
        var page = Exposition()
        page.add(Self.family, level)
        return page
    }

    @Test func aFreshResultIsServedFromTheCache() async {
        let asked = Atomic<Int>(0)
        let source = MetricsPage("s", freshness: .seconds(3600), timeout: .seconds(600)) {
            [page] () throws(ClairoError) in
            page(Double(asked.add(1, ordering: .relaxed).newValue))
        }
        _ = await source.write(to: Exposition())
        let text = await source.write(to: Exposition()).text
        #expect(text.contains("test_level 1\n") && text.contains(#"clairo_scrape_success{source="s"} 1"#))
    }

    @Test func aStaleResultIsReadAgain() async {
        let asked = Atomic<Int>(0)
        let source = MetricsPage("s", freshness: .zero, timeout: .seconds(600)) { [page] () throws(ClairoError) in
            page(Double(asked.add(1, ordering: .relaxed).newValue))
        }
        _ = await source.write(to: Exposition())
        #expect(await source.write(to: Exposition()).text.contains("test_level 2\n"))
    }

    @Test func aSlowSourceDoesNotDelayAPageAndIsReadOnce() async throws {
        let (gate, open) = AsyncStream<Never>.makeStream()
        let asked = Atomic<Int>(0)
        let source = MetricsPage("s", freshness: .zero, timeout: .milliseconds(1)) { [page] () throws(ClairoError) in
            asked.add(1, ordering: .relaxed)
            for await _ in gate {}
            return page(7)
        }
        for _ in 0..<3 {
            let text = await source.write(to: Exposition()).text
            #expect(!text.contains("test_level") && text.contains(#"clairo_scrape_success{source="s"} 0"#))
        }
        #expect(asked.load(ordering: .relaxed) == 1)
        open.finish()
        try await eventually { await source.write(to: Exposition()).text.contains("test_level 7\n") }
    }

    @Test func aPageNeverReadsAnExpensiveSource() async throws {
        let asked = Atomic<Int>(0)
        let (answers, answered) = AsyncStream<Void>.makeStream()
        let source = MetricsPage("s", freshness: .seconds(3600), timeout: nil) { [page] () throws(ClairoError) in
            asked.add(1, ordering: .relaxed)
            defer { answered.yield() }
            return page(7)
        }
        let before = await source.write(to: Exposition()).text
        #expect(!before.contains("test_level") && before.contains(#"clairo_scrape_success{source="s"} 0"#))
        #expect(asked.load(ordering: .relaxed) == 0)
        let keeping = Task { await source.keepFresh() }
        for await _ in answers { break }
        try await eventually { await source.write(to: Exposition()).text.contains("test_level 7\n") }
        #expect(asked.load(ordering: .relaxed) == 1)
        keeping.cancel()
        await keeping.value
    }

    @Test func aReadThatTakesTooLongIsAFailedScrape() async throws {
        let (gate, open) = AsyncStream<Never>.makeStream()
        let asked = Atomic<Int>(0)
        let reported = Mutex<[String?]>([])
        let source = MetricsPage(
            "s", freshness: .milliseconds(1), timeout: nil, limit: .zero,
            onTrouble: { error in reported.withLock { $0.append(error?.message) } }
        ) { [page] () throws(ClairoError) in
            if asked.add(1, ordering: .relaxed).newValue > 1 { for await _ in gate {} }
            return page(7)
        }
        let keeping = Task { await source.keepFresh() }
        try await eventually { asked.load(ordering: .relaxed) == 2 }
        let text = await source.write(to: Exposition()).text
        #expect(!text.contains("test_level") && text.contains(#"clairo_scrape_success{source="s"} 0"#))
        #expect(text.contains("clairo_scrape_age_seconds"))
        #expect(reported.withLock { $0.last } == "Not read within 0 s")
        open.finish()
        try await eventually { await source.write(to: Exposition()).text.contains("test_level 7\n") }
        keeping.cancel()
        await keeping.value
    }

    @Test func aFailureAndItsRecoveryAreReportedOnceEach() async {
        let reported = Mutex<[String?]>([])
        let fails = Mutex(true)
        let source = MetricsPage(
            "s", freshness: .zero, timeout: .seconds(600),
            onTrouble: { error in reported.withLock { $0.append(error?.message) } }
        ) {
            [page] () throws(ClairoError) in
            if fails.withLock({ $0 }) { throw .unavailable("away") }
            return page(1)
        }
        for _ in 0..<3 {
            let text = await source.write(to: Exposition()).text
            #expect(!text.contains("test_level") && text.contains(#"clairo_scrape_success{source="s"} 0"#))
        }
        fails.withLock { $0 = false }
        for _ in 0..<2 { #expect(await source.write(to: Exposition()).text.contains("test_level 1\n")) }
        #expect(reported.withLock { $0 } == ["away", nil])
    }
}
