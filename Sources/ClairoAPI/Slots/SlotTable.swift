/// Who may receive an upload now: a plain value without clock and continuations.
///
/// The number of slots bounds memory. While slots are free, a caller gets one, but a caller that already has several
/// leaves a quarter of all slots to others. While there are none, callers wait, and a free slot goes to the caller that
/// has the fewest; of equals, to the one that waits longest. So no caller gets more than its share while others wait.
struct SlotTable {
    /// Identifies one use of a slot.
    typealias Ticket = Int

    /// The number of slots.
    let count: Int
    /// The callers that have a slot.
    private(set) var holders: [Ticket: String] = [:]
    /// The callers that wait, in the order of their requests.
    private(set) var waiting: [(ticket: Ticket, caller: String)] = []
    private var lastTicket = 0

    init(_ count: Int) { self.count = count }

    /// Slots that only callers with few slots may take.
    private var reserve: Int { count / 4 }

    /// The number of slots that a caller has.
    func holding(_ caller: String) -> Int { holders.values.count { $0 == caller } }

    /// Asks for a slot.
    /// - Returns: The ticket, which is in `holders` if a slot was free, and otherwise in `waiting`.
    mutating func enter(_ caller: String) -> Ticket {
        lastTicket += 1
        waiting.append((lastTicket, caller))
        _ = grant()
        return lastTicket
    }

    /// Gives a slot back, or stops waiting for one.
    /// - Returns: The tickets that have got a slot by this.
    mutating func leave(_ ticket: Ticket) -> [Ticket] {
        holders[ticket] = nil
        waiting.removeAll { $0.ticket == ticket }
        return grant()
    }

    private mutating func grant() -> [Ticket] {
        var granted: [Ticket] = []
        while holders.count < count {
            let isReserved = count - holders.count <= reserve
            let candidates = waiting.indices.map { (index: $0, holding: holding(waiting[$0].caller)) }
            guard
                let next = candidates.filter({ !isReserved || $0.holding < reserve }).min(by: { one, two in
                    (one.holding, one.index) < (two.holding, two.index)
                })
            else { break }
            let (ticket, caller) = waiting.remove(at: next.index)
            holders[ticket] = caller
            granted.append(ticket)
        }
        return granted
    }

    /// The holders in the order in which they should give up their slots for those that wait: from callers with many
    /// slots to callers with few, and slow senders first.
    /// - Parameter rates: The rates of the senders that are slow, in bytes per second.
    func victims(_ rates: [Ticket: Double]) -> [Ticket] {
        rates.keys.filter { holders[$0] != nil }.sorted { one, two in
            let (first, second) = (holding(holders[one] ?? ""), holding(holders[two] ?? ""))
            if first != second { return first > second }
            return (rates[one] ?? 0, one) < (rates[two] ?? 0, two)
        }
    }
}
