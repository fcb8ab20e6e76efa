internal import ClairoCore
internal import Foundation
internal import RDKafka
internal import Synchronization

final class KafkaMessageConsumer: MessageConsumer {
    private let consumer: KafkaConsumer
    private let permission: KafkaPermission
    private let state = Mutex(State())

    private struct State {
        /// Messages that are neither done nor released, by receipt.
        var unfinished: [String: KafkaMessage] = [:]
        var deliveries = 0
    }

    /// - Parameter permission: What the consumer needs.
    init(_ consumer: KafkaConsumer, needing permission: KafkaPermission) {
        self.consumer = consumer
        self.permission = permission
    }

    func next() async throws(ClairoError) -> ReceivedMessage? {
        do throws(KafkaError) {
            guard let message = try await consumer.next() else { return nil }
            // The delivery count makes the receipt unique: a released message has the same partition and offset again.
            let receipt = state.withLock { state in
                state.deliveries += 1
                let receipt = "\(message.partition)/\(message.offset)/\(state.deliveries)"
                state.unfinished[receipt] = message
                return receipt
            }
            var headers: [String: String] = [:]
            for header in message.headers { headers[header.name] = header.text }
            return ReceivedMessage(
                topic: message.topic, partition: Int(message.partition.number), offset: message.offset,
                key: message.key.map { String(decoding: $0, as: UTF8.self) }, headers: headers,
                payload: Data(message.payload ?? []), receipt: receipt)
        } catch {
            if error.category == .cancelled || error.category == .closed { return nil }
            let failure = ClairoError(error, doing: "Receiving from Kafka", needing: permission)
            // The client recovers from any error that is not fatal, including broker errors without a category.
            throw error.category == .other && !error.isFatal ? .temporary(failure.message) : failure
        }
    }

    func done(_ message: ReceivedMessage) async throws(ClairoError) {
        // The result is ignored: if the partition has been revoked, the message is delivered again, which is harmless.
        if let message = end(message) { consumer.done(message) }
    }

    func release(_ message: ReceivedMessage) async throws(ClairoError) {
        if let message = end(message) { consumer.release(message) }
    }

    func close() async { await consumer.close() }

    private func end(_ message: ReceivedMessage) -> KafkaMessage? {
        state.withLock { $0.unfinished.removeValue(forKey: message.receipt) }
    }
}
