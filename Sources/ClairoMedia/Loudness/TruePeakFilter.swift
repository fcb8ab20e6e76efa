/// Estimates the peaks of the analog signal between samples by fourfold oversampling (ITU-R BS.1770-4, Annex 2), for
/// one channel at 48 kHz.
///
/// The loops go over samples, not over taps, so that the compiler uses vector instructions.
struct TruePeakFilter {
    /// Taps of each phase.
    static let taps = 12
    /// The estimate at a sample is of the signal this many samples earlier.
    static let delay = taps / 2
    /// An estimate is below this multiple of the largest of its samples.
    static let mostOvershoot: Float = 2.1

    /// The taps of the phases, the oldest sample first.
    private static let phases: [[Float]] = {
        let outer: [Float] = [
            0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
            0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500,
        ]
        let inner: [Float] = [
            -0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
            0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375,
        ]
        return [outer, inner, inner.reversed(), outer.reversed()]
    }()

    /// The last samples, the oldest first.
    private var history = [Float](repeating: 0, count: taps - 1)

    /// Whether no estimate for the next samples can exceed a level.
    func staysBelow(_ level: Float, _ samples: ArraySlice<Float>) -> Bool {
        max(Self.largest(history), Self.largest(samples)) * Self.mostOvershoot < level
    }

    /// Notes samples without estimating.
    mutating func skip(_ samples: ArraySlice<Float>) {
        history = Array((history + samples.suffix(Self.taps - 1)).suffix(Self.taps - 1))
    }

    /// The largest magnitude between and at the samples, for each of the next samples.
    mutating func peaks(of samples: ArraySlice<Float>) -> [Float] {
        let joined = history + samples
        history = Array(joined.suffix(Self.taps - 1))
        var peaks = (0..<samples.count).map { joined[$0 + Self.taps - 1 - Self.delay].magnitude }
        for phase in Self.phases {
            joined.withUnsafeBufferPointer { joined in
                peaks.withUnsafeMutableBufferPointer { peaks in
                    phase.withUnsafeBufferPointer { Self.raise(peaks, joined, $0) }
                }
            }
        }
        return peaks
    }

    /// Raises each peak to the magnitude of the estimate of one phase.
    private static func raise(
        _ peaks: UnsafeMutableBufferPointer<Float>, _ input: UnsafeBufferPointer<Float>,
        _ tap: UnsafeBufferPointer<Float>
    ) {
        let (a, b, c, d, e, f) = (tap[0], tap[1], tap[2], tap[3], tap[4], tap[5])
        let (g, h, i, j, k, l) = (tap[6], tap[7], tap[8], tap[9], tap[10], tap[11])
        for index in 0..<peaks.count {
            let first = a * input[index] + b * input[index + 1] + c * input[index + 2]
            let second = d * input[index + 3] + e * input[index + 4] + f * input[index + 5]
            let third = g * input[index + 6] + h * input[index + 7] + i * input[index + 8]
            let fourth = j * input[index + 9] + k * input[index + 10] + l * input[index + 11]
            let estimate = ((first + second) + (third + fourth)).magnitude
            peaks[index] = estimate > peaks[index] ? estimate : peaks[index]
        }
    }

    private static func largest(_ samples: some Sequence<Float>) -> Float {
        samples.reduce(0) { $1.magnitude > $0 ? $1.magnitude : $0 }
    }
}
