internal import CLinux
internal import Foundation

/// Runs blocking work on a dedicated thread while the caller is suspended.
///
/// It throws the error type of `body`, which a closure must declare: `{ () throws(ClairoError) in … }`.
public func onDedicatedThread<R: Sendable, E: Error>(
    name: String, _ body: @escaping @Sendable () throws(E) -> R
) async throws(E) -> R {
    let result: Result<R, E> = await withCheckedContinuation { continuation in
        let thread = Thread {
            _ = clairo_set_thread_name(name)
            continuation.resume(returning: Result(catching: body))
        }
        thread.stackSize = 8 << 20
        thread.start()
    }
    return try result.get()
}
