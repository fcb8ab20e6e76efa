internal import ClairoCore
internal import Synchronization

/// Delays between retries that double up to a limit, with a jitter of 50 %, so that many processes do not retry at the
/// same time.
struct BackOff {
    private let first: Double
    private let longest: Double
    private var failures = 0

    /// - Parameters:
    ///   - first: The first delay in seconds, before jitter.
    ///   - longest: The longest delay in seconds.
    init(first: Double, longest: Double) {
        self.first = first
        self.longest = longest
    }

    /// The delay before the next retry, in seconds.
    /// - Parameter jitter: 0 to 1.
    mutating func next(jitter: Double = .random(in: 0...1)) -> Double {
        failures += 1
        return Self.delay(after: failures, first: first, longest: longest) * (0.5 + jitter / 2)
    }

    /// Starts over after a success.
    mutating func reset() { failures = 0 }

    /// The delay after the given number of failures in a row, in seconds, before jitter.
    static func delay(after failures: Int, first: Double = 1, longest: Double) -> Double {
        // The limit of the exponent prevents an overflow.
        min(first * Double(1 << min(failures - 1, 30)), longest)
    }
}

/// A back-off that concurrent tasks share.
final class SharedBackOff: Sendable {
    private let backOff: Mutex<BackOff>

    init(_ backOff: BackOff) { self.backOff = Mutex(backOff) }

    func next() -> Double { backOff.withLock { $0.next() } }

    func reset() { backOff.withLock { $0.reset() } }
}

extension StopRequest {
    /// Sleeps for `seconds`, or until shortly after a stop is requested or the calling task is cancelled.
    func sleep(seconds: Double) async {
        let end = ContinuousClock.now + .seconds(seconds)
        while !isCancelled, !Task.isCancelled, .now < end {
            try? await Task.sleep(for: min(ContinuousClock.now.duration(to: end), .milliseconds(250)))
        }
    }
}
