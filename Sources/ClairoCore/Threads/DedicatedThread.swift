/// Runs blocking work on a dedicated thread while the caller is suspended.
///
/// It throws the error type of `body`, which a closure must declare: `{ () throws(ClairoError) in … }`.
public func onDedicatedThread<R: Sendable, E: Error>(
    name: String, _ body: @escaping @Sendable () throws(E) -> R
) async throws(E) -> R {
    let result: Result<R, E> = await withCheckedContinuation { continuation in
        SystemThread.start(name: name) { continuation.resume(returning: Result(catching: body)) }
    }
    return try result.get()
}
