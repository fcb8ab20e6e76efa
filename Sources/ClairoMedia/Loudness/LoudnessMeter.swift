internal import ClairoCore
internal import Foundation

/// Measures the integrated loudness of a programme by ITU-R BS.1770-4 and its true peak, at 48 kHz.
///
/// Blocks of 400 ms begin every 100 ms. Those below -70 LUFS are left out, and then those that are more than 10 LU below
/// the mean of the rest.
struct LoudnessMeter {
    /// Samples from the start of a block to the start of the next.
    private static let step = AudioPlan.sampleRate / 10
    /// Steps in a block.
    private static let stepsPerBlock = 4
    /// The gate in LUFS.
    private static let absoluteGate = -70.0
    /// The gate in LU above the mean.
    private static let relativeGate = -10.0

    private let weights: [Double]
    private var filters: [KWeighting]
    private var peaks: [TruePeakFilter]
    /// Samples in the step that is being filled.
    private var filled = 0
    private var energy = 0.0
    /// The weighted energies of the last steps, at most those of a block.
    private var steps: [Double] = []
    /// The weighted energies of the blocks above the absolute gate: ten numbers per second, of a plan of limited length.
    private var blocks: [Double] = []
    private var peak: Float = 0

    /// - Parameter channels: 1, 2, or 6 in the order of 5.1: left, right, centre, low frequency, surround left and right.
    init(channels: Int) {
        // The low-frequency channel does not count, and surround channels count 1.5 dB more.
        weights = channels == 6 ? [1, 1, 1, 0, 1.41, 1.41] : Array(repeating: 1, count: channels)
        filters = Array(repeating: KWeighting(), count: channels)
        peaks = Array(repeating: TruePeakFilter(), count: channels)
    }

    /// Takes the next samples, as many of each channel.
    mutating func add(_ channels: [ArraySlice<Float>]) {
        for (index, samples) in channels.enumerated() {
            if peaks[index].staysBelow(peak, samples) {
                peaks[index].skip(samples)
            } else {
                peak = peaks[index].peaks(of: samples).reduce(peak) { max($0, $1) }
            }
        }
        let count = channels.first?.count ?? 0
        var done = 0
        while done < count {
            let part = min(count - done, Self.step - filled)
            for (index, samples) in channels.enumerated() where weights[index] != 0 {
                energy +=
                    weights[index]
                    * samples.withUnsafeBufferPointer { filters[index].energy(of: $0, range: done..<done + part) }
            }
            done += part
            filled += part
            if filled == Self.step { finishStep() }
        }
    }

    private mutating func finishStep() {
        steps.append(energy)
        (energy, filled) = (0, 0)
        guard steps.count == Self.stepsPerBlock else { return }
        let block = steps.reduce(0, +) / Double(Self.stepsPerBlock * Self.step)
        if block > Self.energy(ofLoudness: Self.absoluteGate) { blocks.append(block) }
        steps.removeFirst()
    }

    /// What was measured so far.
    var loudness: AudioLoudness { AudioLoudness(integrated: integrated, truePeak: truePeak) }

    /// The integrated loudness in LUFS; nil if no block is above the absolute gate.
    var integrated: Double? {
        guard let all = Self.mean(blocks) else { return nil }
        let gate = all * pow(10, Self.relativeGate / 10)
        return Self.mean(blocks.filter { $0 > gate }).map(Self.loudness)
    }

    /// The true peak in dBTP; nil for silence.
    var truePeak: Double? { peak > 0 ? 20 * log10(Double(peak)) : nil }

    private static func mean(_ values: [Double]) -> Double? {
        values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }

    private static func loudness(ofEnergy energy: Double) -> Double { -0.691 + 10 * log10(energy) }
    private static func energy(ofLoudness loudness: Double) -> Double { pow(10, (loudness + 0.691) / 10) }
}

/// The frequency weighting of BS.1770 for one channel: a high shelf for the head, then a high-pass filter.
private struct KWeighting {
    private struct Biquad {
        var b0, b1, b2, a1, a2: Double
    }

    // BS.1770-4, tables 1 and 2, for 48 kHz.
    private static let shelf = Biquad(
        b0: 1.53512485958697, b1: -2.69169618940638, b2: 1.19839281085285, a1: -1.69065929318241,
        a2: 0.73248077421585)
    private static let highPass = Biquad(b0: 1, b1: -2, b2: 1, a1: -1.99004745483398, a2: 0.99007225036621)

    private var shelved: (Double, Double) = (0, 0)
    private var passed: (Double, Double) = (0, 0)

    /// The sum of the squares of the weighted samples.
    mutating func energy(of samples: UnsafeBufferPointer<Float>, range: Range<Int>) -> Double {
        let (shelf, pass) = (Self.shelf, Self.highPass)
        var (shelf1, shelf2) = shelved
        var (pass1, pass2) = passed
        var sum = 0.0
        for index in range {
            let input = Double(samples[index])
            let middle = shelf.b0 * input + shelf1
            shelf1 = shelf.b1 * input - shelf.a1 * middle + shelf2
            shelf2 = shelf.b2 * input - shelf.a2 * middle
            let output = pass.b0 * middle + pass1
            pass1 = pass.b1 * middle - pass.a1 * output + pass2
            pass2 = pass.b2 * middle - pass.a2 * output
            sum += output * output
        }
        shelved = (Self.settled(shelf1), Self.settled(shelf2))
        passed = (Self.settled(pass1), Self.settled(pass2))
        return sum
    }

    /// After the last sound the state fades for seconds to numbers so small that processors are slow with them.
    private static func settled(_ state: Double) -> Double { abs(state) < 1e-30 ? 0 : state }
}
