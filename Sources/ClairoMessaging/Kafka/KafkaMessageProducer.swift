internal import ClairoCore
internal import RDKafka

struct KafkaMessageProducer: MessageProducer {
    let producer: KafkaProducer

    func send(_ messages: [OutboxMessage]) async -> [ClairoError?] {
        let records = messages.map { message in
            // Replace the id header: a forwarded message still has that of the original message.
            let headers = message.headers.merging([ReceivedMessage.Header.id: message.id.rawValue]) { $1 }
            return KafkaRecord(
                topic: message.topic, key: Array(message.key.utf8), payload: Array(message.payload),
                headers: headers.sorted { $0.key < $1.key }.map { KafkaHeader($0.key, $0.value) })
        }
        return zip(messages, await producer.send(records)).map { message, result in
            guard case .failure(let error) = result else { return nil }
            return ClairoError(
                explained(error), doing: "Sending to Kafka",
                needing: KafkaPermission(operation: .write, topics: [message.topic]))
        }
    }

    /// A message that cannot be sent only times out. If the brokers refuse the connection, that is the reason.
    private func explained(_ error: KafkaError) -> KafkaError {
        guard error.category == .timeout, let reason = producer.status.lastError,
            [.wrongProtocol, .tls, .credentials].contains(reason.category)
        else { return error }
        return reason
    }

    func close() async { await producer.close() }
}
