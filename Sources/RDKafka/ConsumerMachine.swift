/// The consumer's state machine. It performs no I/O: the owner reports events to it and performs the returned actions
/// in order.
///
/// A *taker* is a call that waits for a message. A message is *unfinished* from its delivery to a taker until it is
/// done or released. A partition has at most one unfinished message, even across assignments.
///
/// A rebalance often revokes a partition and assigns it again at once, and librdkafka then delivers the unfinished
/// message again. That second copy waits here until the first is finished, so that one process never works on two
/// copies at the same time. The first copy belongs to an old generation, so finishing it stores no offset. A lease
/// outside this module decides which copy may write results.
///
/// Each partition has a buffer of prefetched messages. A partition is paused only while its buffer is full, because
/// librdkafka 2.0.2 discards prefetched messages when a partition is paused, and may take a second to fetch them again.
struct ConsumerMachine {
    typealias TakerID = Int

    enum Action: Equatable {
        /// Ends a taker's wait with a message, or with nil after `stop`.
        case deliver(KafkaMessage?, to: TakerID)
        /// Ends a taker's wait with an error.
        case fail(TakerID, KafkaError)
        case pause(KafkaPartition)
        case resume(KafkaPartition)
        /// Stores `offset`: all messages before it are done.
        case store(KafkaPartition, offset: Int64)
    }

    struct Limits {
        /// The number of buffered messages at which a partition is paused.
        var messages = 100
        /// The size of buffered messages in bytes at which a partition is paused.
        var bytes = 1 << 20
        /// The maximum number of unfinished messages in all partitions.
        var inFlight: Int
    }

    private struct Slot {
        /// The generation of the current assignment, or nil if the partition is not assigned.
        var generation: Int?
        var buffer = PartitionBuffer()
        /// The lowest offset not yet received in this assignment.
        var nextOffset: Int64 = 0
        var isPaused = false
        var unfinished: (offset: Int64, generation: Int)?
    }

    private enum Phase {
        case running
        /// Takers get no more messages. Unfinished messages may still be finished.
        case stopped
        case failed(KafkaError)
    }

    private let limits: Limits
    private var phase = Phase.running
    private var slots: [KafkaPartition: Slot] = [:]
    /// All partitions in the order of delivery: the one that has waited longest comes first.
    private var turn: [KafkaPartition] = []
    /// Waiting takers, in the order in which they arrived.
    private var takers: [TakerID] = []
    /// An error for the next taker.
    private var pendingError: KafkaError?
    private var generation = 0

    init(limits: Limits) { self.limits = limits }

    var assigned: [KafkaPartition] { slots.filter { $0.value.generation != nil }.keys.sorted() }
    var unfinishedCount: Int { slots.values.count { $0.unfinished != nil } }

    func isCurrent(_ message: KafkaMessage) -> Bool { slots[message.partition]?.generation == message.generation }

    // MARK: From takers

    mutating func take(_ taker: TakerID) -> [Action] {
        switch phase {
        case .stopped: return [.deliver(nil, to: taker)]
        case .failed(let error): return [.fail(taker, error)]
        case .running: break
        }
        if let error = pendingError {
            pendingError = nil
            return [.fail(taker, error)]
        }
        takers.append(taker)
        return dispatch()
    }

    /// Cancels a waiting taker. Does nothing if it has already been served.
    mutating func cancel(_ taker: TakerID) -> [Action] {
        guard let index = takers.firstIndex(of: taker) else { return [] }
        takers.remove(at: index)
        return [.fail(taker, .cancelled)]
    }

    /// Marks a message as done.
    /// - Returns: Whether the message was unfinished and its partition has stayed assigned, and the actions to perform.
    mutating func done(_ message: KafkaMessage) -> (isCurrent: Bool, actions: [Action]) {
        guard clear(message) else { return (false, []) }
        let isCurrent = isCurrent(message)
        forgetUnused(message.partition)
        let store = isCurrent ? [Action.store(message.partition, offset: message.offset + 1)] : []
        return (isCurrent, store + dispatch())
    }

