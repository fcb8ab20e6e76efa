import CRDKafka
import Testing

@testable import RDKafka

/// Categories of errors, by their code and, for lost connections, their text.
struct KafkaErrorTests {
    @Test(arguments: [
        (
            "one:9092/bootstrap: Disconnected while requesting ApiVersion: might be caused by incorrect "
                + "security.protocol configuration (connecting to a SSL listener?) or broker version is < 0.10",
            KafkaError.Category.wrongProtocol
        ),
        ("ssl://one:9092/bootstrap: Disconnected (after 0ms in state SSL_HANDSHAKE)", .wrongProtocol),
        ("SSL handshake failed: Disconnected: connecting to a PLAINTEXT broker listener?", .wrongProtocol),
        ("one:9092/bootstrap: Connect to ipv4#127.0.0.1:9092 failed: Connection refused", .unreachable),
        ("one:9092/1: Disconnected (after 5000ms in state UP)", .unreachable),
    ])
    func theTextOfALostConnectionTellsAWrongProtocol(text: String, category: KafkaError.Category) {
        let error = KafkaError(RD_KAFKA_RESP_ERR__TRANSPORT, text)
        #expect(error.category == category)
        #expect(error.isRetriable)
        #expect(KafkaError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, text).category == .forbidden)
    }

    @Test func aDeniedRequestSaysOnWhichKindOfObject() {
        #expect(KafkaError(RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).deniedResource == .topic)
        #expect(KafkaError(RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED).deniedResource == .group)
        #expect(KafkaError(RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED).deniedResource == .cluster)
        #expect(KafkaError(RD_KAFKA_RESP_ERR_POLICY_VIOLATION).deniedResource == nil)
        #expect(KafkaError(RD_KAFKA_RESP_ERR_POLICY_VIOLATION).category == .forbidden)
    }
}
