internal import ClairoCore
internal import Testing

extension MetadataStoreContract {
    static var statistics: [Clause] {
        [
            Clause("the statistics of an empty database are zero") { store async throws in
                let statistics = try await store.statistics()
                #expect(
                    statistics.videos.isEmpty && statistics.jobs.isEmpty && statistics.queued.isEmpty
                        && statistics.workers == 0)
                #expect(statistics.outbox == QueueStatistics.Outbox() && statistics.deadLetters.isEmpty)
                #expect(statistics.tasks.values.allSatisfy { $0 == QueueStatistics.Tasks() })
                #expect(try await store.finishedTasks().isEmpty)
            },
            Clause("statistics count tasks by kind and state, due tasks, and the age of the oldest") {
                store async throws in
                let tasks = try await create(
                    [.chunk, .chunk, .chunk, .chunk, .track], delays: [0, 0, 0, 3600, 0], in: store)
                _ = try await claim(tasks[0], in: store)
                _ = try await store.claimNextTask(kinds: [.chunk], owner: "dead", leaseSeconds: 0)
                #expect(try await succeed(try await claim(tasks[4], in: store), in: store))
                let statistics = try await store.statistics()
                let chunks = try #require(statistics.tasks[.chunk])
                #expect(chunks.pending.count == 2 && chunks.due == 1)
                #expect(chunks.running.count == 2 && chunks.abandoned == 1)
                #expect(try #require(chunks.pending.oldestSeconds) > 0.5)
                #expect(try #require(chunks.running.oldestSeconds) > 0.5)
                #expect(statistics.tasks[.track] == QueueStatistics.Tasks())
                #expect(statistics.workers == 2)
                #expect(statistics.videos == [.processing: 1])
                #expect(statistics.jobs.values.map(\.count) == [1])
                #expect(try #require(statistics.jobs.values.first?.oldestSeconds) > 0.5)
                #expect(try await store.finishedTasks() == [.track: [.succeeded: 1]])
            },
            Clause("statistics count messages and dead letters") { store async throws in
                let video = MetadataSamples.video()
                #expect(try await register(video, in: store))
                let later = MetadataSamples.message(of: video.id, topic: "clairo.tasks", key: "later", delay: 3600)
                try await store.post([later], about: video.id)
                try await store.enqueue(
                    (0..<3).map { _ in MetadataSamples.message(of: video.id, topic: "clairo.tasks") })
                try await store.enqueue([MetadataSamples.message(of: video.id)])
                let letters = [MetadataSamples.deadLetter(), MetadataSamples.deadLetter()]
                for letter in letters { try await store.addDeadLetter(letter, messages: []) }
                #expect(try await store.redriveDeadLetter(letters[0].id, messages: []))
                let statistics = try await store.statistics()
                #expect(statistics.outbox.pending == 2 && statistics.outbox.due == 1)
                #expect(try #require(statistics.outbox.oldestSeconds) > 0.5)
                #expect(
                    try #require(statistics.outbox.overdueSeconds) >= 0, "since it was posted, by the database's clock")
                #expect(statistics.queued == ["clairo.tasks": 3, "clairo.uploads": 1])
                #expect(statistics.deadLetters == ["clairo.uploads": 1])
                _ = try await store.claimOutbox(.queue, owner: "r", limit: 10, leaseSeconds: lease)
                #expect(try await store.statistics().outbox.due == 0, "a leased message is not due")
            },
        ]
    }
}
