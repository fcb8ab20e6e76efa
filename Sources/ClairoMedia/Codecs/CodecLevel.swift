internal import ClairoCore

/// A level of a video codec: the limits that a stream which signals it keeps.
protocol CodecLevel {
    /// The level as people write it, such as `3.1`.
    var name: String { get }

    /// Whether frames of this size and rate are within the limits.
    func allows(size: FrameSize, frameRate: Rational, bitRate: Int64) -> Bool
}

extension CodecLevel {
    /// Why a rendition exceeds the level, or nil.
    /// - Parameters:
    ///   - bitRate: The maximum rate in bits per second; 0 if it is unknown.
    ///   - checksRate: Whether the table has the rates of the tier that the rendition signals.
    func problem(size: FrameSize, frameRate: Rational, bitRate: Int64, checksRate: Bool = true) -> String? {
        guard !allows(size: size, frameRate: frameRate, bitRate: checksRate ? bitRate : 0) else { return nil }
        return "level \(name) does not allow \(size) at \(frameRate) frames per second"
            + (bitRate > 0 ? " and \(bitRate / 1000) kbit/s" : "")
    }
}
