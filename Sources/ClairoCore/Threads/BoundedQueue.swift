internal import Foundation

/// A queue of limited length between two threads: back pressure sets the memory, and each side learns of the other's end.
///
/// `@unchecked Sendable`: all state is guarded by `condition`.
public final class BoundedQueue<Element: Sendable>: @unchecked Sendable {
    private let condition = NSCondition()
    private let capacity: Int
    private var elements: [Element] = []
    private var isFinished = false
    private var isAbandoned = false

    public init(capacity: Int) { self.capacity = capacity }

    /// Adds an element, waiting for room. False once the consumer has given up: the producer stops then.
    public func push(_ element: Element) -> Bool {
        condition.lock()
        defer { condition.unlock() }
        while elements.count >= capacity, !isAbandoned { condition.wait() }
        if isAbandoned { return false }
        elements.append(element)
        condition.broadcast()
        return true
    }

    /// Takes the oldest element, waiting for one. Nil at the end.
    public func pop() -> Element? {
        condition.lock()
        defer { condition.unlock() }
        while elements.isEmpty, !isFinished, !isAbandoned { condition.wait() }
        if isAbandoned || elements.isEmpty { return nil }
        let element = elements.removeFirst()
        condition.broadcast()
        return element
    }

    /// The producer has nothing more; what is queued is still delivered.
    public func finish() {
        condition.lock()
        defer { condition.unlock() }
        isFinished = true
        condition.broadcast()
    }

    /// Either side gives up: what is queued is dropped and nobody waits any more.
    public func abandon() {
        condition.lock()
        defer { condition.unlock() }
        isAbandoned = true
        elements.removeAll()
        condition.broadcast()
    }
}
