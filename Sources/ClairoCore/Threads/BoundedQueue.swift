internal import Foundation

/// A bounded queue between two threads. Back pressure limits memory, and each side learns when the other ends.
///
/// `@unchecked Sendable`: all state is guarded by `condition`.
public final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let capacity: Int
    private var elements: [Element] = []
    private var isFinished = false
    private var isAbandoned = false

    public init(capacity: Int) { self.capacity = capacity }

    /// Adds an element, and blocks while the queue is full. Returns false if the consumer has stopped; the producer
    /// should stop.
    public func push(_ element: Element) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while elements.count >= capacity, !isAbandoned { condition.wait() }
        if isAbandoned { return false }
        elements.append(element)
        condition.broadcast()
        return true
    }

    /// Removes the oldest element, and blocks while the queue is empty. Returns nil at the end.
    public func pop() -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while elements.isEmpty, !isFinished, !isAbandoned { condition.wait() }
        if isAbandoned || elements.isEmpty { return nil }
        let element = elements.removeFirst()
        condition.broadcast()
        return element
    }

    /// Marks the end of the stream. Queued elements are still delivered.
    public func finish() {
        condition.lock()
        defer { condition.unlock() }
        isFinished = true
        condition.broadcast()
    }

    /// Abandons the queue from either side: drops queued elements and unblocks both threads.
    public func abandon() {
        condition.lock()
        defer { condition.unlock() }
        isAbandoned = true
        elements.removeAll()
        condition.broadcast()
    }
}
