internal import Synchronization

/// Limits the number of uploads that are received at once, to bound memory, and shares the slots among callers
/// (`SlotTable`).
///
/// While callers wait for a slot, senders that are slower than `slowBytesPerSecond` lose theirs. A sender that pauses
/// gives its slot back, with its memory, and takes one again when it goes on.
final class UploadSlots: Sendable {
    private struct State {
        var table: SlotTable
        var senders: [SlotTable.Ticket: BodySender] = [:]
        var continuations: [SlotTable.Ticket: CheckedContinuation<Bool, Never>] = [:]
    }

    /// While others wait for a slot, slower senders lose theirs.
    private static let slowBytesPerSecond = 32.0 * 1024
    /// The interval in which waiting requests look for slow senders.
    private static let interval = Duration.seconds(1)

    private let state: Mutex<State>
    fileprivate let patience: Duration

    /// - Parameter patience: How long a new upload waits for a slot.
    init(_ count: Int, patience: Duration) {
        state = Mutex(State(table: SlotTable(count)))
        self.patience = patience
    }

    /// Takes a slot.
    /// - Parameters:
    ///   - caller: Identifies the caller.
    ///   - patience: How long to wait for a slot.
    /// - Returns: The ticket to give back.
    /// - Throws: 503 if there was no slot in time.
    fileprivate func take(
        _ caller: String, sender: BodySender, patience: Duration
    ) async throws(APIError) -> SlotTable.Ticket {
        let (ticket, isGranted) = state.withLock { state in
            let ticket = state.table.enter(caller)
            state.senders[ticket] = sender
            return (ticket, state.table.holders[ticket] != nil)
        }
        if isGranted { return ticket }
        let deadline = Task { [self] in
            let end = ContinuousClock.now + patience
            while ContinuousClock.now < end, !Task.isCancelled, sender.reason == nil {
                stopSlowSenders()
                try? await Task.sleep(for: min(Self.interval, end - ContinuousClock.now))
            }
            giveUp(ticket)
        }
        defer { deadline.cancel() }
        let hasSlot = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDecided = state.withLock { state -> Bool? in
                    if state.table.holders[ticket] != nil { return true }
                    // The wait has ended before it began.
                    if state.senders[ticket] == nil { return false }
                    state.continuations[ticket] = continuation
                    return nil
                }
                if let isDecided { continuation.resume(returning: isDecided) }
            }
        } onCancel: {
            giveUp(ticket)
        }
        guard hasSlot else { throw .busy("Too many concurrent uploads; try again later", retryAfter: 5) }
        return ticket
    }

    fileprivate func giveBack(_ ticket: SlotTable.Ticket) {
        let granted = state.withLock { state in
            state.senders[ticket] = nil
            return state.table.leave(ticket).compactMap { state.continuations.removeValue(forKey: $0) }
        }
        for continuation in granted { continuation.resume(returning: true) }
    }

    /// Ends a wait, unless a slot was granted.
    private func giveUp(_ ticket: SlotTable.Ticket) {
        let continuation = state.withLock { state -> CheckedContinuation<Bool, Never>? in
            guard state.table.holders[ticket] == nil else { return nil }
            state.senders[ticket] = nil
            // This frees no slot.
            _ = state.table.leave(ticket)
            return state.continuations.removeValue(forKey: ticket)
        }
        continuation?.resume(returning: false)
    }

    /// Stops as many slow senders as requests wait.
    private func stopSlowSenders() {
        let victims = state.withLock { state in
            let held = state.senders.filter { state.table.holders[$0.key] != nil }
            let ending = held.values.count { $0.reason != nil }
            let rates = held.compactMapValues(\.recentRate).filter { $0.value < Self.slowBytesPerSecond }
            let needed = max(0, state.table.waiting.count - ending)
            return state.table.victims(rates).prefix(needed).compactMap { held[$0] }
        }
        for sender in victims { sender.stop(.slotNeeded) }
    }
}

/// One request's use of a slot.
final class UploadSlot: Sendable {
    /// How long an upload that has paused waits for a slot. Its sender is held back meanwhile.
    private static let patienceAfterPause = Duration.seconds(60)

    private let slots: UploadSlots
    private let caller: Caller
    private let sender: BodySender
    private let ticket = Mutex<SlotTable.Ticket?>(nil)

    /// Takes a slot.
    /// - Throws: 503 if there was none in time.
    init(in slots: UploadSlots, for caller: Caller, sender: BodySender) async throws(APIError) {
        (self.slots, self.caller, self.sender) = (slots, caller, sender)
        let taken = try await slots.take(caller.share, sender: sender, patience: slots.patience)
        ticket.withLock { $0 = taken }
    }

    /// Takes a slot again, unless this has one. Only the request's task calls this.
    /// - Throws: 503 if there was none in time.
    func takeAgain() async throws(APIError) {
        if ticket.withLock({ $0 != nil }) { return }
        let taken = try await slots.take(caller.share, sender: sender, patience: Self.patienceAfterPause)
        ticket.withLock { $0 = taken }
    }

    /// Gives the slot back. Idempotent.
    func giveBack() {
        let taken = ticket.withLock { $0.take() }
        if let taken { slots.giveBack(taken) }
    }
}
