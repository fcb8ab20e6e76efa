import ClairoCore
import ClairoPipeline
import ClairoTestSupport
import Synchronization
import Testing

/// A relay whose database or queue refuses for a while.
@Suite struct RelayFollowTests {
    private let metadata = MemoryMetadata()
    private let producer = SwitchedProducer()
    private let health = DaemonHealth()

    /// A producer that fails while it has an error.
    private final class SwitchedProducer: MessageProducer {
        private let state = Mutex<(error: ClairoError?, sent: [MessageID])>((nil, []))

        var sent: [MessageID] { state.withLock { $0.sent } }

        func fail(with error: ClairoError?) { state.withLock { $0.error = error } }

        func send(_ messages: [OutboxMessage]) async -> [ClairoError?] {
            state.withLock { state in
                if state.error == nil { state.sent += messages.map(\.id) }
                return messages.map { _ in state.error }
            }
        }

        func close() async {}
    }

    private func following(_ body: () async throws -> Void) async throws {
        let relay = Relay(metadata: metadata, producer: producer, webhook: nil, owner: "test")
        let health = health
        let task = Task { await relay.follow(wakeSignal: WakeSignal(), idleSeconds: 0.001, health: health) }
        try await body()
        task.cancel()
        await task.value
    }

    private func post() async throws -> MessageID {
        let message = MetadataSamples.message(of: .make())
        try await metadata.post([message], about: nil)
        return message.id
    }

    @Test(arguments: [
        ClairoError.refused("Topic authorization failed"), .unavailable("no broker"),
        ClairoError(kind: .capacity, exitCode: .temporary, "the queue is full"),
    ])
    func aQueueThatFailsForAWhileLosesNoMessage(_ error: ClairoError) async throws {
        producer.fail(with: error)
        let id = try await post()
        try await following {
            try await eventually { health.blockages[.relay]?.kind == error.kind }
            producer.fail(with: nil)
            try await eventually { producer.sent == [id] && health.blockages.isEmpty }
        }
        #expect(try await metadata.unsentMessages() == 0)
        #expect(try await metadata.deadLetters(topic: nil, all: true, limit: 10).isEmpty)
    }

    @Test(arguments: [
        ClairoError.refused("The server is running with --read-only"), .refused("no tables", exitCode: .configuration),
        ClairoError(kind: .capacity, exitCode: .inputOutput, "the disk is full"), .defect("unknown"),
    ])
    func aDatabaseThatFailsForAWhileDoesNotEndTheRelay(_ error: ClairoError) async throws {
        let id = try await post()
        metadata.setAway(true, with: error)
        try await following {
            try await eventually { health.blockages[.relay] == error }
            metadata.setAway(false)
            try await eventually { producer.sent == [id] && health.blockages.isEmpty }
        }
    }

    @Test func anIdleRelayIsUnblockedOnceItCanReadTheOutbox() async throws {
        metadata.setAway(true)
        try await following {
            try await eventually { health.blockages[.relay] != nil }
            metadata.setAway(false)
            try await eventually { health.blockages.isEmpty }
        }
    }
}
