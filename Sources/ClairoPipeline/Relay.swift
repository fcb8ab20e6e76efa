public import ClairoCore

/// Carries messages from the outbox to the queue and to the webhook, each at least once.
///
/// A row leaves the outbox only after its message is safe; a relay that dies in between leaves it to the next, after its
/// lease. Several relays may run at once. What cannot be delivered waits its turn with back-off and holds up only
/// messages of its own key; what can never be delivered becomes a dead letter. Webhooks are left to the relays that know
/// where to send them.
public struct Relay: Sendable {
    public struct Summary: Sendable {
        public var delivered = 0
        public var postponed = 0
        public var deadLetters = 0
        /// Why the last of those that were put off, or given up, could not be delivered.
        public var trouble: ClairoError?

        public init() {}
    }

    private let metadata: any MetadataStore
    private let producer: any MessageProducer
    private let webhook: (any WebhookSender)?
    private let owner: String
    private static let batch = 200
    private static let leaseSeconds = 60.0
    /// How often a webhook is tried, with pauses that make it some eight hours.
    private static let webhookAttempts = 20

    /// - Parameters:
    ///   - webhook: nil where this process was told of none: then webhooks stay for a relay that was.
    ///   - owner: names this relay in the database.
    public init(
        metadata: any MetadataStore, producer: any MessageProducer, webhook: (any WebhookSender)?, owner: String
    ) {
        self.metadata = metadata
        self.producer = producer
        self.webhook = webhook
        self.owner = owner
    }

    private var lanes: [OutboxLane] { webhook == nil ? [.queue] : OutboxLane.allCases }

    /// Delivers what is due now, until nothing is.
    public func drain() async throws(ClairoError) -> Summary {
        var total = Summary()
        for lane in lanes {
            while let round = try await deliverBatch(lane) {
                total.delivered += round.delivered
                total.postponed += round.postponed
                total.deadLetters += round.deadLetters
                total.trouble = round.trouble ?? total.trouble
            }
        }
        return total
    }

    /// Delivers messages as they become due, until the calling task is cancelled.
    /// - Parameters:
    ///   - wakeSignal: rung by who writes to the outbox in this process.
    ///   - idleSeconds: between looks into an empty outbox.
    ///   - count: is told what became of each batch.
    ///   - say: is told of trouble, once for each row of it.
    public func follow(
        wakeSignal: WakeSignal, idleSeconds: Double = 0.1, count: @escaping @Sendable (Summary) -> Void = { _ in },
        say: @escaping @Sendable (ClairoError) -> Void
    ) async throws(ClairoError) {
        let failure = await withTaskGroup(of: ClairoError?.self) { group in
            for lane in lanes {
                group.addTask {
                    do throws(ClairoError) {
                        // Nobody waits for a webhook.
                        let idle = lane == .webhook ? idleSeconds * 10 : idleSeconds
                        try await follow(lane, wakeSignal: wakeSignal, idleSeconds: idle, count: count, say: say)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await group.reduce(into: ClairoError?.none) { first, error in
                first = first ?? error
                group.cancelAll()
            }
        }
        if let failure { throw failure }
    }

    private func follow(
        _ lane: OutboxLane, wakeSignal: WakeSignal, idleSeconds: Double, count: @Sendable (Summary) -> Void,
        say: @Sendable (ClairoError) -> Void
    ) async throws(ClairoError) {
        var trouble: ClairoError?
        var pause = idleSeconds
        while !Task.isCancelled {
            do throws(ClairoError) {
                let round = try await deliverBatchToItsEnd(lane)
                if let round {
                    count(round)
                    pause = round.delivered > 0 ? 0 : min(pause * 2 + 0.1, 5)
                } else {
                    pause = idleSeconds
                }
                if let new = round?.trouble, new.message != trouble?.message { say(new) }
                if round != nil { trouble = round?.trouble }
            } catch  where error.kind == .transient || error.kind == .capacity {
                if trouble?.message != error.message { say(error) }
                trouble = error
                pause = min(pause * 2 + 0.1, 5)
            } catch  where error.kind == .cancelled {
                return
            }
            if pause > 0 { await wakeSignal.wait(seconds: pause) }
        }
    }

    /// What was claimed is delivered even where somebody wants the relay to end: it would wait for the lease otherwise.
    private func deliverBatchToItsEnd(_ lane: OutboxLane) async throws(ClairoError) -> Summary? {
        let batch = Task { () async -> Result<Summary?, ClairoError> in
            do throws(ClairoError) { return .success(try await deliverBatch(lane)) } catch { return .failure(error) }
        }
        return try await batch.value.get()
    }

    /// - Returns: nil where nothing is due.
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
            summary.trouble = error.whileDoing("A message to \(message.topic) waits")
            if error.kind == .badInput || (lane == .webhook && message.attempts + 1 >= Self.webhookAttempts) {
                try await deadLetter(message, error)
                summary.deadLetters += 1
            } else {
                try await metadata.postpone(
                    message.id, owner: owner, seconds: Self.backOff(message.attempts), reason: error.message)
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
            // A relay that dies here leaves the message to the next, which gives the same letter.
            id: .derived(from: "outbox/\(message.id)"), topic: message.topic, key: message.key,
            headers: message.headers, payload: message.payload,
            failure: Failure(error), attempts: message.attempts + 1)
        // Events and webhooks have no such topic, and neither have dead letters.
        let isSent = Topic.all.contains(Topic.deadLetters(of: letter.topic))
        try await metadata.addDeadLetter(letter, messages: isSent ? [JobMessages.deadLetter(letter)] : [])
        try await metadata.markPublished([message.id], owner: owner)
    }

    /// 1, 2, 4… seconds, at most an hour, give or take half.
    private static func backOff(_ attempts: Int) -> Double {
        Double(1 << min(attempts, 12)).clamped(to: 3600) * .random(in: 0.5...1.5)
    }
}

extension Double {
    fileprivate func clamped(to limit: Double) -> Double { Swift.min(self, limit) }
}
