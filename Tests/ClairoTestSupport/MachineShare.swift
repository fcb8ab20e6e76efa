internal import Foundation
internal import Glibc
public import Testing

/// Limits how many heavy tests run at once, across suites, and runs each on its own threads. Otherwise the test runner
/// would start all of them, because a test that waits for an encoder does not occupy it.
public struct MachineShare: SuiteTrait, TestTrait, TestScoping {
    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Gate.shared.enter()
        let begin = ContinuousClock.now
        do {
            try await withTaskExecutorPreference(ThreadPerJob.shared, operation: function)
        } catch {
            await Gate.shared.leave()
            throw error
        }
        await Gate.shared.leave()
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

    /// Admits tests in order of arrival: a few at any time, and more while a processor is idle, because many tests
    /// mostly wait for leases, sessions and brokers.
    private actor Gate {
        static let shared = Gate()
        private static let always = 3
        private static let most = 12

        private var running = 0
        private var queue: [CheckedContinuation<Void, Never>] = []
        private var isWatching = false

        func enter() async {
            if running < Self.always {
                running += 1
                return
            }
            if !isWatching {
                isWatching = true
                Task { await watch() }
            }
            await withCheckedContinuation { queue.append($0) }
        }

        func leave() {
            running -= 1
            if running < Self.always { admit() }
        }

        private func admit() {
            guard !queue.isEmpty else { return }
            running += 1
            queue.removeFirst().resume()
        }

        /// Admits one more test after each half second in which at least half a processor was idle.
        private func watch() async {
            var before = ProcessorTime()
            while !queue.isEmpty {
                try? await Task.sleep(for: .milliseconds(500))
                let now = ProcessorTime()
                if now.idle - before.idle >= (now.total - before.total) / (2 * now.processors), running < Self.most {
                    admit()
                }
                before = now
            }
            isWatching = false
        }
    }
}

/// Processor time of all processes since the machine started.
private struct ProcessorTime {
    /// In ticks, of all processors together.
    var total = 0
    /// The part in which a processor was idle.
    var idle = 0
    let processors = max(1, ProcessInfo.processInfo.activeProcessorCount)

    init() {
        // proc_stat(5): user, nice, system, idle, iowait and others.
        let line = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8))?.prefix { $0 != "\n" } ?? ""
        let ticks = line.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) }
        guard ticks.count == 8 else { return }
        total = ticks.reduce(0, +)
        idle = ticks[3] + ticks[4]
    }
}

extension Trait where Self == MachineShare {
    /// For tests that encode, or that start the program many times. Do not combine it with `.timeLimit`, which would
    /// include the waiting time.
    public static var sharesMachine: Self { MachineShare() }
}
