internal import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static var outbox: [Clause] {
        [
            Clause("a claimed message is unchanged") { store async throws in
                let video = MetadataSamples.video()
                let message = MetadataSamples.message(of: video.id)
                #expect(try await store.register(video, message: message, upload: nil))
                #expect(try await claim(in: store) == [message])
            },
            Clause("messages are claimed oldest first, up to the limit, by one relay each") {
                store async throws in
                let ids = try await send(["a", "b", "c", "d"], in: store)
                #expect(try await claim(limit: 3, in: store).map(\.id) == Array(ids[..<3]))
                #expect(try await claim("r2", in: store).map(\.id) == [ids[3]])
                #expect(try await claim("r2", in: store).isEmpty)
                #expect(try await claim(limit: 0, in: store).isEmpty)
            },
            Clause("a message waits for an older one of its topic and key") { store async throws in
                let ids = try await send(["a", "a", "b", "a"], in: store)
                #expect(try await claim(in: store).map(\.id) == [ids[0], ids[2]])
                #expect(try await claim("r2", in: store).isEmpty)
                try await store.markPublished([ids[0]], owner: "r1")
                #expect(try await claim("r2", in: store).map(\.id) == [ids[1]])
                try await store.postpone(ids[1], owner: "r2", seconds: 3600, reason: "broker away")
                #expect(try await claim(in: store).isEmpty)
            },
            Clause("a published message is no longer pending, and marking it twice is safe") { store async throws in
                let ids = try await send(["a", "b"], in: store)
                #expect(try await store.unsentMessages() == 2)
                #expect(try #require(try await store.statistics().outbox.oldestSeconds) >= 0)
                #expect(try await claim(in: store).count == 2)
                try await store.markPublished(ids, owner: "r1")
                try await store.markPublished(ids, owner: "r1")
                try await store.markPublished([], owner: "r1")
                #expect(try await store.statistics().outbox == QueueStatistics.Outbox())
            },
            Clause("a message with an expired lease goes to another relay, and the first can no longer end it") {
                store async throws in
                let ids = try await send(["a"], in: store)
                #expect(try await store.claimOutbox(.queue, owner: "r1", limit: 1, leaseSeconds: -1).map(\.id) == ids)
                #expect(try await claim("r2", in: store).map(\.id) == ids)
                try await store.markPublished(ids, owner: "r1")
                try await store.postpone(ids[0], owner: "r1", seconds: 0, reason: "late")
                #expect(try await store.unsentMessages() == 1)
                #expect(try await claim("r3", in: store).isEmpty)
                try await store.markPublished(ids, owner: "r2")
                #expect(try await store.unsentMessages() == 0)
            },
            Clause("a postponed message becomes due with one more attempt") { store async throws in
                let ids = try await send(["a", "b"], in: store)
                #expect(try await claim(in: store).count == 2)
                try await store.postpone(ids[0], owner: "r1", seconds: 0, reason: "broker away")
                try await store.postpone(ids[1], owner: "r1", seconds: 3600, reason: "broker away")
                let again = try await claim(in: store)
                #expect(again.map(\.id) == [ids[0]])
                #expect(again.map(\.attempts) == [1])
            },
            Clause("a message with a delay is not due yet") { store async throws in
                let video = MetadataSamples.video()
                let message = MetadataSamples.message(of: video.id, delay: 3600)
                #expect(try await store.register(video, message: message, upload: nil))
                #expect(try await claim(in: store).isEmpty)
                #expect(try await store.unsentMessages() == 1)
            },
            Clause("concurrent relays get each message once, in the order of its key") { store async throws in
                let ids = try await send((0..<60).map { "k\($0 % 6)" }, in: store)
                let sent = try await concurrently(6) { relay in
                    var mine: [MessageID] = []
                    while try await store.unsentMessages() > 0 {
                        for message in try await claim("r\(relay)", limit: 3, in: store) {
                            try await store.markPublished([message.id], owner: "r\(relay)")
                            mine.append(message.id)
                        }
                    }
                    return mine
                }
                #expect(sent.flatMap { $0 }.count == ids.count)
                #expect(Set(sent.flatMap { $0 }) == Set(ids))
                for mine in sent {
                    for key in 0..<6 {
                        let places = mine.compactMap { id in ids.firstIndex(of: id) }.filter { $0 % 6 == key }
                        #expect(places == places.sorted())
                    }
                }
            },
            Clause("any number of messages that wait for a delayed one do not hide the message behind them") {
                store async throws in
                // More than a claim looks at.
                let ids = try await send(["a"] + Array(repeating: "a", count: 900) + ["b"], in: store)
                #expect(try await claim(limit: 1, in: store).map(\.id) == [ids[0]])
                try await store.postpone(ids[0], owner: "r1", seconds: 3600, reason: "receiver away")
                #expect(try await claim(limit: 10, in: store).map(\.id) == [ids[901]])
                #expect(try await claim(limit: 10, in: store).isEmpty)
                #expect(try await store.unsentMessages() == 902)
            },
            Clause("of many due messages, each is claimed once, in order") { store async throws in
                let ids = try await send((0..<500).map { "k\($0)" }, in: store)
                var claimed: [MessageID] = []
                while true {
                    let some = try await claim(limit: 150, in: store)
                    if some.isEmpty { break }
                    claimed += some.map(\.id)
                }
                #expect(claimed == ids)
                try await store.markPublished(ids, owner: "r1")
                #expect(try await store.unsentMessages() == 0)
            },
            Clause("webhooks are claimed separately, in their own order") { store async throws in
                let ids = try await send(["a"], in: store)
                let video = MetadataSamples.video()
                let hooks = ["b", "b"].map { MetadataSamples.message(of: video.id, topic: Topic.webhook, key: $0) }
                try await store.post(hooks, about: nil)
                #expect(try await claim(in: store).map(\.id) == ids)
                #expect(try await claim(in: store).isEmpty)
                for hook in hooks {
                    #expect(
                        try await store.claimOutbox(.webhook, owner: "r1", limit: 100, leaseSeconds: lease).map(\.id)
                            == [
                                hook.id
                            ])
                    try await store.markPublished([hook.id], owner: "r1")
                }
            },
        ]
    }

    /// Messages of one job, in order.
    private static func send(_ keys: [String], in store: any MetadataStore) async throws -> [MessageID] {
        let video = MetadataSamples.video()
        let own = MetadataSamples.message(of: video.id, topic: "own")
        #expect(try await store.register(video, message: own, upload: nil))
        #expect(try await claim(in: store) == [own])
        try await store.markPublished([own.id], owner: "r1")
        let messages = keys.map { MetadataSamples.message(of: video.id, topic: "clairo.tasks", key: $0) }
        try await store.post(messages, about: video.id)
        return messages.map(\.id)
    }

    private static func claim(_ owner: String = "r1", limit: Int = 100, in store: any MetadataStore) async throws
        -> [OutboxMessage]
    {
        try await store.claimOutbox(.queue, owner: owner, limit: limit, leaseSeconds: lease)
    }
}
