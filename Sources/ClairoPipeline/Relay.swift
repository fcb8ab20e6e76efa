public import ClairoCore

/// Delivers messages from the outbox to the queue and the webhook, at least once.
///
/// A row is deleted from the outbox only after its message is acknowledged. If a relay dies in between, another one
/// delivers the message once the lease has expired. Several relays may run at once. A failed delivery is retried with
/// back-off and delays only messages with the same key. A message that can never be delivered is dead-lettered. Only
/// relays with a webhook URL deliver webhooks.
public struct Relay: Sendable {
    /// The outcome of a batch of messages.
    public struct Summary: Sendable {
        /// Messages that were delivered.
        public var delivered = 0
        /// Messages that stay in the outbox for a later attempt.
        public var postponed = 0
        /// Messages that were dead-lettered.
        public var deadLetters = 0
        /// The error of the last message that was postponed or dead-lettered.
        public var lastError: ClairoError?

        public init() {}
    }

    private let metadata: any OutboxRecords & DeadLetterRecords
    private let producer: any MessageProducer
    private let webhook: (any WebhookSender)?
    private let owner: String
    private static let batch = 200
    private static let leaseSeconds = 60.0
    /// The maximum number of attempts at a webhook. With back-off, they take about eight hours.
    private static let webhookAttempts = 20
    /// The longest delay before a message is sent again, in seconds, before jitter. A queue is one of our own services:
    /// after an outage, its messages should not wait long.
    private static func longestDelay(_ lane: OutboxLane) -> Double { lane == .queue ? 300 : 3600 }

    /// - Parameters:
    ///   - webhook: Nil if this process has no webhook URL. Webhooks then wait for another relay.
    ///   - owner: The name of this relay in the database.
    public init(
        metadata: any OutboxRecords & DeadLetterRecords, producer: any MessageProducer, webhook: (any WebhookSender)?,
        owner: String
    ) {
        self.metadata = metadata
        self.producer = producer
        self.webhook = webhook
        self.owner = owner
    }

    private var lanes: [OutboxLane] { webhook == nil ? [.queue] : OutboxLane.allCases }

    /// Delivers messages until none is due.
    public func drain() async throws(ClairoError) -> Summary {
        var total = Summary()
        for lane in lanes {
            while let round = try await deliverBatch(lane) {
                total.delivered += round.delivered
                total.postponed += round.postponed
                total.deadLetters += round.deadLetters
                total.lastError = round.lastError ?? total.lastError
            }
        }
        return total
    }

    /// Delivers messages as they become due, until the calling task is cancelled. Waits with back-off while the database
    /// or the queue is unavailable or refuses.
    /// - Parameters:
    ///   - wakeSignal: Signalled when this process has written to the outbox.
    ///   - idleSeconds: Seconds between polls of an empty outbox.
    ///   - count: Called with the result of each batch.
    ///   - health: Learns what fails and what works.
    public func follow(
        wakeSignal: WakeSignal, idleSeconds: Double = 0.1, count: @escaping @Sendable (Summary) -> Void = { _ in },
        health: DaemonHealth = DaemonHealth()
    ) async {
        await withTaskGroup { group in
            for lane in lanes {
                group.addTask {
                    // Webhooks are not urgent.
                    let idle = lane == .webhook ? idleSeconds * 10 : idleSeconds
                    await follow(lane, wakeSignal: wakeSignal, idleSeconds: idle, count: count, health: health)
                }
            }
        }
    }