    /// Releases a message, so that it is the next one of its partition again. If the partition has been revoked, the
    /// consumer that now owns it receives the message.
    mutating func release(_ message: KafkaMessage) -> [Action] {
        guard clear(message) else { return [] }
        if isCurrent(message), case .running = phase {
            slots[message.partition]?.buffer.putBack(message)
        }
        forgetUnused(message.partition)
        return dispatch()
    }

    /// Stops all deliveries.
    mutating func stop() -> [Action] {
        guard case .running = phase else { return [] }
        phase = .stopped
        return endTakers { .deliver(nil, to: $0) } + pauseAll()
    }

    // MARK: From the library

    mutating func received(_ message: KafkaMessage) -> [Action] {
        let partition = message.partition
        guard case .running = phase, let generation = slots[partition]?.generation,
            // librdkafka may fetch from an earlier offset after a pause or resume.
            let nextOffset = slots[partition]?.nextOffset, message.offset >= nextOffset
        else { return [] }
        var message = message
        message.generation = generation
        slots[partition]?.buffer.append(message)
        slots[partition]?.nextOffset = message.offset + 1
        guard let slot = slots[partition] else { return [] }
        let isFull = slot.buffer.count >= limits.messages || slot.buffer.bytes >= limits.bytes
        guard isFull, !slot.isPaused else { return dispatch() }
        slots[partition]?.isPaused = true
        return [.pause(partition)] + dispatch()
    }

    /// Replaces the assignment. librdkafka then delivers messages from the committed offsets on.
    mutating func assign(_ partitions: [KafkaPartition]) -> [Action] {
        revokeAll()
        generation += 1
        for partition in partitions {
            slots[partition, default: Slot()].generation = generation
            if !turn.contains(partition) { turn.append(partition) }
        }
        if case .running = phase { return [] }
        return pauseAll()
    }

    mutating func revokeAll() {
        for partition in turn {
            guard let slot = slots[partition] else { continue }
            slots[partition] = Slot(unfinished: slot.unfinished)
            forgetUnused(partition)
        }
    }

    /// Reports an error. A fatal error fails all takers, now and later. Any other error goes to one taker.
    mutating func fail(_ error: KafkaError) -> [Action] {
        guard case .running = phase else { return [] }
        if error.isFatal {
            phase = .failed(error)
            // From now on, librdkafka neither commits offsets nor reports rebalances.
            revokeAll()
            return endTakers { .fail($0, error) }
        }
        guard !takers.isEmpty else {
            pendingError = error
            return []
        }
        return [.fail(takers.removeFirst(), error)]
    }

    // MARK: Helpers

    private mutating func clear(_ message: KafkaMessage) -> Bool {
        guard let unfinished = slots[message.partition]?.unfinished,
            unfinished == (message.offset, message.generation)
        else { return false }
        slots[message.partition]?.unfinished = nil
        return true
    }

    private mutating func forgetUnused(_ partition: KafkaPartition) {
        guard let slot = slots[partition], slot.generation == nil, slot.unfinished == nil else { return }
        slots[partition] = nil
        turn.removeAll { $0 == partition }
    }

    private mutating func dispatch() -> [Action] {
        var actions: [Action] = []
        guard case .running = phase else { return actions }
        while !takers.isEmpty, unfinishedCount < limits.inFlight,
            let index = turn.firstIndex(where: { slots[$0].map { $0.unfinished == nil && !$0.buffer.isEmpty } ?? false }
            )
        {
            let partition = turn.remove(at: index)
            turn.append(partition)
            guard let message = slots[partition]?.buffer.popFirst() else { break }
            slots[partition]?.unfinished = (message.offset, message.generation)
            actions.append(.deliver(message, to: takers.removeFirst()))
            if let slot = slots[partition], slot.isPaused, slot.buffer.count <= limits.messages / 2,
                slot.buffer.bytes <= limits.bytes / 2
            {
                slots[partition]?.isPaused = false
                actions.append(.resume(partition))
            }
        }
        return actions
    }

    private mutating func endTakers(_ end: (TakerID) -> Action) -> [Action] {
        defer { takers = [] }
        return takers.map(end)
    }

    private mutating func pauseAll() -> [Action] {
        assigned.compactMap { partition in
            slots[partition]?.buffer = PartitionBuffer()
            guard slots[partition]?.isPaused == false else { return nil }
            slots[partition]?.isPaused = true
            return .pause(partition)
        }
    }
}
