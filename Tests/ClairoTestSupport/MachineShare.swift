internal import Foundation
internal import Glibc
public import Testing

/// Limits how many heavy tests run at once, across suites, and runs each on its own threads. Otherwise the test runner
/// would start all of them, because a test that waits for an encoder does not occupy it.
public struct MachineShare: SuiteTrait, TestTrait, TestScoping {
    fileprivate let gate: Gate

    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await gate.enter()
        let begin = ContinuousClock.now
        do {
            try await withTaskExecutorPreference(ThreadPerJob.shared, operation: function)
        } catch {
            await gate.leave()
            throw error
        }
        await gate.leave()
        Self.note(test, seconds: (ContinuousClock.now - begin) / .seconds(1))
    }

    /// Adds a line to the file of `CLAIRO_TEST_TIMES`: Swift Testing's own times include the wait for a place.
    private static func note(_ test: Test, seconds: Double) {
        guard let path = ProcessInfo.processInfo.environment["CLAIRO_TEST_TIMES"], let file = fopen(path, "a") else {
            return
        }
        fputs("\(seconds)\t\(test.name)\n", file)
        fclose(file)
    }

    public func scopeProvider(for test: Test, testCase: Test.Case?) -> Self? { testCase == nil ? nil : self }

    fileprivate actor Gate {
        static let encoding = Gate(places: max(3, ProcessInfo.processInfo.activeProcessorCount))
        static let waiting = Gate(places: 6)
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
    /// For tests that encode. Only a few run at a time. Do not combine it with `.timeLimit`, which would include the
    /// waiting time.
    public static var sharesMachine: Self { MachineShare(gate: .encoding) }

    /// The same for tests that mostly wait for leases, sessions and brokers. They run beside the encoding ones.
    public static var waitsMostly: Self { MachineShare(gate: .waiting) }
}
