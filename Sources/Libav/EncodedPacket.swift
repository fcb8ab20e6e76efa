internal import CFFmpeg

public import struct Foundation.Data

/// What an encoder made of one frame, in the encoder's time base.
public struct EncodedPacket: Sendable, Hashable {
    public var data: Data
    public var pts: Int64
    public var dts: Int64
    public var isKey: Bool

    public init(data: Data, pts: Int64, dts: Int64, isKey: Bool) {
        self.data = data
        self.pts = pts
        self.dts = dts
        self.isKey = isKey
    }
}
