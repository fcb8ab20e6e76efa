internal import ClairoCore
internal import Foundation

/// Requests of one operation, a limited number at a time, each on a thread.
///
/// `@unchecked Sendable`: all mutable state is guarded by `condition`.
final class RequestGroup<Reply: Sendable>: @unchecked Sendable {
    private let name: String
    private let condition = NSCondition()
    private var running = 0
    private var replies: [Reply] = []
    private var failure: ClairoError?

    /// - Parameter name: The name of the threads.
    init(name: String) { self.name = name }

    /// Starts sending a request once fewer than `limit` are in flight.
    /// - Throws: The error of an earlier request.
    func start(
        atMost limit: Int, _ body: @escaping @Sendable () throws(ClairoError) -> Reply
    ) throws(ClairoError) {
        condition.lock()
        while running >= limit, failure == nil { condition.wait() }
        let failure = failure
        if failure == nil { running += 1 }
        condition.unlock()
        if let failure { throw failure }
        let thread = Thread { [self] in
            Thread.current.name = name
            let result = Result { () throws(ClairoError) in try body() }
            condition.lock()
            defer { condition.unlock() }
            running -= 1
            switch result {
            case .success(let reply): replies.append(reply)
            case .failure(let error): self.failure = self.failure ?? error
            }
            condition.broadcast()
        }
        thread.start()
    }

    /// Waits for all requests in flight.
    /// - Returns: The replies in the order in which they arrived.
    func wait() throws(ClairoError) -> [Reply] {
        condition.lock()
        defer { condition.unlock() }
        while running > 0 { condition.wait() }
        if let failure { throw failure }
        return replies
    }
}
