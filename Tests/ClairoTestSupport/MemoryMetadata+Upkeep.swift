public import ClairoCore
internal import Foundation

extension MemoryMetadata {
    /// A deletion or its tombstone.
    struct DeletionRow: Sendable {
        var requestedAt: Timestamp
        var quietAt: Timestamp
        var dueAt: Timestamp?
        var finishedAt: Timestamp?
    }

    /// The lease of a duty.
    struct DutyRow: Sendable {
        var owner: String?
        var leaseUntil: Timestamp
        var dueAt: Timestamp
        var succeededAt: Timestamp?
    }

    // MARK: Deletions

    public func beginDeletion(of id: VideoID, messages: @Sendable @escaping (Job) -> [OutboxMessage])
        async throws(ClairoError) -> Video?
    {
        let now = self.now()
        return try change { (state) throws(ClairoError) in
            guard let video = state.videos[id] else { return nil }
            if video.state == .deleting { return video }
            for job in state.jobs.values.filter({ $0.videoID == id && !$0.state.isFinal }).sorted(by: { $0.id < $1.id })
            {
                state.stop(job.id, as: .cancelled)
                if let stopped = state.jobs[job.id] { try state.post(messages(stopped), about: id) }
            }
            let jobs = state.jobs.values.filter { $0.videoID == id }.map(\.id)
            let end = jobs.compactMap { state.writesUntil[$0] }.max()?.advanced(bySeconds: Deletion.quietSeconds)
            state.deletions[id] = DeletionRow(requestedAt: now, quietAt: max(now, end ?? now), dueAt: now)
            state.videos[id]?.state = .deleting
            state.videos[id]?.error = nil
            state.videos[id]?.updatedAt = .now
            return state.videos[id]
        }
    }

    public func deletion(of id: VideoID) async throws(ClairoError) -> Deletion? {
        let now = self.now()
        return try change { state in state.deletions[id].map { Deletion(id, $0, now: now) } }
    }

    public func dueDeletions(limit: Int) async throws(ClairoError) -> [Deletion] {
        let now = self.now()
        return try change { state in
            let due = state.deletions.compactMap { id, row in row.dueAt.map { (id: id, row: row, dueAt: $0) } }
                .filter { $0.dueAt <= now }
            return due.sorted { ($0.dueAt, $0.id) < ($1.dueAt, $1.id) }.prefix(max(0, limit))
                .map { Deletion($0.id, $0.row, now: now) }
        }
    }

    public func scheduleDeletion(of id: VideoID, _ next: Deletion.Next, failure: Failure?) async throws(ClairoError) {
        let now = self.now()
        try change { state in
            if var row = state.deletions[id] {
                row.dueAt =
                    switch next {
                    case .whenQuiet: row.quietAt
                    case .after(let seconds): now.advanced(bySeconds: seconds)
                    case .never: nil
                    }
                state.deletions[id] = row
            }
            if state.videos[id]?.state == .deleting { state.videos[id]?.error = failure }
        }
    }

    public func removeTombstones(olderThanSeconds seconds: Double, limit: Int) async throws(ClairoError) -> Int {
        let latest = now().advanced(bySeconds: -seconds)
        return try change { state in
            let old = state.deletions.filter { $0.value.finishedAt.map { $0 <= latest } ?? false }.keys.sorted()
                .prefix(max(0, limit))
            for id in old { state.deletions[id] = nil }
            return old.count
        }
    }

    // MARK: Duties

    public func takeDuty(_ duty: Duty, owner: String, leaseSeconds: Double, evenIfNotDue: Bool)
        async throws(ClairoError) -> Bool
    {
        let now = self.now()
        return try change { state in
            if let row = state.duties[duty] {
                let isOurs = row.owner == owner && row.leaseUntil > now
                guard isOurs || row.leaseUntil <= now && (evenIfNotDue || row.dueAt <= now) else { return false }
            }
            var row = state.duties[duty] ?? DutyRow(leaseUntil: now, dueAt: now)
            (row.owner, row.leaseUntil) = (owner, now.advanced(bySeconds: leaseSeconds))
            state.duties[duty] = row
            return true
        }
    }

    public func endDuty(_ duty: Duty, owner: String, succeeded: Bool, dueAfterSeconds seconds: Double)
        async throws(ClairoError)
    {
        let now = self.now()
        try change { state in
            guard var row = state.duties[duty], row.owner == owner else { return }
            (row.owner, row.leaseUntil, row.dueAt) = (nil, now, now.advanced(bySeconds: seconds))
            if succeeded { row.succeededAt = now }
            state.duties[duty] = row
        }
    }

    public func dutyStatus(_ duty: Duty) async throws(ClairoError) -> DutyStatus? {
        let now = self.now()
        return try change { state in
            state.duties[duty].map {
                DutyStatus(owner: $0.leaseUntil > now ? $0.owner : nil, succeededAt: $0.succeededAt)
            }
        }
    }

    // MARK: Garbage

