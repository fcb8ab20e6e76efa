/// The buffered messages of one partition, in order, and their total size in bytes.
struct PartitionBuffer {
    private var messages: [KafkaMessage] = []
    /// The index of the first buffered message. Earlier elements have been taken.
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
        // Free the payload now: the element itself is removed later, together with others.
        messages[head].payload = nil
        head += 1
        bytes -= message.size
        if head > messages.count / 2 {
            messages.removeFirst(head)
            head = 0
        }
        return message
    }

    /// Inserts the message before all others.
    mutating func putBack(_ message: KafkaMessage) {
        messages.insert(message, at: head)
        bytes += message.size
    }
}
