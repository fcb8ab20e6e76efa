internal import Foundation
internal import Glibc
public import Testing

/// Limits how many integration tests run at once, across suites. Otherwise the test runner would start all of them, because
/// a test that waits for an encoder or a server does not occupy it.
///
/// Tests that compute and tests that wait have lanes of their own, so that the processors work during the waits. In each
/// lane, tests with the tag `long` come first: the last tests of a run should be short.
public struct MachineShare: SuiteTrait, TestTrait, TestScoping {
    fileprivate enum Lane { case computes, waits }

    fileprivate let lane: Lane

    public var isRecursive: Bool { true }

    public func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        await Gate.shared.enter(lane, first: test.tags.contains(.long))
        let begin = ContinuousClock.now
        do {
            // Tests that compute block in calls (see `OwnThreads`).
            let executor = lane == .computes ? ThreadPerJob.shared : nil
            try await withTaskExecutorPreference(executor, operation: function)
        } catch {
            await Gate.shared.leave(lane)
            throw error
        }
        await Gate.shared.leave(lane)
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

    /// Admits a limited number of tests to each lane.
    private actor Gate {
        static let shared = Gate()

        private static let processors = max(3, ProcessInfo.processInfo.activeProcessorCount)
        /// They cost little, but each may run several servers.
        private static let waiting = 3 * processors
        private static let mostComputing = 4 * processors

        private var computes = Queue(limit: Gate.processors)
        private var waits = Queue(limit: Gate.waiting)
        private var isWatching = false

        private struct Queue {
            var limit: Int
            private(set) var running = 0
            private var long: [CheckedContinuation<Void, Never>] = []
            private var others: [CheckedContinuation<Void, Never>] = []

            init(limit: Int) { self.limit = limit }

            var isEmpty: Bool { long.isEmpty && others.isEmpty }

            mutating func add(_ test: CheckedContinuation<Void, Never>, first: Bool) {
                if first { long.append(test) } else { others.append(test) }
                admit()
            }

            mutating func leave() {
                running -= 1
                admit()
            }

            mutating func admit() {
                while running < limit, !isEmpty {
                    running += 1
                    (long.isEmpty ? others.removeFirst() : long.removeFirst()).resume()
                }
            }
        }

        func enter(_ lane: Lane, first: Bool) async {
            await withCheckedContinuation { test in
                switch lane {
                case .computes: computes.add(test, first: first)
                case .waits: waits.add(test, first: first)
                }
            }
            guard !isWatching, !computes.isEmpty else { return }
            isWatching = true
            Task { await watch() }
        }

        func leave(_ lane: Lane) {
            switch lane {
            case .computes: computes.leave()
            case .waits: waits.leave()
            }
        }

        /// After each half second in which half a processor or more was idle, one more test may compute; after one in which
        /// none was idle, one less. Many of these tests wait now and then.
        private func watch() async {
            var before = ProcessorTime()
            while !computes.isEmpty {
                try? await Task.sleep(for: .milliseconds(500))
                let now = ProcessorTime()
                switch now.idleProcessors(since: before) {
                case 0.5...: computes.limit = min(computes.limit + 1, Self.mostComputing)
                case ..<0.1: computes.limit = max(computes.limit - 1, Self.processors)
                default: break
                }
                computes.admit()
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
    public static var sharesMachine: Self { MachineShare(lane: .computes) }

    /// For tests that use little of a processor: they wait for leases, sessions, brokers and servers. They run on the threads
    /// of Swift's pool unless they have the trait `ownThreads` too. Do not combine it with `.timeLimit` either.
    public static var mostlyWaits: Self { MachineShare(lane: .waits) }
}

extension Tag {
    /// A test that takes much longer than others. It starts early, so that a run does not end with it alone.
    @Tag public static var long: Self
}
