internal import ClairoCore
internal import Foundation
internal import RDKafka
internal import Synchronization

final class KafkaMessageConsumer: MessageConsumer {
    private let consumer: KafkaConsumer
    private let state = Mutex(State())

    private struct State {
        /// What was given out and is not yet ended, by receipt.
        var undone: [String: KafkaMessage] = [:]
        var deliveries = 0
    }

    init(_ consumer: KafkaConsumer) { self.consumer = consumer }

    func next() async throws(ClairoError) -> ReceivedMessage? {
        do throws(KafkaError) {
            guard let message = try await consumer.next() else { return nil }
            // A message that is released comes again in the same generation, so its deliveries are counted.
            let receipt = state.withLock { state in
                state.deliveries += 1
                let receipt = "\(message.partition)/\(message.offset)/\(state.deliveries)"
                state.undone[receipt] = message
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
            let failure = ClairoError(error, doing: "Receiving from Kafka")
            // The library goes on after whatever is not fatal, be it an error that the broker has no name for.
            throw error.category == .other && !error.isFatal ? .temporary(failure.message) : failure
        }
    }

    func done(_ message: ReceivedMessage) async throws(ClairoError) {
        // Where the partition has gone to another member meanwhile, the message comes once more, which does no harm.
        if let message = end(message) { consumer.done(message) }
    }

    func release(_ message: ReceivedMessage) async throws(ClairoError) {
        if let message = end(message) { consumer.release(message) }
    }

    func close() async { await consumer.close() }

    private func end(_ message: ReceivedMessage) -> KafkaMessage? {
        state.withLock { $0.undone.removeValue(forKey: message.receipt) }
    }
}
