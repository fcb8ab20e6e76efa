import CRDKafka
import Testing

@testable import RDKafka

/// The decisions of a consumer, without a broker.
struct ConsumerMachineTests {
    private let one = KafkaPartition(topic: "t", number: 0)
    private let two = KafkaPartition(topic: "t", number: 1)

    private func message(_ partition: KafkaPartition, _ offset: Int64, generation: Int = 1) -> KafkaMessage {
        KafkaMessage(
            partition: partition, offset: offset, generation: generation, payload: Array(repeating: 0, count: 10),
            headers: [])
    }

    private func machine(
        _ partitions: [KafkaPartition], messages: Int = 100, bytes: Int = 10_000, inFlight: Int = 10
    ) -> ConsumerMachine {
        var machine = ConsumerMachine(limits: .init(messages: messages, bytes: bytes, inFlight: inFlight))
        #expect(machine.assign(partitions) == [])
        return machine
    }

    @Test func aWaitingCallGetsTheFirstAvailableMessage() {
        var machine = machine([one, two])
        #expect(machine.received(message(one, 5)) == [])
        #expect(machine.take(1) == [.deliver(message(one, 5), to: 1)])
        #expect(machine.take(2) == [])
        #expect(machine.received(message(two, 0)) == [.deliver(message(two, 0), to: 2)])
        #expect(machine.unfinishedCount == 2)
    }

    @Test func aPartitionDeliversItsNextMessageWhenThePreviousOneIsDone() {
        var machine = machine([one])
        for offset in 0..<3 { _ = machine.received(message(one, Int64(offset))) }
        #expect(machine.take(1) == [.deliver(message(one, 0), to: 1)])
        #expect(machine.take(2) == [])
        let outcome = machine.done(message(one, 0))
        #expect(outcome.isCurrent)
        #expect(outcome.actions == [.store(one, offset: 1), .deliver(message(one, 1), to: 2)])
        #expect(machine.done(message(one, 0)) == (false, []), "the second call has no effect")
    }

    @Test func theNumberOfUnfinishedMessagesIsLimited() {
        var machine = machine([one, two], inFlight: 1)
        _ = machine.received(message(one, 0))
        _ = machine.received(message(two, 0))
        #expect(machine.take(1) == [.deliver(message(one, 0), to: 1)])
        #expect(machine.take(2) == [])
        #expect(machine.done(message(one, 0)).actions == [.store(one, offset: 1), .deliver(message(two, 0), to: 2)])
    }

    @Test func partitionsTakeTurns() {
        var machine = machine([one, two])
        for offset in 0..<3 {
            _ = machine.received(message(one, Int64(offset)))
            _ = machine.received(message(two, Int64(offset)))
        }
        var order: [KafkaPartition] = []
        for taker in 0..<6 {
            guard case .deliver(let message?, _) = machine.take(taker).first else { break }
            order.append(message.partition)
            _ = machine.done(message)
        }
        #expect(order == [one, two, one, two, one, two])
    }

    @Test func aFullPartitionIsPausedUntilItIsHalfEmpty() {
        var machine = machine([one], messages: 4)
        #expect((0..<3).flatMap { machine.received(message(one, $0)) } == [])
        #expect(machine.received(message(one, 3)) == [.pause(one)])
        #expect(machine.received(message(one, 4)) == [], "a message in flight is accepted")
        var actions: [ConsumerMachine.Action] = []
        for offset in 0..<3 {
            actions += machine.take(offset)
            actions += machine.done(message(one, Int64(offset))).actions
        }
        #expect(actions.filter { $0 == .resume(one) }.count == 1)
        #expect(actions.contains(.resume(one)))
        // By size as well.
        machine = self.machine([one], bytes: 25)
        #expect((0..<3).flatMap { machine.received(message(one, $0)) } == [.pause(one)])
    }

    @Test func duplicatesFromTheLibraryAreIgnored() {
        var machine = machine([one])
        for offset: Int64 in [3, 4, 3, 4, 5] { _ = machine.received(message(one, offset)) }
        var offsets: [Int64] = []
        for taker in 0..<3 {
            guard case .deliver(let message?, _) = machine.take(taker).first else { break }
            offsets.append(message.offset)
            _ = machine.done(message)
        }
        #expect(offsets == [3, 4, 5])
    }

