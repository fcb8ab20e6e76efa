internal import Foundation
public import Testing

/// Bounds how many of the heavy tests run at once, whatever suites they are in, and runs them on threads of their own: tests
/// that wait for an encoder cost nothing to the test runner, so it would start all of them.
public struct MachineShare: SuiteTrait, TestTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Gate.shared.enter()
        do {
            try await withTaskExecutorPreference(ThreadPerJob.shared, operation: function)
        } catch {
            await Gate.shared.leave()
            throw error
        }
        await Gate.shared.leave()
    }

    public func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

    private actor Gate {
        static let shared = Gate(places: max(3, ProcessInfo.processInfo.activeProcessorCount))
        private var places: Int
        private var queue: [CheckedContinuation<Void, Never>] = []

        init(places: Int) { self.places = places }

        func enter() async {
            if places > 0 {
                places -= 1
            } else {
                await withCheckedContinuation { queue.append($0) }
            }
        }

        func leave() {
            if queue.isEmpty { places += 1 } else { queue.removeFirst().resume() }
        }
    }
}

extension Trait where Self == MachineShare {
    /// For tests that encode: only a few of them run at a time. A `.timeLimit` beside it would count the waiting too.
    public static var sharesMachine: Self { MachineShare() }
}
