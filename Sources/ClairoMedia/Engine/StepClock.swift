internal import ClairoCore
internal import Foundation
internal import Synchronization

/// Sums the time that threads spend in each step of a task, and notes every sign of progress for a `Watchdog`. A
/// measurement takes a fraction of a microsecond; the steps of one frame take thousands of times longer.
final class StepClock: Sendable {
    private struct State {
        var total: [TaskStep: Duration] = [:]
        /// The number of threads in each step.
        var running: [TaskStep: Int] = [:]
    }

    private let state = Mutex(State())
    private let signs = Atomic<Int>(0)
    private let waiting = Atomic<Int>(0)

    func measure<R, E: Error>(_ step: TaskStep, _ body: () throws(E) -> R) throws(E) -> R {
        let begin = ContinuousClock.now
        state.withLock { $0.running[step, default: 0] += 1 }
        noteProgress()
        defer {
            let time = begin.duration(to: .now)
            state.withLock {
                $0.total[step, default: .zero] += time
                $0.running[step, default: 1] -= 1
            }
            noteProgress()
        }
        return try body()
    }

    /// The time of each step in seconds.
    var steps: [TaskStep: Double] { state.withLock { $0.total.mapValues { $0 / .seconds(1) } } }

    // MARK: Progress

    /// Counts a sign of progress.
    func noteProgress() { signs.add(1, ordering: .relaxed) }

    /// Runs a call that waits for a store. It may take minutes, because stores retry before they give up.
    func waitForStore<R, E: Error>(_ body: () throws(E) -> R) throws(E) -> R {
        waiting.add(1, ordering: .relaxed)
        defer {
            waiting.subtract(1, ordering: .relaxed)
            noteProgress()
        }
        return try body()
    }

    /// The number of signs of progress so far.
    var progress: Int { signs.load(ordering: .relaxed) }

    /// Whether a thread waits for the source or for a store.
    var isWaiting: Bool {
        if waiting.load(ordering: .relaxed) > 0 { return true }
        return state.withLock { ($0.running[.read] ?? 0) + ($0.running[.write] ?? 0) > 0 }
    }

    /// The steps that threads are in.
    var runningSteps: [TaskStep] {
        state.withLock { $0.running.filter { $0.value > 0 }.keys.sorted { $0.rawValue < $1.rawValue } }
    }
}

/// A source that adds the time of its reads to a clock.
struct TimedSource: ByteSource {
    let base: any ByteSource
    let clock: StepClock

    var size: Int64 { base.size }
    var etag: String? { base.etag }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        try clock.measure(.read) { () throws(ClairoError) in try base.read(at: offset, into: buffer) }
    }
}

/// A store whose calls a clock knows as waiting.
struct WatchedStore: ObjectStore {
    let base: any ObjectStore
    let clock: StepClock

    func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        try clock.waitForStore { () throws(ClairoError) in try base.put(data, at: key) }
    }

    func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void) throws {
        try put(at: key, length: nil, writing: body)
    }

    func put(
        at key: ObjectKey, length: Int64?, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void
    ) throws {
        try clock.waitForStore { try base.put(at: key, length: length, writing: body) }
    }

    func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        try clock.waitForStore { () throws(ClairoError) in try base.get(key) }
    }

    func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource {
        let source = try clock.waitForStore { () throws(ClairoError) in try base.open(key) }
        return WatchedSource(base: source, clock: clock)
    }

    func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? {
        try clock.waitForStore { () throws(ClairoError) in try base.info(of: key) }
    }

    func record(of key: ObjectKey) throws(ClairoError) -> FileRecord {
        try clock.waitForStore { () throws(ClairoError) in try base.record(of: key) }
    }

    func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        try clock.waitForStore { () throws(ClairoError) in try base.list(prefix: prefix, after: key, limit: limit) }
    }

    func delete(_ key: ObjectKey) throws(ClairoError) {
        try clock.waitForStore { () throws(ClairoError) in try base.delete(key) }
    }

    func delete(_ keys: [ObjectKey]) throws(ClairoError) {
        try clock.waitForStore { () throws(ClairoError) in try base.delete(keys) }
    }
}

/// An object of a `WatchedStore`.
private struct WatchedSource: ByteSource {
    let base: any ByteSource
    let clock: StepClock

    var size: Int64 { base.size }
    var etag: String? { base.etag }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        try clock.waitForStore { () throws(ClairoError) in try base.read(at: offset, into: buffer) }
    }
}
