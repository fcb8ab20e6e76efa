internal import Foundation
public import Testing

/// Runs the body of each test on threads of its own.
///
/// Tests that wait within a call, for a server or for an encoder, hold the thread that they run on, and Swift has only as
/// many as the machine has cores: without this, two of them keep all other tests' timers and servers waiting.
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
    /// For tests that wait within calls.
    public static var ownThreads: Self { OwnThreads() }
}

/// Gives each job a thread, so that none waits for another.
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
