/// Messages of one partition that wait, in order, and how large they are together.
struct PartitionBuffer {
    private var messages: [KafkaMessage] = []
    /// Where the first one is; what lies before it has been taken.
    private var head = 0
    private(set) var bytes = 0

    var count: Int { messages.count - head }
    var isEmpty: Bool { count == 0 }

    mutating func append(_ message: KafkaMessage) {
        messages.append(message)
        bytes += message.size
    }

    mutating func popFirst() -> KafkaMessage? {
        guard head < messages.count else { return nil }
        let message = messages[head]
        // Lets go of the payload.
        messages[head].payload = nil
        head += 1
        bytes -= message.size
        if head > messages.count / 2 {
            messages.removeFirst(head)
            head = 0
        }
        return message
    }

    /// The message comes before all others.
    mutating func putBack(_ message: KafkaMessage) {
        messages.insert(message, at: head)
        bytes += message.size
    }
}
