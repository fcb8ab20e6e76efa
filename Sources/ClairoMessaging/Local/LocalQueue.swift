public import ClairoCore

/// A queue without a message broker: consumers lease messages from a table of the metadata database. It is meant for a
/// single machine and for trying Clairo out. Several processes may share it.
public final class LocalQueue: MessageQueue {
    private let records: any QueueRecords
    /// Set when this process sends a message, so that its consumers do not wait for the next poll.
    private let wakeSignal = WakeSignal()

    private let leaseSeconds: Double

    /// - Parameter leaseSeconds: Seconds after which other consumers receive the messages of a crashed consumer.
    public init(records: any QueueRecords, leaseSeconds: Double = 30) {
        self.records = records
        self.leaseSeconds = leaseSeconds
    }

    public func producer() async throws(ClairoError) -> any MessageProducer {
        LocalProducer(records: records, wakeSignal: wakeSignal)
    }

    /// Creates a consumer. All consumers of a topic form one group: `group` is ignored.
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
