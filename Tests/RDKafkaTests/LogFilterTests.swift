import Testing

@testable import RDKafka

/// What passes of librdkafka's log in an outage.
struct LogFilterTests {
    private let start = ContinuousClock.now

    private func line(_ facility: String, thread: String, _ text: String) -> KafkaLogLine {
        KafkaLogLine(level: 4, facility: facility, text: "[thrd:\(thread)]: \(text)")
    }

    @Test func oneLineOfAKindPassesPerMinuteWithTheNumberOfTheOthers() {
        let filter = KafkaLogFilter()
        let texts = (0..<90).map { second in
            filter.pass(
                line("COMMITFAIL", thread: "main", "Offset commit failed: t[0]@\(second)"),
                now: start + .seconds(second))
        }
        #expect(
            texts.compactMap(\.self) == [
                "[thrd:main]: Offset commit failed: t[0]@0",
                "[thrd:main]: Offset commit failed: t[0]@60 (59 similar lines before this one were left out)",
            ])
    }

    @Test func linesOfAnotherKindOrBrokerPass() {
        let filter = KafkaLogFilter()
        for (facility, thread) in [("FAIL", "one:9092/1"), ("FAIL", "two:9092/2"), ("SESSTMOUT", "main")] {
            #expect(filter.pass(line(facility, thread: thread, "x"), now: start) != nil)
            #expect(filter.pass(line(facility, thread: thread, "y"), now: start) == nil)
        }
        // Without a thread name.
        #expect(filter.pass(KafkaLogLine(level: 3, facility: "ERROR", text: "z"), now: start) == "z")
    }

    @Test func theOldestKindIsForgottenWhenThereAreTooMany() {
        let filter = KafkaLogFilter()
        for number in 0...100 {
            #expect(
                filter.pass(line("FAIL", thread: "\(number)", "x"), now: start + .milliseconds(number)) != nil)
        }
        let later = start + .seconds(1)
        #expect(filter.pass(line("FAIL", thread: "100", "x"), now: later) == nil)
        #expect(filter.pass(line("FAIL", thread: "0", "x"), now: later) != nil)
    }
}
