public import ClairoCore
internal import Foundation
internal import Synchronization
public import Testing

/// The contract of `MessageQueue`: one set of checks for all backends.
///
/// Each check gets a queue and an empty topic of its own, with several partitions if the queue has partitions.
public enum MessageQueueContract {
    /// The environment of a check.
    public struct Context: Sendable {
        public var queue: any MessageQueue
        public var topic: String
        /// The consumer group of the check.
        public var group: String

        public init(queue: any MessageQueue, topic: String) {
            self.queue = queue
            self.topic = topic
            group = "group-" + UUID().uuidString
        }

        /// Messages with these keys, in order.
        func messages(_ keys: [String]) -> [OutboxMessage] {
            keys.map { MetadataSamples.message(of: .make(), topic: topic, key: $0) }
        }

        /// Sends messages and expects success.
        func send(_ messages: [OutboxMessage]) async throws {
            let producer = try await queue.producer()
            #expect(await producer.send(messages) == messages.map { _ in nil })
            await producer.close()
        }

        func send(keys: [String]) async throws -> [OutboxMessage] {
            let messages = messages(keys)
            try await send(messages)
            return messages
        }

        func consumer(inFlight: Int = 1) async throws -> any MessageConsumer {
            try await queue.consumer(topics: [topic], group: group, inFlight: inFlight)
        }

        /// Runs `body` with a consumer and closes it, which releases the messages that it holds.
        func withConsumer<R: Sendable>(
            inFlight: Int = 1, _ body: (any MessageConsumer) async throws -> R
        ) async throws -> R {
            let consumer = try await consumer(inFlight: inFlight)
            do {
                let result = try await body(consumer)
                await consumer.close()
                return result
            } catch {
                await consumer.close()
                throw error
            }
        }

        /// Takes `count` messages and marks each as done.
        func doNext(_ count: Int, _ consumer: any MessageConsumer) async throws -> [ReceivedMessage] {
            var taken: [ReceivedMessage] = []
            while taken.count < count {
                let message = try await take(consumer)
                try await consumer.done(message)
                taken.append(message)
            }
            return taken
        }
    }

    /// One clause of the contract.
    public struct Clause: Sendable, CustomTestStringConvertible {
        public let testDescription: String
        let body: @Sendable (Context) async throws -> Void

        init(_ description: String, _ body: @escaping @Sendable (Context) async throws -> Void) {
            testDescription = description
            self.body = body
        }

        public func check(_ context: Context) async throws { try await body(context) }
    }

    public static let clauses: [Clause] = content + endings + sharing + closing

    /// Sends messages while the service behind the queue is unavailable.
    public static func checkSendingWhileUnavailable(_ producer: any MessageProducer, topic: String) async {
        let messages = ["a", "b", "c"].map { MetadataSamples.message(of: .make(), topic: topic, key: $0) }
        let errors = await producer.send(messages)
        #expect(errors.count == messages.count)
        // Retryable, not permanent.
        #expect(errors.allSatisfy { $0?.kind == .transient }, "\(errors)")
    }

    /// Takes the next message and expects one.
    static func take(_ consumer: any MessageConsumer) async throws -> ReceivedMessage {
        try #require(try await consumer.next())
    }

    /// Enough keys to fill every partition.
    static func keys(_ count: Int) -> [String] { (0..<count).map { "key \($0)" } }
}

// MARK: Content

