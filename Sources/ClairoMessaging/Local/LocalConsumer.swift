internal import ClairoCore

/// Leases messages from the table and renews each lease until the message is finished.
actor LocalConsumer: MessageConsumer {
    private let records: any QueueRecords
    private let topics: [String]
    private let inFlight: Int
    private let leaseSeconds: Double
    private let wakeSignal: WakeSignal
    private let owner = MessageID.make().rawValue
    private var held: [MessageID: QueuedMessage] = [:]
    /// The number of `next` calls that are claiming a message.
    private var asking = 0
    private var isClosed = false
    private var renewal: Task<Void, Never>?

    /// Seconds between polls of the table. Polling is needed because other processes may send messages.
    private static let pollSeconds = 0.5

    init(records: any QueueRecords, topics: [String], inFlight: Int, leaseSeconds: Double, wakeSignal: WakeSignal) {
        self.records = records
        self.topics = topics
        self.inFlight = inFlight
        self.leaseSeconds = leaseSeconds
        self.wakeSignal = wakeSignal
    }

    func next() async throws(ClairoError) -> ReceivedMessage? {
        while !isClosed, !Task.isCancelled {
            if held.count + asking < inFlight {
                asking += 1
                let found = await claim()
                asking -= 1
                if let message = try found.get() {
                    // If the consumer was closed during the claim, return the message.
                    guard !isClosed else {
                        try await records.releaseQueued(message.message.id, owner: owner)
                        return nil
                    }
                    held[message.message.id] = message
                    renewWhileHeld()
                    return received(message)
                }
            }
            await wakeSignal.wait(seconds: Self.pollSeconds)
        }
        return nil
    }

    private func claim() async -> Result<QueuedMessage?, ClairoError> {
        do throws(ClairoError) {
            let found = try await records.claimQueued(
                topics: topics, owner: owner, limit: 1, leaseSeconds: leaseSeconds)
            return .success(found.first)
        } catch {
            // Cancellation is not an error: the caller gets no message.
            return error.kind == .cancelled ? .success(nil) : .failure(error)
        }
    }

    func done(_ message: ReceivedMessage) async throws(ClairoError) {
        guard let id = mine(message) else { return }
        _ = try await records.removeQueued(id, owner: owner)
        held[id] = nil
        wakeSignal.signal()
    }

    func release(_ message: ReceivedMessage) async throws(ClairoError) {
        guard let id = mine(message) else { return }
        held[id] = nil
        try await records.releaseQueued(id, owner: owner)
        wakeSignal.signal()
    }

    func close() async {
        isClosed = true
        renewal?.cancel()
        for id in held.keys { try? await records.releaseQueued(id, owner: owner) }
        held = [:]
        wakeSignal.signal()
    }

    /// The id of a message that this consumer still holds under the same receipt.
    private func mine(_ message: ReceivedMessage) -> MessageID? {
        guard let id = message.id, let held = held[id], receipt(held) == message.receipt else { return nil }
        return id
    }

    private func receipt(_ queued: QueuedMessage) -> String { "\(owner)/\(queued.sequence)/\(queued.deliveries)" }

    private func received(_ queued: QueuedMessage) -> ReceivedMessage {
        var headers = queued.message.headers
        headers[ReceivedMessage.Header.id] = queued.message.id.rawValue
        return ReceivedMessage(
            topic: queued.message.topic, partition: 0, offset: queued.sequence, key: queued.message.key,
            headers: headers, payload: queued.message.payload, receipt: receipt(queued))
    }

    private func renewWhileHeld() {
        guard renewal == nil else { return }
        renewal = Task { [weak self, leaseSeconds] in
            while !Task.isCancelled {
                try? await Task.sleep(for: .seconds(leaseSeconds / 3))
                guard await self?.renew() == true else { return }
            }
        }
    }

    /// - Returns: Whether any message is still held.
    private func renew() async -> Bool {
        let ids = Array(held.keys)
        // An unavailable database is ignored: the leases last for two more renewal intervals.
        if !ids.isEmpty, let kept = try? await records.renewQueued(ids, owner: owner, leaseSeconds: leaseSeconds) {
            for id in ids where !kept.contains(id) { held[id] = nil }
        }
        if held.isEmpty { renewal = nil }
        return !held.isEmpty
    }
}