    @Test func aReleasedMessageIsTheNextOneOfItsPartition() {
        var machine = machine([one])
        _ = machine.received(message(one, 0))
        _ = machine.received(message(one, 1))
        _ = machine.take(1)
        #expect(machine.release(message(one, 0)) == [])
        #expect(machine.release(message(one, 1)) == [], "it was not delivered")
        for offset: Int64 in 0..<2 {
            #expect(machine.take(2) == [.deliver(message(one, offset), to: 2)])
            #expect(machine.done(message(one, offset)).isCurrent)
        }
    }

    @Test func messagesOfARevokedPartitionCannotBeMarkedAsDone() {
        var machine = machine([one, two])
        _ = machine.received(message(one, 0))
        _ = machine.received(message(one, 1))
        _ = machine.take(1)
        machine.revokeAll()
        #expect(machine.assigned == [])
        #expect(!machine.isCurrent(message(one, 0)))
        #expect(machine.take(2) == [], "the buffer is empty")
        #expect(machine.done(message(one, 0)) == (false, []))
        #expect(machine.unfinishedCount == 0)
    }

    @Test func aReassignedPartitionWaitsForItsUnfinishedMessage() {
        var machine = machine([one])
        _ = machine.received(message(one, 0))
        _ = machine.take(1)
        machine.revokeAll()
        #expect(machine.assign([one]) == [])
        #expect(machine.received(message(one, 0)) == [])
        #expect(machine.take(2) == [])
        let outcome = machine.done(message(one, 0))
        #expect(!outcome.isCurrent)
        #expect(outcome.actions == [.deliver(message(one, 0, generation: 2), to: 2)])
        #expect(machine.done(message(one, 0, generation: 2)) == (true, [.store(one, offset: 1)]))
    }

    @Test func unfinishedMessagesOfAnEarlierAssignmentCountTowardsTheLimit() {
        var machine = machine([one, two], inFlight: 1)
        _ = machine.received(message(one, 0))
        _ = machine.take(1)
        machine.revokeAll()
        _ = machine.assign([two])
        _ = machine.received(message(two, 0))
        #expect(machine.take(2) == [])
        #expect(machine.release(message(one, 0)) == [.deliver(message(two, 0, generation: 2), to: 2)])
    }

    @Test func anErrorIsDeliveredToOneWaitingCall() throws {
        let error = KafkaError.closed
        var machine = machine([one])
        #expect(machine.fail(error) == [])
        #expect(machine.take(1) == [.fail(1, error)])
        #expect(machine.take(2) == [])
        #expect(machine.take(3) == [])
        #expect(machine.fail(error) == [.fail(2, error)])
        #expect(machine.received(message(one, 0)) == [.deliver(message(one, 0), to: 3)])
    }

    @Test func afterAFatalErrorNothingCanBeMarkedAsDone() {
        let error = KafkaError(RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, isFatal: true)
        var machine = machine([one])
        _ = machine.received(message(one, 0))
        _ = machine.take(1)
        #expect(machine.take(2) == [])
        #expect(machine.fail(error) == [.fail(2, error)])
        #expect(machine.take(3) == [.fail(3, error)])
        #expect(machine.assigned == [])
        #expect(machine.done(message(one, 0)) == (false, []))
        #expect(machine.unfinishedCount == 0)
    }

    @Test func aCancelledCallLosesNoMessage() {
        var machine = machine([one])
        #expect(machine.take(1) == [])
        #expect(machine.cancel(1) == [.fail(1, .cancelled)])
        #expect(machine.cancel(1) == [])
        #expect(machine.received(message(one, 0)) == [])
        #expect(machine.take(2) == [.deliver(message(one, 0), to: 2)])
    }

    @Test func afterAStopNothingIsDeliveredButUnfinishedMessagesCanBeMarkedAsDone() {
        var machine = machine([one, two])
        _ = machine.received(message(one, 0))
        _ = machine.take(1)
        #expect(machine.take(2) == [])
        #expect(machine.stop() == [.deliver(nil, to: 2), .pause(one), .pause(two)])
        #expect(machine.received(message(two, 0)) == [])
        #expect(machine.take(3) == [.deliver(nil, to: 3)])
        #expect(machine.done(message(one, 0)) == (true, [.store(one, offset: 1)]))
        machine.revokeAll()
        #expect(machine.assign([two]) == [.pause(two)])
    }
}

/// Tuples are not Equatable.
private func == (
    one: (isCurrent: Bool, actions: [ConsumerMachine.Action]), other: (Bool, [ConsumerMachine.Action])
) -> Bool { one.isCurrent == other.0 && one.actions == other.1 }
