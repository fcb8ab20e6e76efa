import ClairoCore
import ClairoTestSupport
import Foundation
import Synchronization

/// A `MessageQueue` in memory. Events wake its consumers, not timers.
final class MemoryQueue: MessageQueue {
    private struct Waiter {
        var id: Int
        var member: Int
        var topics: [String]
        var continuation: CheckedContinuation<ReceivedMessage?, Never>
    }

    private struct State {
        var waiting: [ReceivedMessage] = []
        var held: [ReceivedMessage] = []
        var done: [ReceivedMessage] = []
        var waiters: [Waiter] = []
        var closed: Set<Int> = []
        var next = 0

        mutating func number() -> Int {
            next += 1
            return next
        }
    }

    private let state = Mutex(State())

    /// Messages that no consumer has taken.
    var waiting: [ReceivedMessage] { state.withLock { $0.waiting } }
    /// Messages that a consumer has marked as done.
    var done: [ReceivedMessage] { state.withLock { $0.done } }

    /// The number of calls that wait for a message of the topic.
    func waiters(of topic: String) -> Int { state.withLock { $0.waiters.count { $0.topics.contains(topic) } } }

    @discardableResult
    func put(_ topic: String, _ payload: Data = Data("{}".utf8)) -> ReceivedMessage {
        let message = state.withLock { state in
            let number = state.number()
            return ReceivedMessage(
                topic: topic, partition: 0, offset: Int64(number), key: nil, headers: [:], payload: payload,
                receipt: String(number))
        }
        put(message)
        return message
    }

    private func put(_ message: ReceivedMessage) {
        let waiter = state.withLock { state -> Waiter? in
            guard let index = state.waiters.firstIndex(where: { $0.topics.contains(message.topic) }) else {
                state.waiting.append(message)
                return nil
            }
            state.held.append(message)
            return state.waiters.remove(at: index)
        }
        waiter?.continuation.resume(returning: message)
    }

    func consumer(topics: [String], group: String, inFlight: Int) async throws(ClairoError) -> any MessageConsumer {
        Member(queue: self, id: state.withLock { $0.number() }, topics: topics)
    }

    func producer() async throws(ClairoError) -> any MessageProducer { throw .defect("Nothing is sent here") }
    func prepare(topics: [String]) async throws(ClairoError) {}
    func check() async throws(ClairoError) {}

    func lag(of group: String, topic: String) async throws(ClairoError) -> Int {
        state.withLock { state in (state.waiting + state.held).count { $0.topic == topic } }
    }

    private struct Member: MessageConsumer {
        let queue: MemoryQueue
        let id: Int
        let topics: [String]

        func next() async throws(ClairoError) -> ReceivedMessage? { await queue.next(id, topics) }

        func done(_ message: ReceivedMessage) async throws(ClairoError) {
            queue.state.withLock { state in
                state.held.removeAll { $0 == message }
                state.done.append(message)
            }
        }

        func release(_ message: ReceivedMessage) async throws(ClairoError) {
            queue.state.withLock { $0.held.removeAll { $0 == message } }
            queue.put(message)
        }

        func close() async { queue.close(id) }
    }

    private func next(_ member: Int, _ topics: [String]) async -> ReceivedMessage? {
        let id = state.withLock { $0.number() }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let (isOver, message) = state.withLock { state -> (Bool, ReceivedMessage?) in
                    if state.closed.contains(member) || Task.isCancelled { return (true, nil) }
                    if let index = state.waiting.firstIndex(where: { topics.contains($0.topic) }) {
                        let message = state.waiting.remove(at: index)
                        state.held.append(message)
                        return (true, message)
                    }
                    state.waiters.append(Waiter(id: id, member: member, topics: topics, continuation: continuation))
                    return (false, nil)
                }
                if isOver { continuation.resume(returning: message) }
            }
        } onCancel: {
            wake { $0.id == id }
        }
    }

    private func close(_ member: Int) {
        state.withLock { _ = $0.closed.insert(member) }
        wake { $0.member == member }
    }

    private func wake(_ isMeant: (Waiter) -> Bool) {
        let waiters = state.withLock { state in
            let found = state.waiters.filter(isMeant)
            state.waiters.removeAll(where: isMeant)
            return found
        }
        for waiter in waiters { waiter.continuation.resume(returning: nil) }
    }
}
