internal import Foundation
public import Testing

/// Runs the body of each test on separate threads.
///
/// A test that blocks in a call, for a server or an encoder, occupies its thread, and Swift's pool only has one thread
/// per core. Without this, two such tests would block all other tests' timers and servers.
public struct OwnThreads: SuiteTrait, TestTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        try await withTaskExecutorPreference(ThreadPerJob.shared, operation: function)
    }

    public func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }
}

extension Trait where Self == OwnThreads {
    /// For tests that block in calls.
    public static var ownThreads: Self { OwnThreads() }
}

/// Runs each job on its own thread.
final class ThreadPerJob: TaskExecutor {
    static let shared = ThreadPerJob()

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedTaskExecutor()
        let thread = Thread { job.runSynchronously(on: executor) }
        thread.stackSize = 8 << 20
        thread.start()
    }
}
