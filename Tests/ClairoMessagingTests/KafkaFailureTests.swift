import CRDKafka
import ClairoCore
import Testing

@testable import ClairoMessaging
@testable import RDKafka

/// What a user reads if Kafka does not answer or denies something.
struct KafkaFailureTests {
    private func failure(
        _ code: rd_kafka_resp_err_t, _ text: String? = nil, _ operation: KafkaPermission.Operation = .describe
    ) -> ClairoError {
        ClairoError(
            KafkaError(code, text), doing: "Asking Kafka",
            needing: KafkaPermission(operation: operation, topics: [Topic.uploads], group: "clairo-plan"))
    }

    @Test(arguments: [
        (
            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, KafkaPermission.Operation.write,
            "the user may not write to the topic clairo.uploads", "Grant WRITE"
        ),
        (
            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, .read, "the user may not read the topic clairo.uploads",
            "Grant READ"
        ),
        (
            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, .create, "the user may not create the topic clairo.uploads",
            "grant CREATE"
        ),
        (
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, .create, "the user may not create the topic clairo.uploads",
            "grant CREATE"
        ),
        (
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, .write,
            "the user may not send idempotently to the topic clairo.uploads", "IDEMPOTENT_WRITE"
        ),
        (
            RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, .read, "the user may not join the consumer group clairo-plan",
            "Grant READ"
        ),
        (
            RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED, .describe,
            "the user may not describe the consumer group clairo-plan", "Grant DESCRIBE"
        ),
    ])
    func aDeniedRequestIsARefusalThatNamesTheObjectAndTheOperation(
        code: rd_kafka_resp_err_t, operation: KafkaPermission.Operation, words: String, advice: String
    ) {
        let error = failure(code, "Not you", operation)
        #expect(error.kind == .refused)
        #expect(error.exitCode == .noPermission)
        #expect(error.message == "Asking Kafka: \(words) (Not you)")
        #expect(error.advice?.contains(advice) == true, "\(error)")
    }

    @Test func aPolicyOfTheBrokersIsARefusalInTheirWords() {
        let error = failure(RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "At most 8 partitions", .create)
        #expect(error.kind == .refused)
        #expect(error.message == "Asking Kafka: At most 8 partitions")
    }

    @Test func aRejectedLoginIsARefusal() {
        let error = failure(RD_KAFKA_RESP_ERR__AUTHENTICATION, "SASL authentication error: Invalid credentials")
        #expect(error.kind == .refused)
        #expect(error.exitCode == .noPermission)
        #expect(error.advice?.contains("sasl.*") == true)
    }

    @Test(arguments: [
        (
            RD_KAFKA_RESP_ERR__SSL,
            "SSL handshake failed: certificate verify failed: verify that ssl.ca.location is correctly configured",
            "ssl.ca.location"
        ),
        (
            RD_KAFKA_RESP_ERR__TRANSPORT,
            "Disconnected while requesting ApiVersion: might be caused by incorrect security.protocol configuration",
            "security.protocol"
        ),
        (RD_KAFKA_RESP_ERR__TRANSPORT, "Disconnected (after 0ms in state SSL_HANDSHAKE)", "security.protocol"),
        (RD_KAFKA_RESP_ERR__TRANSPORT, "Connect to ipv4#10.0.0.1:9092 failed: Connection refused", "network"),
        (RD_KAFKA_RESP_ERR__RESOLVE, "Failed to resolve 'broker:9092'", "network"),
    ])
    func anUnusableConnectionKeepsTheLibrarysReasonAndHasFittingAdvice(
        code: rd_kafka_resp_err_t, reason: String, advice: String
    ) {
        let error = failure(code, reason)
        #expect(error.kind == .transient)
        #expect(error.exitCode == .unavailable)
        #expect(error.message == "Asking Kafka: \(reason)")
        #expect(error.advice?.contains(advice) == true, "\(error)")
        #expect(advice == "network" || error.advice?.contains("network") == false, "\(error)")
    }

    @Test func aSessionTimeoutThatTheBrokersDoNotAllowNamesTheProperty() {
        let error = failure(RD_KAFKA_RESP_ERR_INVALID_SESSION_TIMEOUT)
        #expect(error.exitCode == .configuration)
        #expect(error.advice?.contains("session.timeout.ms") == true)
    }
}
