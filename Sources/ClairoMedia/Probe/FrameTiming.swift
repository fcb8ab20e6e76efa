internal import ClairoCore
internal import Foundation

/// Determines the exact frame rate of a stream from the timestamps of its frames.
///
/// Headers may declare 24 for a film with 24000/1001, and containers with millisecond clocks make every rate look
/// variable. So a rate is accepted as exact if all timestamps lie on its grid within the rounding of the container's
/// clock.
enum FrameTiming {
    struct Result: Hashable {
        var rate: Rational
        var isVariable: Bool
        /// Whether frames must be counted rather than placed by their times, which would let some share a position.
        var isJittered = false
        /// How much later than the first frame, in frames, the grid begins, so that most frames are in the middle of
        /// their position.
        var phase = 0.0
    }

    /// The rates that cameras and editors produce.
    static let standardRates: [Rational] = [
        Rational(24000, 1001), Rational(24), Rational(25), Rational(30000, 1001), Rational(30), Rational(48),
        Rational(50), Rational(60000, 1001), Rational(60), Rational(120_000, 1001), Rational(120), Rational(100),
        Rational(240), Rational(5), Rational(8), Rational(10), Rational(12), Rational(25, 2), Rational(15000, 1001),
        Rational(15), Rational(20), Rational(1), Rational(2), Rational(12000, 1001),
    ]

    static let fastest = Rational(60)
    static let slowest = Rational(1)

    /// - Parameters:
    ///   - pts: The sorted presentation times in ticks.
    ///   - declared: The rates that the container declares, the most trusted first.
    static func analyze(pts: [Int64], timeBase: Rational, declared: [Rational]) -> Result {
        let claims = declared.map(snapped).filter { $0 > Rational(1, 10_000) && $0 <= Rational(1000) }
        guard let first = pts.first, let last = pts.last, pts.count > 1, last > first else {
            return Result(rate: claims.first ?? Rational(25), isVariable: false)
        }
        guard !last.subtractingReportingOverflow(first).overflow else {
            return Result(rate: claims.first ?? Rational(25), isVariable: true)
        }
        let deltas = zip(pts.dropFirst(), pts).map { $0 - $1 }.filter { $0 > 0 }.sorted()
        let median = Rational(deltas[deltas.count / 2]) * timeBase
        let mean = snapped(Rational(Int64(pts.count - 1)) / (Rational(last - first) * timeBase))
        let nearest = standardRates.sorted { distance($0, median.inverse) < distance($1, median.inverse) }
        for candidate in claims + nearest.prefix(4) + [mean] where fits(pts, timeBase: timeBase, rate: candidate) {
            return Result(rate: candidate, isVariable: false)
        }
        return variable(
            Times(pts, timeBase: timeBase), median: median.doubleValue, nearest: nearest.first ?? Rational(25),
            mean: mean)
    }

    // MARK: Variable rates

    /// The share of frames that may be lost because two share a position.
    private static let tolerableLoss = 0.01
    /// The largest distance in seconds of a time from the average rate that counts as jitter.
    private static let mostJitter = 0.06

    /// Times in seconds from the first.
    private struct Times {
        let seconds: [Double]

        init(_ pts: [Int64], timeBase: Rational) {
            let tick = timeBase.doubleValue
            let first = pts.first ?? 0
            seconds = pts.map { Double($0 - first) * tick }
        }

        /// Where in a frame of this rate most times lie, in frames from -0.49 to 0.49 and at most 20 ms, because audio
        /// moves with them; 0 if they lie anywhere.
        func phase(at rate: Rational) -> Double {
            var (x, y) = (0.0, 0.0)
            for time in seconds {
                let angle = 2 * Double.pi * (time * rate.doubleValue).truncatingRemainder(dividingBy: 1)
                x += cos(angle)
                y += sin(angle)
            }
            guard (x * x + y * y).squareRoot() > 0.3 * Double(seconds.count) else { return 0 }
            let limit = min(0.49, 0.02 * rate.doubleValue)
            return min(max(atan2(y, x) / (2 * Double.pi), -limit), limit)
        }

        /// The number of frames that share a position with the frame before at this rate.
        func losses(at rate: Rational) -> Int {
            let (frames, phase) = (rate.doubleValue, phase(at: rate))
            var last = -1.0
            var losses = 0
            for time in seconds {
                let position = (time * frames - phase).rounded()
                if position <= last { losses += 1 }
                last = max(last, position)
            }
            return losses
        }

