internal import ClairoCore
internal import Synchronization

/// Sums the time that threads spend in each step of a task. A measurement takes a tenth of a microsecond; the steps of
/// one frame take thousands of times longer.
final class StepClock: Sendable {
    private let total = Mutex<[TaskStep: Duration]>([:])

    func measure<R, E: Error>(_ step: TaskStep, _ body: () throws(E) -> R) throws(E) -> R {
        let begin = ContinuousClock.now
        defer {
            let time = begin.duration(to: .now)
            total.withLock { $0[step, default: .zero] += time }
        }
        return try body()
    }

    /// The time of each step in seconds.
    var steps: [TaskStep: Double] { total.withLock { $0.mapValues { $0 / .seconds(1) } } }
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
