internal import Foundation

/// Runs blocking work on a thread of its own while the caller is suspended.
public func onDedicatedThread<R: Sendable>(
    name: String, _ body: @escaping @Sendable () throws -> R
) async throws -> R {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread {
            Thread.current.name = name
            continuation.resume(with: Result { try body() })
        }
        thread.stackSize = 8 << 20
        thread.start()
    }
}