        func areFew(_ losses: Int) -> Bool {
            guard losses > 0 else { return true }
            return seconds.count > 20 && Double(losses) <= max(1, tolerableLoss * Double(seconds.count))
        }

        /// Whether all times are near those of a constant rate.
        func isNear(_ rate: Rational) -> Bool {
            let step = 1 / rate.doubleValue
            let deviations = seconds.indices.map { seconds[$0] - Double($0) * step }
            guard let low = deviations.min(), let high = deviations.max() else { return false }
            return high - low <= 2 * min(mostJitter, 2.5 * step)
        }

        /// Whether no step is much shorter than the usual one. Longer ones are pauses.
        func isEven(median: Double) -> Bool {
            zip(seconds.dropFirst(), seconds).allSatisfy { $0 - $1 >= 0.3 * median }
        }
    }

    /// The rate of a source without a constant one: that of its fast parts, so that no moving frame is lost.
    private static func variable(_ times: Times, median: Double, nearest: Rational, mean: Rational) -> Result {
        func placed(_ rate: Rational) -> Result { Result(rate: rate, isVariable: true, phase: times.phase(at: rate)) }
        // The usual step of a source that jitters is inexact, and so is the average of one with pauses.
        let near = standardRates.filter { distance($0, Rational(1) / Rational(seconds: median)) < 0.02 }
        let candidates = [nearest] + near.filter { $0 != nearest }
        let losses = candidates.map(times.losses)
        let best = losses.indices.min { losses[$0] < losses[$1] } ?? 0
        if times.areFew(losses[best]) { return placed(candidates[best]) }
        if times.seconds.count > 8 {
            let average = standardRates.filter { distance($0, mean) < 0.02 }.min {
                distance($0, mean) < distance($1, mean)
            }
            let rates = [candidates[best]] + [average].compactMap { $0 }
            if let rate = rates.first(where: times.isNear), rate <= fastest {
                return Result(rate: rate, isVariable: true, isJittered: true)
            }
        }
        if nearest <= fastest, times.isEven(median: median) {
            return Result(rate: nearest, isVariable: true, isJittered: true)
        }
        let faster = standardRates.filter { $0 <= fastest && $0 > nearest }.sorted()
        return placed(faster.first { times.areFew(times.losses(at: $0)) } ?? max(nearest, fastest))
    }

    /// The frame rate of the output: the source's own, between 1 and 60. A rate above 60 is divided by a whole number
    /// if that gives a standard rate, so that motion stays even.
    static func outputRate(_ rate: Rational) -> Rational {
        if rate < slowest { return slowest }
        if rate <= fastest { return rate }
        for divisor in Int64(2)...8 {
            let divided = rate / Rational(divisor)
            if divided <= fastest, standardRates.contains(divided), divided >= Rational(24) { return divided }
        }
        return fastest
    }

    /// Replaces an approximation such as 2997/100 by the standard rate, and a huge fraction by a short one.
    private static func snapped(_ rate: Rational) -> Rational {
        if let standard = standardRates.first(where: { distance($0, rate) < 1e-4 }) { return standard }
        if rate.num > 1_000_000 || rate.den > 1_000_000 {
            return Rational((rate * Rational(1000)).rounded, 1000)
        }
        return rate
    }

    private static func distance(_ a: Rational, _ b: Rational) -> Double {
        guard b.num > 0 else { return .infinity }
        return abs(a.doubleValue / b.doubleValue - 1)
    }

    /// Whether every frame lies on the grid of `rate` and most steps are one frame (otherwise `rate` is a multiple).
    private static func fits(_ pts: [Int64], timeBase: Rational, rate: Rational) -> Bool {
        let tick = timeBase.doubleValue
        let step = 1 / rate.doubleValue
        // Rounding may move both ends of an interval by a tick. A fine clock still jitters by a few microseconds.
        let tolerance = min(max(tick * 1.5, 20e-6), step * 0.3)
        var position = 0.0
        var singleSteps = 0
        for index in 1..<pts.count {
            let seconds = Double(pts[index] - pts[0]) * tick
            let next = (seconds / step).rounded()
            if abs(next * step - seconds) > tolerance { return false }
            if next == position { return false }
            if next - position == 1 { singleSteps += 1 }
            position = next
        }
        return singleSteps * 2 >= pts.count - 1
    }
}
