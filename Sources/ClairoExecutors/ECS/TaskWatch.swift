internal import ClairoCore
internal import Foundation

/// The ECS state of all tasks of a worker, read with as few calls as possible. A caller that needs newer data reads the
/// state of all tasks, up to a hundred per call, while other callers wait.
///
/// `@unchecked Sendable`: all mutable state is guarded by `condition`.
final class TaskWatch: @unchecked Sendable {
    private struct Sight {
        /// Nil if ECS does not know the task.
        var task: ECSTask?
        var at: Double
    }

    private let client: ECSClient
    private let cluster: String
    private let condition = NSCondition()
    private var watched: Set<String> = []
    private var seen: [String: Sight] = [:]
    private var isAsking = false

    init(_ client: ECSClient, cluster: String) {
        self.client = client
        self.cluster = cluster
    }

    func add(_ arn: String) { condition.withLock { _ = watched.insert(arn) } }

    func remove(_ arn: String) {
        condition.withLock {
            watched.remove(arn)
            seen[arn] = nil
        }
    }

    /// The state of a registered task.
    /// - Parameter age: The maximum age of the data in seconds.
    /// - Returns: Nil if ECS does not know the task yet or no longer knows it.
    func look(at arn: String, noOlderThan age: Double, stop: StopRequest) throws(ClairoError) -> ECSTask? {
        condition.lock()
        while true {
            if let sight = seen[arn], client.clock.now() - sight.at <= age {
                condition.unlock()
                return sight.task
            }
            if !isAsking { break }
            // The wait is bounded, so that a stop request is noticed.
            _ = condition.wait(until: Date().addingTimeInterval(0.2))
            if stop.isCancelled {
                condition.unlock()
                throw .cancelled
            }
        }
        isAsking = true
        let arns = watched.sorted()
        condition.unlock()
        let sights = Result { () throws(ClairoError) in try ask(arns, stop) }
        condition.lock()
        defer { condition.unlock() }
        isAsking = false
        condition.broadcast()
        for (arn, sight) in try sights.get() where watched.contains(arn) { seen[arn] = sight }
        return seen[arn]?.task
    }

    /// Reads the state of tasks. Makes at most two attempts per call, because the caller cannot renew its task's lease
    /// meanwhile and will repeat the call.
    private func ask(_ arns: [String], _ stop: StopRequest) throws(ClairoError) -> [String: Sight] {
        var sights: [String: Sight] = [:]
        for start in stride(from: 0, to: arns.count, by: DescribeTasksRequest.limit) {
            let batch = Array(arns[start..<min(start + DescribeTasksRequest.limit, arns.count)])
            let now = client.clock.now()
            let reply = try client.describeTasks(batch, cluster: cluster, attempts: 2, stop: stop)
            for arn in batch { sights[arn] = Sight(at: now) }
            for task in reply.tasks ?? [] { sights[task.taskArn] = Sight(task: task, at: now) }
        }
        return sights
    }
}

/// Limits the number of a worker's tasks that were requested from ECS and have not started yet.
///
/// `@unchecked Sendable`: `free` is guarded by `condition`.
final class PendingGate: @unchecked Sendable {
    private let condition = NSCondition()
    private var free: Int

    init(_ limit: Int) { free = limit }

    func enter(_ stop: StopRequest) throws(ClairoError) {
        condition.lock()
        defer { condition.unlock() }
        while free == 0 {
            _ = condition.wait(until: Date().addingTimeInterval(0.2))
            try stop.check()
        }
        free -= 1
    }

    func leave() {
        condition.withLock {
            free += 1
            condition.signal()
        }
    }
}