    public func jobsWithGarbage(olderThanSeconds seconds: Double, after last: JobWithGarbage?, limit: Int)
        async throws(ClairoError) -> [JobWithGarbage]
    {
        let latest = now().advanced(bySeconds: -seconds)
        return try change { state in
            let marked = state.garbage.compactMap { id, since in
                state.jobs[id].map { JobWithGarbage(job: $0, since: since) }
            }
            let found = marked.filter { mark in
                mark.since <= latest
                    && (last.map { ($0.since, $0.job.id) < (mark.since, mark.job.id) } ?? true)
            }
            return Array(found.sorted { ($0.since, $0.job.id) < ($1.since, $1.job.id) }.prefix(max(0, limit)))
        }
    }

    public func beginSweep(of job: Job) async throws(ClairoError) -> Bool {
        let now = self.now()
        return try change { state in
            guard let row = state.jobs[job.id], row.state == job.state, row.attempt == job.attempt else { return false }
            state.jobs[job.id]?.sweptAt = row.sweptAt ?? now
            return true
        }
    }

    public func endSweep(of job: Job) async throws(ClairoError) {
        try change { state in
            guard let row = state.jobs[job.id], row.state == job.state, row.attempt == job.attempt else { return }
            state.garbage[job.id] = nil
        }
    }

    public func idleUploads(olderThanSeconds seconds: Double, limit: Int) async throws(ClairoError) -> [UploadSession] {
        let latest = now().advanced(bySeconds: -seconds)
        return try change { state in
            let idle = state.uploads.values.filter { $0.updatedAt <= latest && $0.state != .complete }
            return Array(idle.sorted { ($0.updatedAt, $0.id) < ($1.updatedAt, $1.id) }.prefix(max(0, limit)))
        }
    }

    public func trimDeadLetters(toCount count: Int, bytes: Int64, limit: Int) async throws(ClairoError)
        -> [RemovedDeadLetter]
    {
        try change { state in
            func size(_ letter: DeadLetter) -> Int64 { Int64(letter.payload.base64EncodedString().utf8.count) }
            var tooMany = state.deadLetters.count - count
            var tooLarge = state.deadLetters.reduce(0) { $0 + size($1) } - bytes
            let order = state.deadLetters.sorted { a, b in
                (a.redrivenAt == nil ? 1 : 0, a.createdAt, a.id) < (b.redrivenAt == nil ? 1 : 0, b.createdAt, b.id)
            }
            var removed: [RemovedDeadLetter] = []
            for letter in order.prefix(max(0, limit)) {
                guard tooMany > 0 || tooLarge > 0 else { break }
                state.deadLetters.removeAll { $0.id == letter.id }
                tooMany -= 1
                tooLarge -= size(letter)
                removed.append(
                    RemovedDeadLetter(
                        id: letter.id, topic: letter.topic, createdAt: letter.createdAt,
                        wasRedriven: letter.redrivenAt != nil))
            }
            return removed
        }
    }

    public func trimQueue(toCount count: Int, limit: Int) async throws(ClairoError) -> Int {
        let now = self.now()
        return try change { state in
            let others = state.queue.filter { ![Topic.uploads, Topic.tasks].contains($0.message.topic) }
            var doomed: Set<MessageID> = []
            for messages in Dictionary(grouping: others, by: \.message.topic).values {
                let tooMany = messages.sorted { $0.sequence < $1.sequence }.dropLast(max(0, count))
                doomed.formUnion(tooMany.filter { $0.claimableAt <= now }.prefix(max(0, limit)).map(\.message.id))
            }
            state.queue.removeAll { doomed.contains($0.message.id) }
            return doomed.count
        }
    }
}

extension Deletion {
    fileprivate init(_ id: VideoID, _ row: MemoryMetadata.DeletionRow, now: Timestamp) {
        self.init(
            videoID: id, requestedAt: row.requestedAt, quietAt: row.quietAt, isQuiet: row.quietAt <= now,
            finishedAt: row.finishedAt)
    }
}

extension MemoryMetadata.State {
    mutating func finishDeletion(of id: VideoID, now: Timestamp) {
        guard deletions[id] != nil, deletions[id]?.finishedAt == nil else { return }
        deletions[id]?.finishedAt = now
        deletions[id]?.dueAt = now.advanced(bySeconds: Deletion.lastLookSeconds)
    }

    /// Call before the job's tasks are ended.
    mutating func noteGarbage(ofStopped id: JobID, now: Timestamp) {
        garbage[id] = now
        let leases = tasks(of: id).filter { $0.state == .running }.compactMap(\.leaseUntil)
        writesUntil[id] = ([writesUntil[id]].compactMap { $0 } + leases).max()
    }

    mutating func noteGarbage(ofSucceeded job: Job) {
        if job.attempt > 1 || tasks(of: job.id).contains(where: { $0.attempt > 1 }) { garbage[job.id] = .now }
        for other in jobs.values
        where other.videoID == job.videoID && other.id != job.id && other.state == .succeeded && other.sweptAt == nil {
            garbage[other.id] = garbage[other.id] ?? .now
        }
    }
}
