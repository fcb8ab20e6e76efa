import ClairoCore
import ClairoMetadata
import ClairoTestSupport
import Foundation
import Testing

/// A server that crashes and restarts during work.
@Suite(.mostlyWaits, .enabled(if: MariaDBServer.isInstalled)) struct MySQLRestartTests {
    @Test func aRestartDuringWorkLosesAndDuplicatesNothing() async throws {
        let scratch = try Scratch()
        let server = try await MariaDBServer(folder: scratch.path("mariadb"))
        scratch.onCleanup { server.kill() }
        let store = try await MetadataDatabase.open(url: try await server.makeDatabase().url, environment: [:])
        _ = try await store.migrate()
        let sample = MetadataSamples.video()
        #expect(try await store.register(sample, message: MetadataSamples.message(of: sample.id), upload: nil))
        let job = MetadataSamples.job(of: sample.id)
        let tasks = (0..<600).map { MetadataSamples.task(of: job, index: $0) }
        #expect(try await store.startJob(job, tasks: tasks, messages: [], from: [.uploaded]))
        let finish = MetadataSamples.task(of: job, .finish)
        let counter = Counter()

        // Eight workers claim and end tasks and register a video for each, while the server crashes twice.
        try await withThrowingTaskGroup { group in
            for worker in 0..<8 {
                group.addTask {
                    while let task = try await store.claimNextTask(
                        kinds: [.chunk], owner: "w\(worker)", leaseSeconds: 36_000)
                    {
                        let video = MetadataSamples.video()
                        let isNew = try await store.register(
                            video, message: MetadataSamples.message(of: video.id), upload: nil)
                        let isEnded = try await store.succeedTask(
                            TaskClaim(task), result: TaskResult(), finish: finish,
                            messages: [MetadataSamples.message(of: task.videoID, topic: "done")])
                        await counter.add(task.attempt == 1 && isNew && isEnded)
                    }
                }
            }
            group.addTask {
                for count in [100, 300] {
                    await counter.reach(count)
                    try await server.restart()
                }
            }
            try await group.waitForAll()
        }
        #expect(await counter.good == tasks.count)
        #expect(await counter.bad == 0)
        let after = try await store.tasks(of: job.id)
        #expect(after.dropLast().allSatisfy { $0.state == .succeeded && $0.attempt == 1 })
        #expect(after.last?.id == finish.id)
        #expect(try await store.job(job.id)?.state == .finishing)
        #expect(try await store.videos(VideoFilter(limit: 10_000)).count == tasks.count + 1)
        #expect(try await store.unsentMessages() == tasks.count + 2)
        await store.close()
    }

    @Test func retriesEndWithAnErrorIfTheServerStaysUnavailable() async throws {
        let scratch = try Scratch()
        let server = try await MariaDBServer(folder: scratch.path("mariadb"))
        let store = try await MetadataDatabase.open(url: try await server.makeDatabase().url, environment: [:])
        _ = try await store.migrate()
        try await store.check()
        server.kill()
        // A cancelled caller does not wait for that.
        let task = Task { try await store.check() }
        task.cancel()
        switch await task.result {
        case .success: Issue.record("The call succeeded without a server")
        case .failure(let error): #expect(error as? ClairoError == .cancelled)
        }
        #expect(await failure { _ = try await store.migrate() }?.exitCode == .unavailable)
        await store.close()
    }

    private actor Counter {
        private(set) var good = 0
        private(set) var bad = 0
        private var waiters: [(Int, CheckedContinuation<Void, Never>)] = []

        func add(_ isGood: Bool) {
            if isGood { good += 1 } else { bad += 1 }
            for (_, waiter) in waiters.filter({ $0.0 <= good + bad }) { waiter.resume() }
            waiters.removeAll { $0.0 <= good + bad }
        }

        func reach(_ count: Int) async {
            if good + bad >= count { return }
            await withCheckedContinuation { waiters.append((count, $0)) }
        }
    }
}
