internal import ClairoCore
internal import ClairoMessaging
internal import ClairoPipeline
internal import Foundation
internal import Synchronization

/// The pipeline of `clairo consume` and `clairo produce --follow` in one process, with tasks that do nothing. The rest
/// is the cost of the database and the queue.
struct PipelineBench {
    let metadata: any MetadataStore
    /// `local:` or `kafka://…`.
    let queue: String
    let jobs: Int
    /// The number of concurrent tasks.
    let slots: Int

    struct Figures: Encodable {
        /// From the start of the first task to the end of the last job.
        var seconds: Double
        var tasks: Int
        /// After each tenth of the jobs.
        var marks: [Mark]
    }

    struct Mark: Encodable {
        var jobs: Int
        var seconds: Double
        var residentBytes: Int
    }

    /// Writes the rows of a finished upload.
    static func register(_ metadata: any MetadataStore, jobs: Int) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for client in 0..<16 {
                group.addTask {
                    for _ in stride(from: client, to: jobs, by: 16) {
                        let video = video()
                        let message = OutboxMessage(
                            id: .make(), topic: Topic.uploads, key: video.id.rawValue,
                            headers: [
                                ReceivedMessage.Header.trace: video.traceID, ReceivedMessage.Header.schema: "1",
                            ], payload: try JSON.encode(UploadMessage(video), pretty: false), createdAt: .now)
                        _ = try await metadata.register(video, message: message, upload: nil)
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    private static func video() -> Video {
        let id = VideoID.make()
        let key = Video.sourceKey(id)
        return Video(
            id: id, originalName: "tiny.mp4",
            source: ObjectLocation(bucket: "raw", key: key.rawValue, url: "s3://raw/\(key)"), size: 1_000_000,
            sha256: Checksum.sha256(Data(id.rawValue.utf8)), traceID: Checksum.md5(Data(id.rawValue.utf8)),
            uploadedAt: .now)
    }

    func run() async throws -> Figures {
        let (drain, stop) = (StopRequest(), StopRequest())
        let count = Count(jobs: jobs) { drain.cancel() }
        let isLocal = queue == "local:"
        let queue: any MessageQueue =
            isLocal ? LocalQueue(records: metadata) : try KafkaQueue(url: queue, log: Self.log)
        let messages = JobMessages()
        let worker = Worker(
            Worker.Services(
                metadata: metadata, output: NullStore(), openSource: { _ in EmptySource() }, executor: IdleExecutor(),
                messages: messages), owner: "bench", report: count.note)
        // With Kafka, the relay is another process, which cannot be woken from here.
        let wakeSignal = WakeSignal()
        let health = DaemonHealth(onError: { Self.log("\($0)") })
        let consumer = Consumer(
            metadata: metadata, queue: queue,
            intake: UploadMessageHandler(
                metadata: metadata,
                start: JobStart(metadata: metadata, policy: QueuePolicy(), messages: messages), events: nil),
            worker: worker, options: Consumer.Options(concurrency: slots), wakeSignal: wakeSignal, health: health)
        try await queue.prepare(topics: Topic.all)
        let producer = try await queue.producer()
        let relay = Relay(metadata: metadata, producer: producer, webhook: nil, owner: "bench")
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                await relay.follow(wakeSignal: isLocal ? wakeSignal : WakeSignal(), health: health)
            }
            try await consumer.run(drain: drain, stop: stop)
            group.cancelAll()
            try await group.waitForAll()
        }
        _ = try await relay.drain()
        await producer.close()
        return count.figures
    }

    private static func log(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }
}

/// Observes the worker's events, and knows when all jobs are ready.
private final class Count: Sendable {
    private struct State {
        var began: ContinuousClock.Instant?
        var tasks = 0
        var ready = 0
        var marks: [PipelineBench.Mark] = []
    }

    private let jobs: Int
    private let end: @Sendable () -> Void
    private let state = Mutex(State())

    init(jobs: Int, end: @escaping @Sendable () -> Void) {
        self.jobs = jobs
        self.end = end
    }

    var figures: PipelineBench.Figures {
        state.withLock { .init(seconds: $0.marks.last?.seconds ?? 0, tasks: $0.tasks, marks: $0.marks) }
    }

    func note(_ event: WorkerEvent) {
        switch event.content {
        case .began: state.withLock { $0.began = $0.began ?? .now }
        case .succeeded: if succeeded(event.task) { end() }
        case .failed(let error, _): fatalError("A task that does nothing failed: \(error)")
        case .released, .lost: break
        }
    }

    private func succeeded(_ task: WorkTask) -> Bool {
        state.withLock { state in
            state.tasks += 1
            guard task.kind == .finish else { return false }
            state.ready += 1
            if state.ready % max(1, jobs / 10) == 0 || state.ready == jobs {
                let seconds = (state.began ?? .now).duration(to: .now).seconds
                state.marks.append(.init(jobs: state.ready, seconds: seconds, residentBytes: Self.residentBytes))
            }
            return state.ready == jobs
        }
    }

    /// proc(5), `statm`: the second number is in pages.
    private static var residentBytes: Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return (text.split(separator: " ").dropFirst().first.flatMap { Int($0) } ?? 0)
            * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}
