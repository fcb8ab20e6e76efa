/// What a consumer decides, apart from the library and from threads: its owner tells it what has happened and performs the
/// actions that it returns, in order.
///
/// A message is *undone* from when a taker gets it until it is done or released. There is at most one undone message per
/// partition, over all assignments: a rebalance takes a partition away and often gives it right back, and then the library
/// delivers the undone message again. It waits here until the taker of the first copy is through, so that no message is
/// worked on twice in one process. Which of both may write is decided elsewhere (by a lease); here the first copy is of an
/// old generation, and done with it changes nothing.
///
/// Messages that came early wait in a buffer of the partition. The partition is paused only while that is full, for the
/// library (2.0.2) throws away what it has fetched on a pause and may take a second to fetch again after it.
struct ConsumerMachine {
    typealias TakerID = Int

    enum Action: Equatable {
        /// Ends the wait of a taker: with a message, with nil at the end of all messages, or with an error.
        case deliver(KafkaMessage?, to: TakerID)
        case fail(TakerID, KafkaError)
        case pause(KafkaPartition)
        case resume(KafkaPartition)
        /// Everything before this offset is done.
        case store(KafkaPartition, offset: Int64)
    }

    /// How much of a partition is kept ready.
    struct Limits {
        var messages = 100
        var bytes = 1 << 20
        /// Undone messages of all partitions together.
        var inFlight: Int
    }

    private struct Slot {
        /// Of the present assignment, nil without one.
        var generation: Int?
        var buffer = PartitionBuffer()
        /// The lowest offset that has not been received in this assignment.
        var nextOffset: Int64 = 0
        var isPaused = false
        var undone: (offset: Int64, generation: Int)?
    }

    private enum Phase {
        case running
        /// Takers get nothing more; what is undone may still be done.
        case stopped
        case failed(KafkaError)
    }

    private let limits: Limits
    private var phase = Phase.running
    private var slots: [KafkaPartition: Slot] = [:]
    /// All partitions, the one that waits longest first.
    private var turn: [KafkaPartition] = []
    private var takers: [TakerID] = []
    private var pendingError: KafkaError?
    private var generation = 0

    init(limits: Limits) { self.limits = limits }

    var assigned: [KafkaPartition] { slots.filter { $0.value.generation != nil }.keys.sorted() }
    var undoneCount: Int { slots.values.count { $0.undone != nil } }

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

    /// A taker that does not wait any more. One that has been served already is not known.
    mutating func cancel(_ taker: TakerID) -> [Action] {
        guard let index = takers.firstIndex(of: taker) else { return [] }
        takers.remove(at: index)
        return [.fail(taker, .cancelled)]
    }

    /// - Returns: also whether the message was undone and its partition has not been away since.
    mutating func done(_ message: KafkaMessage) -> (isCurrent: Bool, actions: [Action]) {
        guard clear(message) else { return (false, []) }
        let isCurrent = isCurrent(message)
        forgetUnused(message.partition)
        let store = isCurrent ? [Action.store(message.partition, offset: message.offset + 1)] : []
        return (isCurrent, store + dispatch())
    }

    /// The message becomes the next of its partition again, here or where the partition is now.
    mutating func release(_ message: KafkaMessage) -> [Action] {
        guard clear(message) else { return [] }
        if isCurrent(message), case .running = phase {
            slots[message.partition]?.buffer.putBack(message)
        }
        forgetUnused(message.partition)
        return dispatch()
    }

    /// No more messages for anybody.
    mutating func stop() -> [Action] {
        guard case .running = phase else { return [] }
        phase = .stopped
        return endTakers { .deliver(nil, to: $0) } + pauseAll()
    }

    // MARK: From the library

    mutating func received(_ message: KafkaMessage) -> [Action] {
        let partition = message.partition
        guard case .running = phase, let generation = slots[partition]?.generation,
            // The library may begin again after a pause or a resume.
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

    /// These partitions and no others are ours from now on; the library begins with what was committed.
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
            slots[partition] = Slot(undone: slot.undone)
            forgetUnused(partition)
        }
    }

    /// An error that takers have to know of. One that is fatal ends the consumer; any other goes to one taker.
    mutating func fail(_ error: KafkaError) -> [Action] {
        guard case .running = phase else { return [] }
        if error.isFatal {
            phase = .failed(error)
            // The library commits no more, and tells of no rebalance.
            revokeAll()
            return endTakers { .fail($0, error) }
        }
        guard !takers.isEmpty else {
            pendingError = error
            return []
        }
        return [.fail(takers.removeFirst(), error)]
    }

    // MARK: Within

    private mutating func clear(_ message: KafkaMessage) -> Bool {
        guard let undone = slots[message.partition]?.undone,
            undone == (message.offset, message.generation)
        else { return false }
        slots[message.partition]?.undone = nil
        return true
    }

    private mutating func forgetUnused(_ partition: KafkaPartition) {
        guard let slot = slots[partition], slot.generation == nil, slot.undone == nil else { return }
        slots[partition] = nil
        turn.removeAll { $0 == partition }
    }

    private mutating func dispatch() -> [Action] {
        var actions: [Action] = []
        guard case .running = phase else { return actions }
        while !takers.isEmpty, undoneCount < limits.inFlight,
            let index = turn.firstIndex(where: { slots[$0].map { $0.undone == nil && !$0.buffer.isEmpty } ?? false })
        {
            let partition = turn.remove(at: index)
            turn.append(partition)
            guard let message = slots[partition]?.buffer.popFirst() else { break }
            slots[partition]?.undone = (message.offset, message.generation)
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
