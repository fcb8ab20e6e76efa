internal import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static let census = [
        Promise("an empty database has nothing to count") { store async throws in
            let census = try await store.census()
            #expect(census.videos.isEmpty && census.jobs.isEmpty && census.queued.isEmpty && census.workers == 0)
            #expect(census.outbox == Census.Outbox() && census.deadLetters.isEmpty)
            #expect(census.tasks.values.allSatisfy { $0 == Census.Tasks() })
            #expect(try await store.finishedTasks().isEmpty)
        },
        Promise("a census counts tasks by kind, state and what is due, and tells the age of the oldest") {
            store async throws in
            let tasks = try await create(
                [.chunk, .chunk, .chunk, .chunk, .audio], delays: [0, 0, 0, 3600, 0], in: store)
            _ = try await claim(tasks[0], in: store)
            _ = try await store.claimTask(tasks[1].id, owner: "dead", leaseSeconds: 0)
            #expect(try await succeed(try await claim(tasks[4], in: store), in: store))
            let census = try await store.census()
            let chunks = try #require(census.tasks[.chunk])
            #expect(chunks.pending.count == 2 && chunks.due == 1)
            #expect(chunks.running.count == 2 && chunks.abandoned == 1)
            #expect(try #require(chunks.pending.oldestSeconds) > 0.5)
            #expect(try #require(chunks.running.oldestSeconds) > 0.5)
            #expect(census.tasks[.audio] == Census.Tasks())
            #expect(census.workers == 2)
            #expect(census.videos == [.processing: 1])
            #expect(census.jobs.values.map(\.count) == [1])
            #expect(try #require(census.jobs.values.first?.oldestSeconds) > 0.5)
            #expect(try await store.finishedTasks() == [.audio: [.succeeded: 1]])
        },
        Promise("a census counts messages and dead letters") { store async throws in
            let video = MetadataSamples.video()
            #expect(try await register(video, in: store))
            let later = MetadataSamples.message(of: video.id, topic: "clairo.tasks", key: "later", delay: 3600)
            try await store.post([later], about: video.id)
            try await store.enqueue((0..<3).map { _ in MetadataSamples.message(of: video.id, topic: "clairo.tasks") })
            try await store.enqueue([MetadataSamples.message(of: video.id)])
            let letters = [MetadataSamples.deadLetter(), MetadataSamples.deadLetter()]
            for letter in letters { try await store.addDeadLetter(letter, messages: []) }
            #expect(try await store.redriveDeadLetter(letters[0].id, messages: []))
            let census = try await store.census()
            #expect(census.outbox.pending == 2 && census.outbox.due == 1)
            #expect(try #require(census.outbox.oldestSeconds) > 0.5)
            #expect(try #require(census.outbox.overdueSeconds) > 0.5)
            #expect(census.queued == ["clairo.tasks": 3, "clairo.uploads": 1])
            #expect(census.deadLetters == ["clairo.uploads": 1])
            _ = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
            #expect(try await store.census().outbox.due == 0, "what a relay holds is in good hands")
        },
    ]
}
