internal import ClairoCore
internal import ClairoMetadata
internal import Foundation

/// What the benchmarks `metadata` and `pipeline` in `Scripts/bench` measure with: each subcommand prints its figures as
/// JSON. It is no product: people have `clairo`.
///
///     clairo-bench migrate URL                    only bring the schema up to date
///     clairo-bench store URL CLIENTS CLAIMS       a store that is filled already: times in milliseconds
///     clairo-bench statements URL ROUNDS          the same: each statement of the daemons
///     clairo-bench register URL JOBS              uploads without bytes
///     clairo-bench pipeline URL QUEUE JOBS SLOTS  all of them through the pipeline, with tasks that do nothing
@main
struct ClairoBench {
    static func main() async throws {
        let words = Array(CommandLine.arguments.dropFirst())
        let numbers = words.compactMap(Int.init)
        switch (words.first, words.count, numbers.count) {
        case ("migrate", 2, 0):
            try await withStore(words[1]) { _ in }
        case ("store", 4, 2):
            try await withStore(words[1]) { try show(await measure($0, clients: numbers[0], claims: numbers[1])) }
        case ("statements", 3, 1):
            try show(await StatementBench(url: words[1], rounds: numbers[0]).run())
        case ("register", 3, 1):
            try await withStore(words[1]) { try await PipelineBench.register($0, jobs: numbers[0]) }
        case ("pipeline", 5, 2):
            try await withStore(words[1]) {
                try show(await PipelineBench(metadata: $0, queue: words[2], jobs: numbers[0], slots: numbers[1]).run())
            }
        default:
            FileHandle.standardError.write(
                Data("usage: clairo-bench migrate|store|statements|register|pipeline URL …; see its source\n".utf8))
            exit(64)
        }
    }

    private static func withStore(_ url: String, _ body: @Sendable (any MetadataStore) async throws -> Void)
        async throws
    {
        let store = try await MetadataDatabase.open(url: url, environment: ProcessInfo.processInfo.environment)
        _ = try await store.migrate()
        try await body(store)
        await store.close()
    }

    private static func show(_ figures: some Encodable) throws {
        print(String(decoding: try JSON.encode(figures, pretty: false), as: UTF8.self))
    }

    private static func measure(
        _ store: any MetadataStore, clients: Int, claims: Int
    ) async throws -> [String: Figures] {
        var status = Figures()
        var newest = Figures()
        var newestFailed = Figures()
        for index in 0..<500 {
            // A video from anywhere: the newest before a moment at random.
            let moment = Timestamp(microseconds: .random(in: 1_600_000_000_000_000...1_600_999_000_000_000))
            guard let video = try await store.videos(VideoFilter(before: .make(at: moment), limit: 1)).first else {
                throw ClairoError.noInput("The database has no videos")
            }
            try await status.measure {
                _ = try await store.video(video.id)
                for job in try await store.jobs(of: video.id) { _ = try await store.tasks(of: job.id) }
                _ = try await store.renditions(of: video.id)
            }
            if index % 5 == 0 {
                try await newest.measure { _ = try await store.videos(VideoFilter(limit: 50)) }
                try await newestFailed.measure { _ = try await store.videos(VideoFilter(state: .failed, limit: 50)) }
            }
        }
        // As workers come, only a hundred times as often, and then as fast as they can.
        let paced = try await claim(store, clients: clients, each: 100, pause: .milliseconds(100))
        let fast = try await claim(store, clients: clients, each: max(1, claims / clients - 100), pause: .zero)
        return [
            "status of one": status, "newest 50": newest, "newest 50 failed": newestFailed,
            "claim, each client 10 per s": paced, "claim, full speed": fast,
        ]
    }

    /// Each client claims a task and ends it, `each` times.
    private static func claim(
        _ store: any MetadataStore, clients: Int, each: Int, pause: Duration
    ) async throws -> Figures {
        var all = Figures()
        let begin = ContinuousClock.now
        try await withThrowingTaskGroup { group in
            for client in 0..<clients {
                group.addTask {
                    var mine = Figures()
                    for _ in 0..<each {
                        if pause > .zero { try await Task.sleep(for: pause * Double.random(in: 0...2)) }
                        var task: WorkTask?
                        try await mine.measure {
                            task = try await store.claimNextTask(
                                kinds: [.plan, .chunk, .track], owner: "client-\(client)", leaseSeconds: 60)
                        }
                        guard let task else { throw ClairoError.noInput("There are too few tasks in the database") }
                        let finish = WorkTask(
                            id: .make(), jobID: task.jobID, videoID: task.videoID, kind: .finish,
                            priority: task.priority, notBefore: .now, createdAt: .now)
                        _ = try await store.succeedTask(
                            TaskClaim(task), result: TaskResult(), finish: finish,
                            messages: [])
                    }
                    return mine
                }
            }
            for try await figures in group { all.milliseconds += figures.milliseconds }
        }
        all.perSecond = Double(clients * each) / begin.duration(to: .now).seconds
        return all
    }
}

/// The times of one kind of call.
struct Figures: Encodable {
    var milliseconds: [Double] = []
    var perSecond: Double?

    mutating func measure(_ body: () async throws -> Void) async throws {
        let begin = ContinuousClock.now
        try await body()
        milliseconds.append(begin.duration(to: .now).seconds * 1000)
    }

    private enum CodingKeys: String, CodingKey { case count, median, p99, max, perSecond }

    func encode(to encoder: any Encoder) throws {
        let sorted = milliseconds.sorted()
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(sorted.count, forKey: .count)
        guard let last = sorted.last else { return }
        try container.encode(sorted[sorted.count / 2], forKey: .median)
        try container.encode(sorted[min(sorted.count - 1, sorted.count * 99 / 100)], forKey: .p99)
        try container.encode(last, forKey: .max)
        try container.encodeIfPresent(perSecond, forKey: .perSecond)
    }
}

extension Duration {
    var seconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
