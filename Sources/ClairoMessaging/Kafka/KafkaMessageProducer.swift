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
        return await producer.send(records).map { result in
            if case .failure(let error) = result { ClairoError(error, doing: "Sending to Kafka") } else { nil }
        }
    }

    func close() async { await producer.close() }
}
