internal import Dispatch
internal import Synchronization

/// Runs an asynchronous call and blocks the calling thread until it has ended. Only for dedicated threads, never on the
/// cooperative pool.
///
/// It throws the error type of `body`, which a closure must declare: `{ () throws(ClairoError) in … }`.
public func waitOnThread<R: Sendable, E: Error>(_ body: @escaping @Sendable () async throws(E) -> R) throws(E) -> R {
    let answer = Answer<R, E>()
    Task {
        do throws(E) { answer.put(.success(try await body())) } catch { answer.put(.failure(error)) }
    }
    return try answer.wait().get()
}

/// A result that one task gives and one thread waits for.
private final class Answer<R: Sendable, E: Error>: Sendable {
    private let result = Mutex<Result<R, E>?>(nil)
    private let isThere = DispatchSemaphore(value: 0)

    func put(_ result: Result<R, E>) {
        self.result.withLock { $0 = result }
        isThere.signal()
    }

    func wait() -> Result<R, E> {
        isThere.wait()
        guard let result = result.withLock({ $0 }) else {
            preconditionFailure("The semaphore was signalled without a result")
        }
        return result
    }
}
