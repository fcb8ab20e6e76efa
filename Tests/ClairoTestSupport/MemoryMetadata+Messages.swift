public import ClairoCore

extension MemoryMetadata {
    /// A message of the outbox.
    struct Posted: Sendable {
        var message: OutboxMessage
        var video: VideoID?
        var owner: String?
        var claimableAt: Timestamp
    }

    /// A message of the queue.
    struct Queued: Sendable {
        var message: OutboxMessage
        var sequence: Int64
        var deliveries = 0
        var owner: String?
        var claimableAt: Timestamp
    }

    // MARK: Outbox

    public func claimOutbox(_ lane: OutboxLane, owner: String, limit: Int, leaseSeconds: Double)
        async throws(ClairoError) -> [OutboxMessage]
    {
        try change { state in
            let now = Timestamp.now
            let all = state.outbox
            let due = all.indices.filter { index in
                (all[index].message.topic == Topic.webhook) == (lane == .webhook) && all[index].claimableAt <= now
                    && !all[..<index].contains { $0.message.isBefore(all[index].message) }
            }
            let oldest = due.sorted { (all[$0].claimableAt, $0) < (all[$1].claimableAt, $1) }.prefix(max(0, limit))
            return oldest.sorted().map { index in
                state.outbox[index].owner = owner
                state.outbox[index].claimableAt = now.advanced(bySeconds: leaseSeconds)
                return all[index].message
            }
        }
    }

    public func markPublished(_ ids: [MessageID], owner: String) async throws(ClairoError) {
        try change { state in state.outbox.removeAll { ids.contains($0.message.id) && $0.owner == owner } }
    }

    public func postpone(_ id: MessageID, owner: String, seconds: Double, reason: String) async throws(ClairoError) {
        try change { state in
            for index in state.outbox.indices
            where state.outbox[index].message.id == id && state.outbox[index].owner == owner {
                let due = Timestamp.now.advanced(bySeconds: seconds)
                state.outbox[index].owner = nil
                (state.outbox[index].claimableAt, state.outbox[index].message.dueAt) = (due, due)
                state.outbox[index].message.attempts += 1
            }
        }
    }

    public func post(_ messages: [OutboxMessage], about video: VideoID?) async throws(ClairoError) {
        try change { (state) throws(ClairoError) in try state.post(messages, about: video) }
    }

    // MARK: Queue

    public func enqueue(_ messages: [OutboxMessage]) async throws(ClairoError) {
        try change { state in
            for message in messages where !state.queue.contains(where: { $0.message.id == message.id }) {
                state.lastSequence += 1
                var message = message
                (message.dueAt, message.attempts) = (message.createdAt, 0)
                state.queue.append(Queued(message: message, sequence: state.lastSequence, claimableAt: now()))
            }
        }
    }

    public func claimQueued(topics: [String], owner: String, limit: Int, leaseSeconds: Double)
        async throws(ClairoError) -> [QueuedMessage]
    {
        try change { state in
            let now = self.now()
            let all = state.queue
            let due = all.indices.filter { index in
                topics.contains(all[index].message.topic) && all[index].claimableAt <= now
                    && !all[..<index].contains { $0.message.isBefore(all[index].message) }
            }
            return due.prefix(max(0, limit)).map { index in
                state.queue[index].owner = owner
                state.queue[index].claimableAt = now.advanced(bySeconds: leaseSeconds)
                state.queue[index].deliveries += 1
                return QueuedMessage(
                    message: all[index].message, sequence: all[index].sequence, deliveries: all[index].deliveries + 1)
            }
        }
    }

    public func renewQueued(_ ids: [MessageID], owner: String, leaseSeconds: Double) async throws(ClairoError)
        -> [MessageID]
    {
        try change { state in
            state.renewals += 1
            return ids.filter { id in
                guard let index = state.index(of: id, owner: owner) else { return false }
                state.queue[index].claimableAt = now().advanced(bySeconds: leaseSeconds)
                return true
            }
        }
    }

    public func removeQueued(_ id: MessageID, owner: String) async throws(ClairoError) -> Bool {
        try change { state in
            guard let index = state.index(of: id, owner: owner) else { return false }
            state.queue.remove(at: index)
            return true
        }
    }

    public func releaseQueued(_ id: MessageID, owner: String) async throws(ClairoError) {
        try change { state in
            guard let index = state.index(of: id, owner: owner) else { return }
            (state.queue[index].owner, state.queue[index].claimableAt) = (nil, now())
        }
    }

    public func queuedCounts() async throws(ClairoError) -> [String: Int] {
        try change { state in Dictionary(grouping: state.queue, by: \.message.topic).mapValues(\.count) }
    }

    // MARK: Dead letters

    public func addDeadLetter(_ letter: DeadLetter, messages: [OutboxMessage]) async throws(ClairoError) {
        try change { (state) throws(ClairoError) in
            if state.add(letter) { try state.post(messages, about: letter.videoID) }
        }
    }

    public func deadLetters(topic: String?, all: Bool, limit: Int) async throws(ClairoError) -> [DeadLetter] {
        try change { state in
            let found = state.deadLetters.filter { letter in
                (topic ?? letter.topic) == letter.topic && (all || letter.redrivenAt == nil)
            }
            return Array(
                found.sorted { ($0.createdAt, $0.id) > ($1.createdAt, $1.id) }.prefix(max(0, limit)))
        }
    }

    public func deadLetter(_ id: MessageID) async throws(ClairoError) -> DeadLetter? {
        try change { state in state.deadLetters.first { $0.id == id } }
    }

    public func redriveDeadLetter(_ id: MessageID, messages: [OutboxMessage]) async throws(ClairoError) -> Bool {
        try change { (state) throws(ClairoError) in
            guard let index = state.deadLetters.firstIndex(where: { $0.id == id && $0.redrivenAt == nil }) else {
                return false
            }
            state.deadLetters[index].redrivenAt = .now
            try state.post(messages, about: state.deadLetters[index].videoID)
            return true
        }
    }
}

extension OutboxMessage {
    fileprivate func isBefore(_ other: OutboxMessage) -> Bool { topic == other.topic && key == other.key }
}

extension MemoryMetadata.State {
    mutating func post(_ messages: [OutboxMessage], about video: VideoID?) throws(ClairoError) {
        for message in messages {
            guard !outbox.contains(where: { $0.message.id == message.id }) else {
                throw .defect("Message \(message.id) already exists")
            }
            outbox.append(.init(message: message, video: video, claimableAt: message.dueAt))
        }
    }

    /// - Returns: False if it exists.
    mutating func add(_ letter: DeadLetter) -> Bool {
        if deadLetters.contains(where: { $0.id == letter.id }) { return false }
        deadLetters.append(letter)
        return true
    }

    fileprivate func index(of id: MessageID, owner: String) -> Int? {
        queue.firstIndex { $0.message.id == id && $0.owner == owner }
    }
}
