/// A correction of the timestamps of one stream, from one of its packets to the next correction.
///
/// A source whose clock restarts or jumps consists of stretches. The corrections join them: they place the start of
/// each stretch at the end of the previous one. Packets are counted in file order, because the same time may occur
/// twice.
public struct ClockCorrection: Sendable, Codable, Hashable {
    /// The number of packets of the stream before the first one that this applies to.
    public var packet: Int
    /// The ticks of the stream's time base to add to timestamps; nil if the packets are left out.
    public var shift: Int64?

    public init(packet: Int, shift: Int64?) {
        self.packet = packet
        self.shift = shift
    }
}
