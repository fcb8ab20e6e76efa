import CRDKafka
import Dispatch
import Testing

@testable import RDKafka

/// Calls that hang in librdkafka, as some do in old versions while a broker is unavailable.
struct AdminDeadlineTests {
    @Test(.timeLimit(.minutes(5))) func aCallThatHangsIsAbandonedAndNoOtherBeginsUntilItHasEnded() async throws {
        let admin = KafkaAdmin(
            try KafkaConfiguration(brokers: "127.0.0.1:1"), limit: .milliseconds(1), grace: .milliseconds(1))
        let patient = admin.limited(to: .seconds(250))
        let gate = DispatchSemaphore(value: 0)
        let abandoned = try await #require(throws: KafkaError.self) {
            try await admin.run(RD_KAFKA_PRODUCER, group: nil) { _ in gate.wait() }
        }
        #expect(abandoned.category == .timeout)
        #expect(abandoned.isRetriable)
        let refused = try await #require(throws: KafkaError.self) {
            try await patient.run(RD_KAFKA_PRODUCER, group: nil) { _ in }
        }
        #expect(refused.category == .timeout)
        #expect(refused.message == "an earlier request to the brokers still hangs")
        gate.signal()
        // The thread ends a little later.
        var answer: Int?
        while answer == nil {
            answer = try? await patient.run(RD_KAFKA_PRODUCER, group: nil) { _ in 7 }
            await Task.yield()
        }
        #expect(answer == 7)
    }

    @Test func onlyACallPastItsDeadlineKeepsOthersFromBeginning() throws {
        let calls = CallsInProgress()
        let begin = ContinuousClock.now
        let first = try #require(calls.begin(deadline: begin + .seconds(10), now: begin))
        let second = try #require(calls.begin(deadline: begin + .seconds(20), now: begin + .seconds(9)))
        #expect(calls.begin(deadline: begin + .seconds(30), now: begin + .seconds(10)) == nil)
        calls.end(first)
        #expect(calls.begin(deadline: begin + .seconds(30), now: begin + .seconds(10)) != nil)
        #expect(calls.begin(deadline: begin + .seconds(30), now: begin + .seconds(20)) == nil)
        calls.end(second)
        #expect(calls.begin(deadline: begin + .seconds(40), now: begin + .seconds(20)) != nil)
    }

    @Test func aRefusalExplainsAFailureBetterThanABrokerThatIsUnreachable() {
        let reasons = ConnectionErrors()
        let failure = KafkaError(RD_KAFKA_RESP_ERR__TIMED_OUT)
        #expect(reasons.explain(failure) == failure)
        let unreachable = KafkaError(RD_KAFKA_RESP_ERR__TRANSPORT, "one:9092: Connection refused")
        let unverified = KafkaError(RD_KAFKA_RESP_ERR__SSL, "two:9092: certificate verify failed")
        for error in [unreachable, unverified, unreachable, KafkaError(RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)] {
            reasons.note(error)
        }
        #expect(reasons.explain(failure) == unverified)
        let denied = KafkaError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED)
        #expect(reasons.explain(denied) == denied)
    }
}
