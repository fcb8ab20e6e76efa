internal import ClairoCore
internal import Logging
internal import Synchronization
internal import Testing

@testable internal import ClairoAPI

@Suite struct ReadinessTests {
    private let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    @Test func aHangingCheckRunsOnceAndIsReportedAsFailed() async throws {
        let begun = Mutex(0)
        let (hanging, end) = AsyncStream.makeStream(of: Void.self)
        let store = ReadinessCheck("store", logger: logger, now: { .zero }, timeout: .zero) {
            begun.withLock { $0 += 1 }
            for await _ in hanging {}
        }
        let database = ReadinessCheck("database", logger: logger, now: { .zero }, timeout: .seconds(600)) {}
        let readiness = Readiness([("store", store), ("database", database)])
        for _ in 0..<5 {
            let report = await readiness.report()
            #expect(report.status == .failed)
            #expect(report.checks == ["store": .failed, "database": .ok])
        }
        #expect(begun.withLock { $0 } == 1)
        end.finish()
    }

    @Test func aResultIsCachedForSomeSeconds() async throws {
        let time = Mutex(Duration.zero)
        let made = Mutex(0)
        let check = ReadinessCheck("store", logger: logger, now: { time.withLock { $0 } }, timeout: .seconds(600)) {
            let count = made.withLock { made in
                made += 1
                return made
            }
            if count == 2 { throw ClairoError.unavailable("away") }
        }
        #expect(await check.state() == .ok)
        #expect(await check.state() == .ok)
        time.withLock { $0 = .seconds(10) }
        #expect(await check.state() == .failed)
        time.withLock { $0 = .seconds(20) }
        #expect(await check.state() == .ok)
        #expect(made.withLock { $0 } == 3)
    }
}