    private func follow(
        _ lane: OutboxLane, wakeSignal: WakeSignal, idleSeconds: Double, count: @Sendable (Summary) -> Void,
        health: DaemonHealth
    ) async {
        let activity: DaemonHealth.Activity = lane == .webhook ? .webhook : .relay
        var pause = idleSeconds
        // Whether the outbox could not be read in the last round.
        var isDatabaseAway = false
        while !Task.isCancelled {
            do throws(ClairoError) {
                let round = try await deliverWholeBatch(lane)
                if let round {
                    count(round)
                    pause = round.delivered > 0 ? 0 : min(pause * 2 + 0.1, 5)
                } else {
                    pause = idleSeconds
                }
                let error = round?.lastError
                if let error, lane == .queue, round?.delivered == 0, error.mayPass {
                    health.failed(activity, error)
                } else {
                    if let error { health.report(error) }
                    // An empty round proves only that the outbox can be read.
                    if isDatabaseAway || round?.delivered ?? 0 > 0 { health.succeeded(activity) }
                }
                isDatabaseAway = false
            } catch {
                if error.kind == .cancelled { return }
                health.failed(activity, error)
                isDatabaseAway = true
                pause = min(pause * 2 + 0.1, 5)
            }
            if pause > 0 { await wakeSignal.wait(seconds: pause) }
        }
    }

    /// Delivers a claimed batch even if the calling task is cancelled. Otherwise its messages would wait until the
    /// lease expires.
    private func deliverWholeBatch(_ lane: OutboxLane) async throws(ClairoError) -> Summary? {
        let batch = Task { () async -> Result<Summary?, ClairoError> in
            do throws(ClairoError) { return .success(try await deliverBatch(lane)) } catch { return .failure(error) }
        }
        return try await batch.value.get()
    }

    /// - Returns: Nil if no message is due.
    private func deliverBatch(_ lane: OutboxLane) async throws(ClairoError) -> Summary? {
        let messages = try await metadata.claimOutbox(
            lane, owner: owner, limit: Self.batch, leaseSeconds: Self.leaseSeconds)
        if messages.isEmpty { return nil }
        CrashPoint.reach("relay.claimed")
        let failures =
            if lane == .webhook, let webhook {
                await send(messages, by: webhook)
            } else {
                Array(zip(messages, await producer.send(messages)))
            }
        CrashPoint.reach("relay.sent")
        var summary = Summary()
        let delivered = failures.filter { $0.1 == nil }.map(\.0.id)
        try await metadata.markPublished(delivered, owner: owner)
        CrashPoint.reach("relay.marked")
        summary.delivered = delivered.count
        for case (let message, let error?) in failures {
            summary.lastError = error.whileDoing("Delivering a message to \(message.topic)")
            if error.kind == .badInput || (lane == .webhook && message.attempts + 1 >= Self.webhookAttempts) {
                try await deadLetter(message, error)
                summary.deadLetters += 1
            } else {
                let delay = BackOff.delay(after: message.attempts + 1, longest: Self.longestDelay(lane))
                try await metadata.postpone(
                    message.id, owner: owner, seconds: delay * .random(in: 0.5...1.5), reason: error.message)
                summary.postponed += 1
            }
        }
        return summary
    }

    private func send(
        _ messages: [OutboxMessage], by webhook: any WebhookSender
    ) async -> [(OutboxMessage, ClairoError?)] {
        await withTaskGroup { group in
            for message in messages {
                group.addTask {
                    do throws(ClairoError) {
                        try await webhook.send(message)
                        return (message, nil as ClairoError?)
                    } catch {
                        return (message, error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
    }

    private func deadLetter(_ message: OutboxMessage, _ error: ClairoError) async throws(ClairoError) {
        let letter = DeadLetter(
            // If the relay dies here, the next one creates the same dead letter.
            id: .derived(from: "outbox/\(message.id)"), topic: message.topic, key: message.key,
            headers: message.headers, payload: message.payload,
            failure: Failure(error), attempts: message.attempts + 1)
        // Events, webhooks and dead letters have no dead-letter topic.
        let isSent = Topic.all.contains(Topic.deadLetters(of: letter.topic))
        try await metadata.addDeadLetter(letter, messages: isSent ? [JobMessages.deadLetter(letter)] : [])
        try await metadata.markPublished([message.id], owner: owner)
    }
}
