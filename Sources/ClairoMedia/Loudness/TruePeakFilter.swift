/// Estimates the peaks of the analog signal between samples by fourfold oversampling (ITU-R BS.1770-4, Annex 2), for
/// one channel at 48 kHz.
struct TruePeakFilter {
    private typealias Phases = SIMD4<Float>

    /// Taps of each phase.
    static let taps = 12
    /// The estimate at a sample is of the signal this many samples earlier.
    static let delay = taps / 2
    /// An estimate is below this multiple of the largest of its samples.
    static let mostOvershoot: Float = 2.1

    /// The taps of all four phases, the newest sample first.
    private static let coefficients: [Phases] = {
        let phases: [[Float]] = [
            [
                0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
                0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500,
            ],
            [
                -0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
                0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375,
            ],
        ]
        // The other two phases are those in reverse.
        return (0..<taps).map { tap in
            Phases(phases[0][tap], phases[1][tap], phases[1][taps - 1 - tap], phases[0][taps - 1 - tap])
        }
    }()

    /// The last samples, the oldest first.
    private var history = [Float](repeating: 0, count: taps - 1)

    /// The largest magnitude between and at the samples that follow the previous ones.
    mutating func peak(of samples: UnsafeBufferPointer<Float>) -> Float {
        let largest = largest(with: samples)
        guard largest > 0 else { return 0 }
        var peak = Phases.zero
        scan(samples) { _, estimate in peak = pointwiseMax(peak, estimate) }
        return max(peak.max(), largest)
    }

    /// Raises each of `peaks` to the largest magnitude at its sample.
    mutating func raise(_ peaks: inout [Float], by samples: UnsafeBufferPointer<Float>) {
        peaks.withUnsafeMutableBufferPointer { peaks in
            scan(samples) { index, estimate in peaks[index] = max(peaks[index], estimate.max()) }
        }
    }

    /// Whether no estimate for these samples can exceed a level.
    func staysBelow(_ level: Float, _ samples: UnsafeBufferPointer<Float>) -> Bool {
        largest(with: samples) * Self.mostOvershoot < level
    }

    /// Notes samples without estimating.
    mutating func skip(_ samples: UnsafeBufferPointer<Float>) {
        history = Array((history + samples.suffix(Self.taps - 1)).suffix(Self.taps - 1))
    }

    private mutating func scan(_ samples: UnsafeBufferPointer<Float>, _ body: (Int, SIMD4<Float>) -> Void) {
        let joined = history + samples
        Self.coefficients.withUnsafeBufferPointer { taps in
            joined.withUnsafeBufferPointer { joined in
                for index in samples.indices {
                    var sum = Phases.zero
                    for tap in 0..<Self.taps { sum += taps[tap] * joined[index + Self.taps - 1 - tap] }
                    let estimate = sum.replacing(with: -sum, where: sum .< 0)
                    let sample = joined[index + Self.taps - 1 - Self.delay].magnitude
                    body(index, pointwiseMax(estimate, Phases(repeating: sample)))
                }
            }
        }
        history = Array(joined.suffix(Self.taps - 1))
    }

    /// The largest magnitude of the samples and of those before that estimates use.
    private func largest(with samples: UnsafeBufferPointer<Float>) -> Float {
        var largest: Float = 0
        for sample in history { largest = max(largest, sample.magnitude) }
        for sample in samples { largest = max(largest, sample.magnitude) }
        return largest
    }
}
