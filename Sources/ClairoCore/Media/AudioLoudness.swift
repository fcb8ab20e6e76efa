/// What was measured of a track before it was encoded, by ITU-R BS.1770-4 over the whole programme, and the gain that
/// followed from it.
public struct AudioLoudness: Sendable, Codable, Hashable {
    /// The highest true peak that a gain may lead to, in dBTP.
    public static let maxTruePeak = -1.0

    /// Integrated loudness in LUFS, without the gain; nil if no part is above the gate of -70 LUFS.
    public var integrated: Double?
    /// True peak in dBTP, without the gain; nil for silence.
    public var truePeak: Double?
    /// The gain in dB that was applied to the whole track. Nil if none was asked for.
    public var gain: Double?

    /// Values are kept in hundredths, so that documents are the same on all processors.
    public init(integrated: Double?, truePeak: Double?, gain: Double? = nil) {
        self.integrated = integrated.map(Self.rounded)
        self.truePeak = truePeak.map(Self.rounded)
        self.gain = gain.map(Self.rounded)
    }

    /// The gain in dB that brings the track to `target` LUFS, or as near as its peaks allow. Zero for silence.
    public func gain(to target: Double) -> Double {
        guard let integrated else { return 0 }
        let wanted = target - integrated
        return Self.rounded(truePeak.map { min(wanted, Self.maxTruePeak - $0) } ?? wanted)
    }

    private static func rounded(_ value: Double) -> Double { (value * 100).rounded() / 100 }
}