extension MessageQueueContract {
    static var content: [Clause] {
        [
            Clause("a message arrives with its key, headers, payload and id") { context async throws in
                var message = context.messages(["Schlüssel \"1\""])[0]
                message.headers = ["schema": "1", "trace-id": "äöü", "empty": ""]
                try await context.send([message])
                try await context.withConsumer { consumer in
                    let received = try await take(consumer)
                    #expect(received.topic == context.topic)
                    #expect(received.key == message.key)
                    #expect(received.payload == message.payload)
                    #expect(received.id == message.id)
                    var headers = message.headers
                    headers["message-id"] = message.id.rawValue
                    #expect(received.headers == headers)
                }
            },
            Clause("any payload arrives unchanged: none, every byte, almost a megabyte") { context async throws in
                let payloads = [
                    Data(), Data((0...255).map { UInt8($0) }),
                    MemoryMedia.noise(900_000),
                    Data("last".utf8),
                ]
                // One key, to keep the order.
                var messages = context.messages(payloads.map { _ in "key" })
                for index in messages.indices { messages[index].payload = payloads[index] }
                try await context.send(messages)
                let taken = try await context.withConsumer { try await context.doNext(payloads.count, $0) }
                #expect(taken.map(\.payload.count) == payloads.map(\.count))
                #expect(taken.map(\.payload) == payloads)
                #expect(taken.map(\.id) == messages.map(\.id))
            },
            Clause("the lag is the number of unfinished messages") { context async throws in
                func lag() async throws -> Int { try await context.queue.lag(of: context.group, topic: context.topic) }
                #expect(try await lag() == 0)
                _ = try await context.send(keys: keys(5))
                #expect(try await lag() == 5)
                try await context.withConsumer { _ = try await context.doNext(3, $0) }
                try await eventually { (try? await lag()) == 2 }
                try await context.withConsumer { _ = try await context.doNext(2, $0) }
                try await eventually { (try? await lag()) == 0 }
            },
            Clause("messages of one key arrive in order") { context async throws in
                let sent = try await context.send(keys: (0..<60).map { "key \($0 % 7)" })
                let taken = try await context.withConsumer(inFlight: 3) { try await context.doNext(60, $0) }
                for key in Set(sent.map(\.key)) {
                    #expect(taken.filter { $0.key == key }.map(\.id) == sent.filter { $0.key == key }.map(\.id))
                }
                #expect(Set(taken.map(\.id)) == Set(sent.map(\.id)))
            },
            Clause("sending no messages succeeds") { context async throws in
                let producer = try await context.queue.producer()
                #expect(await producer.send([]).isEmpty)
                await producer.close()
            },
        ]
    }
}

// MARK: Done and released

extension MessageQueueContract {
    static var endings: [Clause] {
        [
            Clause("a finished message is not delivered again, even to a later consumer") { context async throws in
                let first = try await context.send(keys: keys(6))
                let done = try await context.withConsumer(inFlight: 2) { try await context.doNext(6, $0) }
                #expect(Set(done.map(\.id)) == Set(first.map(\.id)))
                let second = try await context.send(keys: keys(6))
                let later = try await context.withConsumer(inFlight: 2) { try await context.doNext(6, $0) }
                #expect(Set(later.map(\.id)) == Set(second.map(\.id)))
            },
            Clause("a released message is delivered again, before later ones") { context async throws in
                let sent = try await context.send(keys: ["key", "key"])
                try await context.withConsumer { consumer in
                    for _ in 0..<3 {
                        let message = try await take(consumer)
                        #expect(message.id == sent[0].id)
                        try await consumer.release(message)
                    }
                    #expect(try await context.doNext(2, consumer).map(\.id) == sent.map(\.id))
                }
            },
            Clause("a closed consumer's unfinished messages are delivered to another") { context async throws in
                let sent = try await context.send(keys: ["key", "key", "key"])
                try await context.withConsumer { consumer async throws in
                    #expect(try await context.doNext(1, consumer).map(\.id) == [sent[0].id])
                    #expect(try await take(consumer).id == sent[1].id)
                }
                let rest = try await context.withConsumer { try await context.doNext(2, $0) }
                #expect(rest.map(\.id) == sent[1...].map(\.id))
            },
            Clause("finishing an earlier delivery has no effect") { context async throws in
                let sent = try await context.send(keys: ["key", "key"])
                try await context.withConsumer { consumer in
                    let earlier = try await take(consumer)
                    try await consumer.release(earlier)
                    let later = try await take(consumer)
                    #expect(later.id == earlier.id)
                    #expect(later.receipt != earlier.receipt)
                    try await consumer.done(earlier)
                    try await consumer.release(earlier)
                    try await consumer.done(earlier)
                    // The later delivery still holds the message. Releasing that one delivers it a third time.
                    try await consumer.release(later)
                    #expect(try await take(consumer).id == later.id)
                }
                let rest = try await context.withConsumer { try await context.doNext(2, $0) }
                #expect(rest.map(\.id) == sent.map(\.id))
            },
            Clause("at most inFlight messages are unfinished at a time") { context async throws in
                _ = try await context.send(keys: keys(40))
                try await context.withConsumer(inFlight: 2) { consumer in
                    let held = [try await take(consumer), try await take(consumer)]
                    let hasCome = Flag()
                    try await withThrowingTaskGroup(of: ReceivedMessage.self) { group in
                        group.addTask {
                            let message = try await take(consumer)
                            hasCome.raise()
                            return message
                        }
                        // A whole round trip: time enough for a message to reach the waiting consumer.
                        _ = try await context.send(keys: keys(10))
                        #expect(!hasCome.isRaised)
                        try await consumer.done(held[1])
                        let third = try #require(try await group.next())
                        #expect(!held.map(\.id).contains(third.id))
                    }
                }
            },
        ]
    }

