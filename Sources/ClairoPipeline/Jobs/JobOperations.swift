public import ClairoCore

/// What people may do with jobs: take them up again, stop them.
public struct JobOperations: Sendable {
    private let metadata: any MetadataStore
    private let output: any ObjectStore
    private let start: JobStart
    private let messages: JobMessages
    /// Attempts that a task gets more when its job is taken up again.
    private static let moreAttempts = 5
    /// Questions to the store at once.
    private static let questionsAtOnce = 16

    public init(metadata: any MetadataStore, output: any ObjectStore, start: JobStart, messages: JobMessages) {
        self.metadata = metadata
        self.output = output
        self.start = start
        self.messages = messages
    }

    /// Takes up the last job of a video where it failed or was cancelled: what has succeeded and still lies in the store as it
    /// was written is not made again.
    /// - Parameter anew: begins a new job from the source instead, also where the last one succeeded.
    /// - Returns: the job that is at work now; nil where there is nothing to take up.
    public func retry(_ id: VideoID, anew: Bool = false) async throws(ClairoError) -> JobID? {
        guard let video = try await metadata.video(id) else { throw Self.unknown(id) }
        let last = try await metadata.jobs(of: id).first
        if let last, !last.state.isFinal || (last.state == .succeeded && !anew) { return nil }
        guard let last, !anew else { return try await start.beginAnew(video) ? metadata.video(id)?.jobID : nil }
        let lost = try await lostTasks(of: last)
        return try await metadata.retryJob(of: id, attempts: Self.moreAttempts, lost: lost) { [messages] task in
            [messages.task(task, traceID: video.traceID)]
        }?.id
    }

    /// Tasks of which a file is gone, or has not the size that was written.
    private func lostTasks(of job: Job) async throws(ClairoError) -> Set<TaskID> {
        let done = try await metadata.tasks(of: job.id).filter { $0.state == .succeeded }
        let checks = done.flatMap { task in
            AttemptFolder.objects(of: task, plan: job.plan).map { (task: task.id, key: $0.key, bytes: $0.bytes) }
        }
        // A long video has thousands of segments, and a store far away answers each question in its own time.
        let batches = (0..<min(Self.questionsAtOnce, checks.count)).map { first in
            stride(from: first, to: checks.count, by: Self.questionsAtOnce).map { checks[$0] }
        }
        let found = await withTaskGroup { group in
            for batch in batches {
                group.addTask { () -> Result<Set<TaskID>, ClairoError> in
                    do throws(ClairoError) {
                        return .success(
                            try await blocking("look at segments") { [output] () throws(ClairoError) in
                                var lost: Set<TaskID> = []
                                for check in batch where !lost.contains(check.task) {
                                    if try output.info(of: check.key)?.size != check.bytes { lost.insert(check.task) }
                                }
                                return lost
                            })
                    } catch {
                        return .failure(error)
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        var lost: Set<TaskID> = []
        for batch in found { lost.formUnion(try batch.get()) }
        return lost
    }

    /// Stops the job of a video, and keeps one that has not begun from beginning. Its workers notice within seconds.
    /// - Returns: nil where there is nothing to stop.
    public func cancel(_ id: VideoID) async throws(ClairoError) -> Video? {
        guard try await metadata.video(id) != nil else { throw Self.unknown(id) }
        return try await metadata.cancelVideo(id) { [messages] job in messages.event(.cancelled, job: job) }
    }

    private static func unknown(_ id: VideoID) -> ClairoError {
        .noInput("There is no video \(id)", advice: "clairo status lists the videos.")
    }
}
