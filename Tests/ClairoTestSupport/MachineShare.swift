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

    /// Admits tests in order of arrival: a few at any time, and more while half a processor is idle, because many tests
    /// mostly wait for leases, sessions and brokers.
    private actor Gate {
        static let shared = Gate()
        private static let always = max(3, ProcessInfo.processInfo.activeProcessorCount)
        private static let most = 4 * always

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

        /// Admits one more test after each half second in which half a processor or more was idle.
        private func watch() async {
            var before = ProcessorTime()
            while !queue.isEmpty {
                try? await Task.sleep(for: .milliseconds(500))
                let now = ProcessorTime()
                if now.idleProcessors(since: before) >= 0.5, running < Self.most { admit() }
                before = now
            }
            isWatching = false
        }
    }
}

/// The time that the processors have spent since the machine started, in ticks. In a container it may be that of the whole
/// machine.
private struct ProcessorTime {
    private var processors = 0
    private var total = 0
    private var idle = 0

    init() {
        // proc_stat(5): "cpu" with the sums, and a line for each processor; user, nice, system, idle, iowait and others.
        let lines = (try? String(contentsOfFile: "/proc/stat", encoding: .utf8))?.split(separator: "\n") ?? []
        let ticks = lines.first?.split(separator: " ").dropFirst().prefix(8).compactMap { Int($0) } ?? []
        guard ticks.count == 8 else { return }
        processors = lines.count { $0.hasPrefix("cpu") } - 1
        total = ticks.reduce(0, +)
        idle = ticks[3] + ticks[4]
    }

    /// How many processors had nothing to do on average, or 0 if the system does not tell.
    func idleProcessors(since before: ProcessorTime) -> Double {
        guard total > before.total else { return 0 }
        return Double(processors * (idle - before.idle)) / Double(total - before.total)
    }
}

extension Trait where Self == MachineShare {
    /// For tests that encode, or start the program many times. Do not combine it with `.timeLimit`, which would include the
    /// waiting time.
    public static var sharesMachine: Self { MachineShare() }
}