    private final class Flag: Sendable {
        private let state = Mutex(false)
        var isRaised: Bool { state.withLock { $0 } }
        func raise() { state.withLock { $0 = true } }
    }
}

// MARK: Concurrency

extension MessageQueueContract {
    static var sharing: [Clause] {
        [
            Clause("concurrent waiters get one message each") { context async throws in
                let sent = try await context.send(keys: keys(40))
                try await context.withConsumer(inFlight: 4) { consumer in
                    let taken = try await withThrowingTaskGroup { group in
                        for _ in 0..<4 { group.addTask { try await take(consumer) } }
                        return try await group.reduce(into: []) { $0.append($1) }
                    }
                    #expect(Set(taken.map(\.id)).count == 4)
                    #expect(Set(taken.map(\.receipt)).count == 4)
                    #expect(Set(taken.map(\.id)).isSubset(of: sent.map(\.id)))
                }
            },
            Clause("two consumers of a group share the messages") { context async throws in
                let sent = try await context.send(keys: keys(40))
                let tally = Tally()
                let consumers = [try await context.consumer(), try await context.consumer()]
                try await withThrowingTaskGroup { group in
                    for (number, consumer) in consumers.enumerated() {
                        group.addTask {
                            while let message = try await consumer.next() {
                                // Each keeps its first message until the other has one too.
                                await tally.began(number)
                                try await consumer.done(message)
                                await tally.done(message)
                            }
                        }
                    }
                    await tally.wait(for: Set(sent.compactMap(\.id)))
                    for consumer in consumers { await consumer.close() }
                    try await group.waitForAll()
                }
            },
            Clause("a message sent while a consumer waits is delivered to it") { context async throws in
                try await context.withConsumer { consumer in
                    let waiting = Task { try await consumer.next() }
                    let sent = try await context.send(keys: ["key"])
                    #expect(try await waiting.value?.id == sent[0].id)
                }
            },
        ]
    }

    /// Messages received by two consumers.
    private actor Tally {
        private var begun: Set<Int> = []
        private var done: Set<MessageID> = []
        private var waiting: [CheckedContinuation<Void, Never>] = []

        func began(_ number: Int) async {
            begun.insert(number)
            wake()
            while begun.count < 2 { await sleep() }
        }

        func done(_ message: ReceivedMessage) {
            if let id = message.id { done.insert(id) }
            wake()
        }

        func wait(for ids: Set<MessageID>) async {
            while !done.isSuperset(of: ids) { await sleep() }
        }

        private func sleep() async { await withCheckedContinuation { waiting.append($0) } }

        private func wake() {
            let sleepers = waiting
            waiting = []
            for sleeper in sleepers { sleeper.resume() }
        }
    }
}

// MARK: Closing

extension MessageQueueContract {
    static var closing: [Clause] {
        [
            Clause("a closed consumer returns nil to current and later callers") { context async throws in
                let consumer = try await context.consumer(inFlight: 3)
                let waiting = (0..<3).map { _ in Task { try await consumer.next() } }
                await consumer.close()
                for wait in waiting { #expect(try await wait.value == nil) }
                #expect(try await consumer.next() == nil)
                await consumer.close()
            },
            Clause("a cancelled wait returns nil and loses no message") { context async throws in
                try await context.withConsumer(inFlight: 4) { consumer in
                    // Cancelled at any point: before, while and after a message arrives.
                    var open: [MessageID] = []
                    for round in 0..<30 {
                        open += try await context.send(keys: ["key \(round)"]).map(\.id)
                        let waiting = Task { try await consumer.next() }
                        for _ in 0..<round * 4 { await Task.yield() }
                        waiting.cancel()
                        guard let message = try await waiting.value else { continue }
                        #expect(open.contains { $0 == message.id })
                        try await consumer.done(message)
                        open.removeAll { $0 == message.id }
                    }
                    let rest = try await context.doNext(open.count, consumer)
                    #expect(Set(rest.map(\.id)) == Set(open))
                }
            },
            Clause("a task cancelled before the call gets nil or a message, but no error") { context async throws in
                let sent = try await context.send(keys: ["key"])
                try await context.withConsumer { consumer in
                    let asked = Task {
                        withUnsafeCurrentTask { $0?.cancel() }
                        return try await consumer.next()
                    }
                    if let message = try await asked.value { try await consumer.release(message) }
                    #expect(try await context.doNext(1, consumer).map(\.id) == sent.map(\.id))
                }
            },
        ]
    }
}
