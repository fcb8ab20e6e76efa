import Foundation

/// The bytes of a transport stream made by ffmpeg (ISO/IEC 13818-1), to cut and to damage them. The video has the PID
/// 256 and no B frames.
struct TransportStream {
    struct NoSuchFrame: Error {}

    var data: Data

    init(_ url: URL) throws { data = try Data(contentsOf: url) }

    private static let packetBytes = 188
    private static let videoPID = 256

    /// The offsets of the transport packets in which frames begin.
    private func frameOffsets() -> [Int] {
        stride(from: 0, to: data.count - Self.packetBytes + 1, by: Self.packetBytes).filter { offset in
            let pid = Int(data[offset + 1] & 0x1F) << 8 | Int(data[offset + 2])
            let isStart = data[offset + 1] & 0x40 != 0
            return pid == Self.videoPID && isStart
        }
    }

    private func frameOffset(_ number: Int) throws -> Int {
        let offsets = frameOffsets()
        guard offsets.indices.contains(number) else { throw NoSuchFrame() }
        return offsets[number]
    }

    /// Removes everything before a frame, except the three packets with the tables at the start.
    mutating func removeFrames(before number: Int) throws {
        let offset = try frameOffset(number)
        data = data[0..<3 * Self.packetBytes] + data[offset...]
    }

    /// Adds to the presentation time of a frame.
    mutating func shiftTime(ofFrame number: Int, seconds: Int64) throws {
        let offset = try frameOffset(number)
        let hasAdaptation = data[offset + 3] & 0x20 != 0
        let pes = offset + 4 + (hasAdaptation ? 1 + Int(data[offset + 4]) : 0)
        guard data[pes + 7] & 0x80 != 0 else { throw NoSuchFrame() }
        // 33 bits in five bytes, with marker bits between them.
        let field = (0..<5).map { Int64(data[pes + 9 + $0]) }
        let old = (field[0] >> 1 & 7) << 30 | field[1] << 22 | (field[2] >> 1) << 15 | field[3] << 7 | field[4] >> 1
        let new = old + seconds * 90_000
        let shifts: [Int64] = [29, 22, 14, 7, -1]
        for (index, shift) in shifts.enumerated() {
            let bits = shift < 0 ? new << -shift : new >> shift
            let isMarked = index % 2 == 0
            let byte = isMarked ? bits & (index == 0 ? 0x0E : 0xFE) | 1 : bits & 0xFF
            let prefix = index == 0 ? field[0] & 0xF0 : 0
            data[pes + 9 + index] = UInt8(prefix | byte)
        }
    }
}
