internal import Foundation

/// Measures tones in samples at 48 kHz.
public enum ToneAnalysis {
    private static let rate = 48_000.0

    /// The part of the energy in the middle half second that is at one frequency: 1 for a pure tone.
    public static func share(of hertz: Double, in samples: [Float]) -> Double {
        let length = min(samples.count, 24_000)
        guard length >= 960 else { return 0 }
        let start = (samples.count - length) / 2
        let energy = samples[start..<start + length].reduce(0.0) { $0 + Double($1) * Double($1) } / Double(length)
        let amplitude = Oscillator(hertz, length: length).phasor(in: samples, at: start).amplitude
        return energy > 1e-9 ? amplitude * amplitude / 2 / energy : 0
    }

    /// The times in seconds at which a continuous tone breaks: its phase jumps, or it is interrupted.
    ///
    /// The phases of the 70 ms before and after each time are compared by their medians, because the AAC encoder
    /// distorts a pure tone for some milliseconds now and then. A phase that moves slowly, as after a correction of the
    /// clock by a thousandth, is no break. The first and last tenth of a second are left out, because encoders fade
    /// there.
    public static func breaks(of hertz: Double, in samples: [Float]) -> [Double] {
        let (length, step, around) = (960, 480, 7)
        let starts = Array(stride(from: 4_800, to: samples.count - 4_800 - length, by: step))
        let oscillator = Oscillator(hertz, length: length)
        let phasors = starts.map { oscillator.phasor(in: samples, at: $0) }
        guard phasors.count > 2 * around else { return [] }
        let usual = median(phasors.map(\.amplitude))
        guard usual > 0.001 else { return [0] }
        var phases: [Double] = []
        for phasor in phasors { phases.append((phases.last ?? 0) + turn(from: phases.last ?? 0, to: phasor.phase)) }
        return (around..<phasors.count - around).filter { index in
            let before = median(Array(phases[index - around..<index]))
            let after = median(Array(phases[index + 1...index + around]))
            return abs(turn(from: before, to: after)) > 0.5 || phasors[index].amplitude < usual / 2
        }.map { Double(starts[$0]) / rate }
    }

    private static func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }

    /// The angle between two phases, from -pi to pi.
    private static func turn(from before: Double, to after: Double) -> Double {
        let angle = after - before
        return angle - (angle / (2 * Double.pi)).rounded() * 2 * Double.pi
    }

    /// The times in seconds at which sound ends and a tenth of a second of silence follows.
    public static func endsOfBeeps(in samples: [Float]) -> [Double] {
        var ends: [Double] = []
        var last: Int?
        for (index, sample) in samples.enumerated() {
            if abs(sample) > 0.1 { last = index }
            if let end = last, index - end >= 4_800 || index == samples.count - 1 {
                ends.append(Double(end + 1) / rate)
                last = nil
            }
        }
        return ends
    }

    /// Compares samples with a tone.
    private struct Oscillator {
        let perSample: Double
        /// The tone's real and imaginary part in a Hann window.
        var real: [Double] = []
        var imaginary: [Double] = []

        init(_ hertz: Double, length: Int) {
            perSample = 2 * Double.pi * hertz / rate
            for index in 0..<length {
                let window = 0.5 - 0.5 * cos(2 * Double.pi * Double(index) / Double(length))
                real.append(window * cos(perSample * Double(index)))
                imaginary.append(-window * sin(perSample * Double(index)))
            }
        }

        /// The amplitude of the tone, and its phase against one that starts with the first sample.
        func phasor(in samples: [Float], at start: Int) -> (amplitude: Double, phase: Double) {
            var sums = (0.0, 0.0)
            for index in real.indices {
                let sample = Double(samples[start + index])
                sums.0 += sample * real[index]
                sums.1 += sample * imaginary[index]
            }
            let amplitude = (sums.0 * sums.0 + sums.1 * sums.1).squareRoot() * 4 / Double(real.count)
            return (amplitude, atan2(sums.1, sums.0) - perSample * Double(start))
        }
    }
}
