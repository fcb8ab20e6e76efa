internal import ClairoCore
internal import Synchronization

/// The buckets that took long and did not answer. While one is paused, its events are put back at once, and only one of
/// them tries the bucket after each pause. Otherwise, a few hundred events of an unreachable bucket would keep the
/// others waiting for half an hour.
final class BucketPauses: Sendable {
    /// Seconds that an attempt must have taken for a pause. Attempts that fail at once keep nobody waiting.
    static let least = 1.0
    /// The length of a pause: so many times that of the attempt, so that attempts take a fifth of the time at most.
    private static let factor = 4.0
    private static let longest = 60.0
    /// The maximum number of paused buckets, whose names anyone who can write to the topic chooses.
    private static let most = 1000

    /// When each paused bucket may be tried again.
    private let ends = Mutex<[String: Timestamp]>([:])

    /// Checks whether the caller may try a bucket. If its pause has ended, it stays paused for the others until the
    /// caller reports the outcome.
    /// - Throws: `unavailable` if the bucket is paused.
    func check(_ bucket: String, now: Timestamp = .now) throws(ClairoError) {
        let isPaused = ends.withLock { ends in
            guard let end = ends[bucket] else { return false }
            if end > now { return true }
            ends[bucket] = now.advanced(bySeconds: Self.longest)
            return false
        }
        if isPaused { throw .unavailable("The bucket \(bucket) did not answer a moment ago, and is tried again later") }
    }

    /// - Parameter seconds: How long the attempt took.
    func failed(_ bucket: String, after seconds: Double, now: Timestamp = .now) {
        guard seconds >= Self.least else { return answered(bucket) }
        let end = now.advanced(bySeconds: min(seconds * Self.factor, Self.longest))
        ends.withLock { ends in
            if ends.count >= Self.most { ends = ends.filter { $0.value > now } }
            if ends.count < Self.most { ends[bucket] = end }
        }
    }

    func answered(_ bucket: String) { ends.withLock { _ = $0.removeValue(forKey: bucket) } }
}
