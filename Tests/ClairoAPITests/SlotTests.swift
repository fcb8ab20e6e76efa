internal import Testing

@testable internal import ClairoAPI

/// Who may receive an upload while there is no room for all.
@Suite struct SlotTests {
    /// Enters a caller that gets a slot at once.
    private func take(_ caller: String, in table: inout SlotTable) throws -> SlotTable.Ticket {
        let ticket = table.enter(caller)
        try #require(table.holders[ticket] == caller)
        return ticket
    }

    private func waits(_ ticket: SlotTable.Ticket, in table: SlotTable) -> Bool {
        table.waiting.contains { $0.ticket == ticket } && table.holders[ticket] == nil
    }

    @Test func aCallerLeavesAQuarterOfTheSlotsToOthers() throws {
        var table = SlotTable(12)
        for _ in 0..<9 { _ = try take("a", in: &table) }
        #expect(waits(table.enter("a"), in: table))
        for _ in 0..<3 { _ = try take("b", in: &table) }
        #expect(waits(table.enter("b"), in: table))
        #expect(table.holders.count == 12)
    }

    @Test(arguments: 1...3) func fewSlotsAreAllForWhoeverAsks(count: Int) throws {
        var table = SlotTable(count)
        for _ in 0..<count { _ = try take("a", in: &table) }
        #expect(waits(table.enter("b"), in: table))
    }

    @Test func aFreeSlotGoesToTheCallerWithTheFewest() throws {
        var table = SlotTable(3)
        let first = try take("a", in: &table)
        let second = try take("a", in: &table)
        let third = try take("b", in: &table)
        let (moreOfA, moreOfB, new) = (table.enter("a"), table.enter("b"), table.enter("c"))
        #expect(table.leave(first) == [new])
        #expect(table.leave(second) == [moreOfA])
        #expect(table.leave(third) == [moreOfB])
        #expect(table.waiting.isEmpty)
    }

    @Test func callersWithEqualSharesAreServedInTurn() throws {
        var table = SlotTable(1)
        var holder = try take("a", in: &table)
        let waiting = ["b", "c", "a"].map { table.enter($0) }
        for next in waiting {
            #expect(table.leave(holder) == [next])
            holder = next
        }
    }

    @Test func aCallerThatGivesUpIsPassedOver() throws {
        var table = SlotTable(1)
        let holder = try take("a", in: &table)
        let (impatient, patient) = (table.enter("b"), table.enter("c"))
        #expect(table.leave(impatient).isEmpty)
        #expect(table.leave(impatient).isEmpty)
        #expect(table.leave(holder) == [patient])
        #expect(table.leave(patient).isEmpty)
        #expect(table.holders.isEmpty)
    }

    @Test func callersWithManySlotsLoseTheirSlowestSendersFirst() throws {
        var table = SlotTable(4)
        let (one, two, three) = (
            try take("a", in: &table), try take("a", in: &table), try take("a", in: &table)
        )
        let other = try take("b", in: &table)
        // The first sender of a is not slow.
        #expect(table.victims([two: 900, three: 20, other: 1]) == [three, two, other])
        #expect(table.victims([:]).isEmpty)
        #expect(table.victims([one: 5, 99: 1]) == [one])
    }

    @Test func theLimitOfSlotsHoldsUnderAnyOrderOfRequests() {
        var table = SlotTable(5)
        var open: [SlotTable.Ticket] = []
        for step in 0..<500 {
            if step.isMultiple(of: 3), !open.isEmpty {
                _ = table.leave(open.remove(at: (step * 7) % open.count))
            } else {
                open.append(table.enter("caller \(step % 4)"))
            }
            #expect(table.holders.count <= 5)
            #expect(Set(table.holders.keys).union(table.waiting.map(\.ticket)) == Set(open))
            // A slot is free only if its reservation forbids those that wait to take it.
            if table.holders.count < 4 { #expect(table.waiting.isEmpty) }
        }
    }
}
