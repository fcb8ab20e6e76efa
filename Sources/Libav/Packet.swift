internal import CFFmpeg

public import struct Foundation.Data

/// The compressed data of one frame with its times. Not Sendable: demuxer and decoder use it on one thread.
public final class Packet {
    let pointer: UnsafeMutablePointer<AVPacket>

    init() throws(AVError) { pointer = try checkAllocated(av_packet_alloc()) }

    deinit {
        var packet: UnsafeMutablePointer<AVPacket>? = pointer
        av_packet_free(&packet)
    }

    /// The index of its stream.
    public var streamIndex: Int { Int(pointer.pointee.stream_index) }
    /// The presentation time in the stream's time base; nil if unknown.
    public var pts: Int64? { timestamp(pointer.pointee.pts) }
    /// Decoding time, in the time base of its stream; nil if unknown.
    public var dts: Int64? { timestamp(pointer.pointee.dts) }
    /// Duration in the time base of its stream; 0 if unknown.
    public var duration: Int64 { pointer.pointee.duration }
    /// The byte of the file at which its data begins; nil if unknown. The second and later frames of a unit of several
    /// have none.
    public var position: Int64? { pointer.pointee.pos >= 0 ? pointer.pointee.pos : nil }
    /// Size in bytes.
    public var size: Int { Int(pointer.pointee.size) }
    /// Whether it is a key frame.
    public var isKey: Bool { pointer.pointee.flags & AV_PKT_FLAG_KEY != 0 }
    /// Whether the demuxer marked it as incomplete, such as the last packet of a truncated file.
    public var isCorrupt: Bool { pointer.pointee.flags & AV_PKT_FLAG_CORRUPT != 0 }
    /// Whether it is outside the edit list: decoded but not shown.
    public var isDiscarded: Bool { pointer.pointee.flags & AV_PKT_FLAG_DISCARD != 0 }

    /// Adds ticks to its presentation and decoding time. A time that would overflow becomes unknown.
    public func shift(by ticks: Int64) {
        func moved(_ time: Int64) -> Int64 {
            guard time != clairo_nopts else { return time }
            let (sum, overflow) = time.addingReportingOverflow(ticks)
            return overflow ? clairo_nopts : sum
        }
        pointer.pointee.pts = moved(pointer.pointee.pts)
        pointer.pointee.dts = moved(pointer.pointee.dts)
    }

    /// Converts its times and its duration to another time base. A time that would overflow becomes unknown.
    public func rescale(from base: Ratio, to other: Ratio) {
        guard base != other, base.isUsable, other.isUsable else { return }
        let multiplier = Int128(base.num) * Int128(other.den)
        let divisor = Int128(base.den) * Int128(other.num)
        func converted(_ ticks: Int64) -> Int64? {
            let product = Int128(ticks) * multiplier
            return Int64(exactly: (product < 0 ? product - divisor / 2 : product + divisor / 2) / divisor)
        }
        pointer.pointee.pts = pts.flatMap(converted) ?? clairo_nopts
        pointer.pointee.dts = dts.flatMap(converted) ?? clairo_nopts
        pointer.pointee.duration = converted(duration) ?? 0
    }

    /// Data that a container has beside the packet's bytes.
    public enum SideData: Sendable {
        /// The settings of a WebVTT cue.
        case webVTTSettings
    }

    /// A copy of its side data of a kind; nil if it has none.
    public func sideData(_ kind: SideData) -> Data? {
        let type: AVPacketSideDataType
        switch kind {
        case .webVTTSettings: type = AV_PKT_DATA_WEBVTT_SETTINGS
        }
        var size = 0
        guard let bytes = av_packet_get_side_data(pointer, type, &size), size > 0 else { return nil }
        return Data(bytes: bytes, count: size)
    }

    /// Lends its bytes.
    public func withBytes<R>(_ body: (UnsafeBufferPointer<UInt8>) throws -> R) rethrows -> R {
        try body(UnsafeBufferPointer(start: pointer.pointee.data, count: pointer.pointee.data == nil ? 0 : size))
    }

    /// A copy of its bytes.
    public var data: Data {
        guard let bytes = pointer.pointee.data, size > 0 else { return Data() }
        return Data(bytes: bytes, count: size)
    }
}
