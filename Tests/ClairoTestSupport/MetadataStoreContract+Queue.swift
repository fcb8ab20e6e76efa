internal import ClairoCore
internal import Foundation
internal import Testing

extension MetadataStoreContract {
    static var queue: [Clause] {
        [
            Clause("queued messages are claimed unchanged, in the order of their topic") { store async throws in
                var messages = ["a", "b", "c"].map { message(key: $0) }
                messages[1].payload = Data([0, 255, 10])
                messages[2].payload = Data()
                try await store.enqueue(messages)
                let taken = try await take(in: store)
                #expect(taken.map(\.message.id) == messages.map(\.id))
                #expect(taken.map(\.message.payload) == messages.map(\.payload))
                #expect(taken.map(\.message.headers) == messages.map(\.headers))
                #expect(taken.map(\.message.key) == ["a", "b", "c"])
                #expect(taken.map(\.sequence) == taken.map(\.sequence).sorted())
                #expect(taken.allSatisfy { $0.deliveries == 1 })
                #expect(try await take(in: store).isEmpty)
            },
            Clause("messages of the requested topics are claimed, oldest first, up to the limit") {
                store async throws in
                let messages = ["t1", "t2", "t3", "t1", "t2"].enumerated().map { message($1, key: "\($0)") }
                for message in messages { try await store.enqueue([message]) }
                #expect(try await store.queuedCounts() == ["t1": 2, "t2": 2, "t3": 1])
                #expect(
                    try await take(["t1", "t2"], limit: 3, in: store).map(\.message.id)
                        == [0, 1, 3].map { messages[$0].id })
                #expect(
                    try await take(["t1", "t2", "t3"], in: store).map(\.message.id) == [2, 4].map { messages[$0].id })
                #expect(try await take(["t4"], in: store).isEmpty)
                #expect(try await take([], in: store).isEmpty)
                #expect(try await take(["t1"], limit: 0, in: store).isEmpty)
            },
            Clause("a message queued twice is stored once") { store async throws in
                let message = message(key: "a")
                try await store.enqueue([message, message])
                try await store.enqueue([message])
                try await store.enqueue([])
                #expect(try await store.queuedCounts() == ["t": 1])
            },
            Clause("a queued message waits while an older one of its key exists") { store async throws in
                let messages = ["a", "a", "b", "a"].map { message(key: $0) }
                try await store.enqueue(messages)
                #expect(try await take(in: store).map(\.message.id) == [messages[0], messages[2]].map(\.id))
                #expect(try await take("c2", in: store).isEmpty)
                try await store.releaseQueued(messages[0].id, owner: "c1")
                let again = try await take("c2", in: store)
                #expect(again.map(\.message.id) == [messages[0].id])
                #expect(again.map(\.deliveries) == [2])
                #expect(try await store.removeQueued(messages[0].id, owner: "c1") == false)
                #expect(try await store.removeQueued(messages[0].id, owner: "c2"))
                #expect(try await store.removeQueued(messages[0].id, owner: "c2") == false)
                #expect(try await take(in: store).map(\.message.id) == [messages[1].id])
            },
            Clause("a message with an expired lease goes to another consumer, and the first has lost it") {
                store async throws in
                let messages = ["a", "b"].map { message(key: $0) }
                try await store.enqueue(messages)
                #expect(try await take(lease: 0, in: store).count == 2)
                #expect(
                    try await store.renewQueued([messages[1].id], owner: "c1", leaseSeconds: lease) == [messages[1].id])
                let second = try await take("c2", in: store)
                #expect(second.map(\.message.id) == [messages[0].id])
                #expect(second.map(\.deliveries) == [2])
                let ids = messages.map(\.id)
                #expect(try await store.renewQueued(ids, owner: "c1", leaseSeconds: lease) == [ids[1]])
                #expect(try await store.renewQueued([], owner: "c1", leaseSeconds: lease).isEmpty)
                try await store.releaseQueued(ids[0], owner: "c1")
                #expect(try await store.removeQueued(ids[0], owner: "c1") == false)
                #expect(try await take("c3", in: store).isEmpty)
                #expect(try await store.queuedCounts() == ["t": 2])
            },
            Clause("concurrent consumers get each message once, one per key at a time and in order") {
                store async throws in
                let messages = (0..<60).map { message(key: "k\($0 % 6)") }
                try await store.enqueue(messages)
                let done = try await concurrently(6) { consumer in
                    var mine: [MessageID] = []
                    while try await store.queuedCounts()["t"] ?? 0 > 0 {
                        for taken in try await take("c\(consumer)", limit: 3, in: store) {
                            #expect(taken.deliveries == 1)
                            #expect(try await store.removeQueued(taken.message.id, owner: "c\(consumer)"))
                            mine.append(taken.message.id)
                        }
                    }
                    return mine
                }
                #expect(done.flatMap { $0 }.count == messages.count)
                #expect(Set(done.flatMap { $0 }) == Set(messages.map(\.id)))
                let ids = messages.map(\.id)
                for mine in done {
                    for key in 0..<6 {
                        let places = mine.compactMap { ids.firstIndex(of: $0) }.filter { $0 % 6 == key }
                        #expect(places == places.sorted())
                    }
                }
            },
            Clause("messages that belong to no row can be posted") { store async throws in
                let video = VideoID.make()
                let messages = [message("clairo.tasks.dlq", key: "a"), message(Topic.webhook, key: "b")]
                try await store.post(messages, about: nil)
                try await store.post([message("clairo.events", key: "c")], about: video)
                try await store.post([], about: nil)
                #expect(try await store.pendingWork() == PendingWork(videos: 0, tasks: 0, messages: 2))
                let sent = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
                #expect(sent.map(\.key) == ["a", "c"])
                #expect(sent.first == messages[0])
                #expect(
                    try await store.claimOutbox(.webhook, owner: "r", limit: 10, leaseSeconds: lease) == [messages[1]])
                #expect(try await store.deleteVideo(video) == false)
                #expect(try await store.unsentMessages() == 2)
            },
        ]
    }

    static var deadLetters: [Clause] {
        [
            Clause("a dead letter is stored once and unchanged, with its messages") { store async throws in
                let letter = MetadataSamples.deadLetter(of: .make())
                let message = message("clairo.uploads.dlq", key: "k")
                for _ in 0..<2 { try await store.addDeadLetter(letter, messages: [message]) }
                #expect(try await store.deadLetter(letter.id) == letter)
                #expect(try await store.deadLetter(.make()) == nil)
                #expect(try await store.unsentMessages() == 1)
                var bare = DeadLetter(
                    id: .make(), topic: "t", payload: Data(), failure: Failure(kind: .defect, message: ""), attempts: 0)
                bare.createdAt = letter.createdAt
                try await store.addDeadLetter(bare, messages: [])
                #expect(try await store.deadLetter(bare.id) == bare)
            },
            Clause("dead letters are listed newest first, by topic, without redriven ones") { store async throws in
                var letters: [DeadLetter] = []
                for (second, topic) in ["a", "b", "a", "a"].enumerated() {
                    var letter = MetadataSamples.deadLetter(topic: topic)
                    letter.createdAt = letter.createdAt.advanced(bySeconds: Double(second))
                    letters.insert(letter, at: 0)
                    try await store.addDeadLetter(letter, messages: [])
                }
                func list(_ topic: String? = nil, all: Bool = false, limit: Int = 10) async throws -> [MessageID] {
                    try await store.deadLetters(topic: topic, all: all, limit: limit).map(\.id)
                }
                let ids = letters.map(\.id)
                #expect(try await list() == ids)
                #expect(try await list(limit: 2) == Array(ids.prefix(2)))
                #expect(try await list("b") == [ids[2]])
                let message = message("a", key: "k")
                #expect(try await store.redriveDeadLetter(ids[0], messages: [message]))
                #expect(
                    try await store.redriveDeadLetter(ids[0], messages: [.init(of: MetadataSamples.video())]) == false)
                #expect(
                    try await store.redriveDeadLetter(.make(), messages: [.init(of: MetadataSamples.video())]) == false)
                #expect(try await store.unsentMessages() == 1)
                #expect(try await store.deadLetter(ids[0])?.redrivenAt != nil)
                #expect(try await list() == Array(ids.dropFirst()))
                #expect(try await list(all: true) == ids)
                #expect(try await list("a") == [ids[1], ids[3]])
            },
            Clause("of concurrent redrives of a dead letter, one succeeds") { store async throws in
                let letter = MetadataSamples.deadLetter()
                try await store.addDeadLetter(letter, messages: [])
                let wins = try await concurrently(8) { _ in
                    try await store.redriveDeadLetter(letter.id, messages: [message(key: "k")])
                }
                #expect(wins.count { $0 } == 1)
                #expect(try await store.unsentMessages() == 1)
            },
            Clause("a purge removes obsolete rows only") { store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                let letters = [MetadataSamples.deadLetter(), MetadataSamples.deadLetter()]
                for letter in letters { try await store.addDeadLetter(letter, messages: []) }
                #expect(try await store.redriveDeadLetter(letters[0].id, messages: []))
                let topics = [Topic.uploads, Topic.tasks, Topic.events, "held"]
                try await store.enqueue(topics.map { message($0, key: "k") })
                #expect(try await take(["held"], in: store).count == 1)
                let hooks = ["a", "b"].map { MetadataSamples.message(of: video.id, topic: Topic.webhook, key: $0) }
                try await store.post(hooks, about: video.id)
                #expect(
                    try await store.claimOutbox(.webhook, owner: "r1", limit: 1, leaseSeconds: lease).map(\.id) == [
                        hooks[0].id
                    ])
                #expect(try await store.purge(olderThanSeconds: 3600, webhookSeconds: 3600, limit: 100) == 0)
                // Slightly in the future, so that rows written now are older.
                #expect(try await store.purge(olderThanSeconds: -3600, webhookSeconds: 3600, limit: 100) == 2)
                #expect(try await store.queuedCounts() == [Topic.uploads: 1, Topic.tasks: 1, "held": 1])
                #expect(try await store.deadLetters(topic: nil, all: true, limit: 10).map(\.id) == [letters[1].id])
                #expect(try await store.video(video.id) == video)
                #expect(try await store.unsentMessages() == 3)
                // Neither leased messages nor messages for the queue.
                #expect(try await store.purge(olderThanSeconds: 3600, webhookSeconds: -3600, limit: 100) == 1)
                #expect(try await store.unsentMessages() == 2)
            },
            Clause("a purge removes up to a limit of each kind, and nothing in the end") { store async throws in
                for _ in 0..<3 {
                    let letter = MetadataSamples.deadLetter()
                    try await store.addDeadLetter(letter, messages: [])
                    #expect(try await store.redriveDeadLetter(letter.id, messages: []))
                    try await store.enqueue([message(Topic.events, key: "k")])
                    try await store.post([message(Topic.webhook, key: "k")], about: nil)
                }
                var counts: [Int] = []
                while counts.last != 0 {
                    counts.append(try await store.purge(olderThanSeconds: -3600, webhookSeconds: -3600, limit: 2))
                }
                #expect(counts == [6, 3, 0])
                #expect(try await store.purge(olderThanSeconds: -3600, webhookSeconds: -3600, limit: 0) == 0)
            },
            Clause("a large batch is queued whole, without what is queued already") { store async throws in
                let messages = (0..<300).map { message(key: "\($0)") }
                try await store.enqueue(Array(messages[100..<110]))
                try await store.enqueue(messages)
                #expect(try await store.queuedCounts() == ["t": 300])
                #expect(Set(try await take(limit: 1000, ["t"], in: store)) == Set(messages.map(\.id)))
            },
        ]
    }

    private static func message(_ topic: String = "t", key: String) -> OutboxMessage {
        MetadataSamples.message(of: .make(), topic: topic, key: key)
    }

    private static func take(
        _ owner: String = "c1", lease seconds: Double = lease, in store: any MetadataStore
    ) async throws -> [QueuedMessage] {
        try await store.claimQueued(topics: ["t"], owner: owner, limit: 100, leaseSeconds: seconds)
    }

    private static func take(_ owner: String, limit: Int, in store: any MetadataStore) async throws -> [QueuedMessage] {
        try await store.claimQueued(topics: ["t"], owner: owner, limit: limit, leaseSeconds: lease)
    }

    private static func take(limit: Int, _ topics: [String], in store: any MetadataStore) async throws -> [MessageID] {
        try await take(topics, limit: limit, in: store).map(\.message.id)
    }

    private static func take(_ topics: [String], limit: Int = 100, in store: any MetadataStore) async throws
        -> [QueuedMessage]
    {
        try await store.claimQueued(topics: topics, owner: "c1", limit: limit, leaseSeconds: lease)
    }
}
