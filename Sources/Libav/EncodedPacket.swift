internal import CFFmpeg

public import struct Foundation.Data

/// An encoded frame, with times in the encoder's time base.
public struct EncodedPacket: Sendable, Hashable {
    /// The encoded bytes.
    public var data: Data
    /// Presentation time, in the encoder's time base.
    public var pts: Int64
    /// Decoding time, in the encoder's time base.
    public var dts: Int64
    /// Whether it is a key frame.
    public var isKey: Bool

    public init(data: Data, pts: Int64, dts: Int64, isKey: Bool) {
        self.data = data
        self.pts = pts
        self.dts = dts
        self.isKey = isKey
    }
}
