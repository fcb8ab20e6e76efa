public import ClairoCore

/// The queue without a service: a table of the metadata database, from which messages are leased. For one machine, and for
/// trying things out; several processes may share it.
public final class LocalQueue: MessageQueue {
    private let records: any QueueRecords
    /// Rings when something was sent in this process, so that nobody has to wait for the next look into the table.
    private let wakeSignal = WakeSignal()

    private let leaseSeconds: Double

    /// - Parameter leaseSeconds: how long a message of a consumer that died is kept from others.
    public init(records: any QueueRecords, leaseSeconds: Double = 30) {
        self.records = records
        self.leaseSeconds = leaseSeconds
    }

    public func producer() async throws(ClairoError) -> any MessageProducer {
        LocalProducer(records: records, wakeSignal: wakeSignal)
    }

    /// There is one group of consumers for each topic, whatever its name.
    public func consumer(topics: [String], group: String, inFlight: Int) async throws(ClairoError)
        -> any MessageConsumer
    {
        LocalConsumer(
            records: records, topics: topics, inFlight: inFlight, leaseSeconds: leaseSeconds, wakeSignal: wakeSignal)
    }

    /// A topic comes to be with its first message.
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
            wakeSignal.ring()
            return messages.map { _ in nil }
        } catch {
            return messages.map { _ in error }
        }
    }

    func close() async {}
}
