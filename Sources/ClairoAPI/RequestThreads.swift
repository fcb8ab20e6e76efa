internal import ClairoCore
internal import Foundation

/// The threads that run request handlers, apart from the pool of all other tasks. So health checks, metrics, signals
/// and timers do not wait behind requests that keep a thread busy.
///
/// A request has at most one job in the queue, so the number of connections bounds it.
final class RequestThreads: _Concurrency.TaskExecutor {
    static let shared = RequestThreads(count: max(2, ProcessInfo.processInfo.activeProcessorCount))

    let count: Int
    private let jobs = BoundedQueue<UnownedJob>(capacity: .max)

    /// Starts the threads, which live as long as the process.
    private init(count: Int) {
        self.count = count
        for number in 1...count {
            _ = WorkerThread(name: "request-\(number)") { [self] in
                while let job = jobs.pop() { job.runSynchronously(on: asUnownedTaskExecutor()) }
            }
        }
    }

    func enqueue(_ job: consuming ExecutorJob) { _ = jobs.push(UnownedJob(job)) }
}
