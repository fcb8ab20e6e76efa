public import ClairoCore

extension MemoryMetadata {
    public func statistics() async throws(ClairoError) -> QueueStatistics {
        try change { state in
            let now = Timestamp.now
            func age(_ times: [Timestamp]) -> Double? { times.min().map { max(0, now.seconds(since: $0)) } }
            var statistics = QueueStatistics()
            for video in state.videos.values { statistics.videos[video.state, default: 0] += 1 }
            for (name, jobs) in Dictionary(grouping: state.jobs.values, by: \.state) {
                statistics.jobs[name] = .init(
                    count: jobs.count, oldestSeconds: name.isFinal ? nil : age(jobs.map(\.createdAt)))
            }
            for kind in WorkTask.Kind.allCases {
                var tasks = QueueStatistics.Tasks()
                let all = state.tasks.values.filter { $0.kind == kind }
                let (pending, running) = (all.filter { $0.state == .pending }, all.filter { $0.state == .running })
                tasks.pending = .init(count: pending.count, oldestSeconds: age(pending.map(\.createdAt)))
                tasks.running = .init(count: running.count, oldestSeconds: age(running.map(\.createdAt)))
                tasks.due = pending.count { $0.notBefore <= now }
                tasks.abandoned = running.count { ($0.leaseUntil ?? now) <= now }
                statistics.tasks[kind] = tasks
            }
            statistics.workers = Set(state.tasks.values.filter { $0.state == .running }.compactMap(\.owner)).count
            let due = state.outbox.filter { $0.claimableAt <= now }
            statistics.outbox.pending = state.outbox.count
            statistics.outbox.oldestSeconds = age(state.outbox.map(\.message.createdAt))
            statistics.outbox.due = due.count
            statistics.outbox.overdueSeconds = age(due.map(\.claimableAt))
            for queued in state.queue { statistics.queued[queued.message.topic, default: 0] += 1 }
            for letter in state.deadLetters where letter.redrivenAt == nil {
                statistics.deadLetters[letter.topic, default: 0] += 1
            }
            return statistics
        }
    }

    public func finishedTasks() async throws(ClairoError) -> [WorkTask.Kind: [WorkTask.State: Int]] {
        try change { state in
            var counts: [WorkTask.Kind: [WorkTask.State: Int]] = [:]
            for task in state.tasks.values where task.state.isFinal {
                counts[task.kind, default: [:]][task.state, default: 0] += 1
            }
            return counts
        }
    }
}
