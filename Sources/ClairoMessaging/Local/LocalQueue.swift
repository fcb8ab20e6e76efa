public import ClairoCore

/// A queue without a message broker: a table of the metadata database from which consumers lease messages. It is meant
/// for one machine and for trying Clairo. Several processes may share it.
public final class LocalQueue: MessageQueue {
    private let records: any QueueRecords
    /// Signalled when this process sends a message, so that its consumers need not wait for the next poll.
    private let wakeSignal = WakeSignal()

    private let leaseSeconds: Double

    /// - Parameter leaseSeconds: How long other consumers wait before they take the message of a dead consumer.
    public init(records: any QueueRecords, leaseSeconds: Double = 30) {
        self.records = records
        self.leaseSeconds = leaseSeconds
    }

    public func producer() async throws(ClairoError) -> any MessageProducer {
        LocalProducer(records: records, wakeSignal: wakeSignal)
    }

    /// All consumers of a topic form one group, whatever its name.
    public func consumer(topics: [String], group: String, inFlight: Int) async throws(ClairoError)
        -> any MessageConsumer
    {
        LocalConsumer(
            records: records, topics: topics, inFlight: inFlight, leaseSeconds: leaseSeconds, wakeSignal: wakeSignal)
    }

    /// Does nothing: a topic exists from its first message on.
    public func prepare(topics: [String]) async throws(ClairoError) {}

    public func lag(of group: String, topic: String) async throws(ClairoError) -> Int {
        try await records.queuedCounts()[topic] ?? 0
    }

    public func check() async throws(ClairoError) { _ = try await records.queuedCounts() }
}

struct LocalProducer: MessageProducer {
    let records: any QueueRecords
    let wakeSignal: WakeSignal

    func send(_ messages: [OutboxMessage]) async -> [ClairoError?] {
        if messages.isEmpty { return [] }
        do throws(ClairoError) {
            try await records.enqueue(messages)
            wakeSignal.signal()
            return messages.map { _ in nil }
        } catch {
            return messages.map { _ in error }
        }
    }

    func close() async {}
}
