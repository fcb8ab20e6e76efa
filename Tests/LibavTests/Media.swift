import Foundation
import Libav

extension DemuxerOptions {
    static let all = DemuxerOptions(
        formatWhitelist: "mov,mp4,matroska,wav,gif,aac,h264", codecWhitelist: "pcm_s16le,gif,aac,h264")
}

/// Bytes in memory, with an optional read fault.
struct Bytes: InputBytes {
    struct Fault: Error, Equatable { var offset: Int64 }

    let data: Data
    var failsFrom: Int64 = .max
    var largestRead = Int.max
    var size: Int64 { Int64(data.count) }

    init(_ data: Data, failsFrom: Int64 = .max, largestRead: Int = .max) {
        self.data = data
        self.failsFrom = failsFrom
        self.largestRead = largestRead
    }

    func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws -> Int {
        guard offset < failsFrom else { throw Fault(offset: failsFrom) }
        guard offset < size else { return 0 }
        let count = min(buffer.count, Int(min(size, failsFrom) - offset), largestRead)
        data[Int(offset)..<Int(offset) + count].withUnsafeBytes { buffer.copyMemory(from: $0) }
        return count
    }
}

extension Demuxer {
    convenience init(_ data: Data, options: DemuxerOptions = .all) throws {
        try self.init(Bytes(data), options: options)
    }

    func readAll() throws -> [Packet] {
        var packets: [Packet] = []
        while let packet = try read() { packets.append(packet) }
        return packets
    }

    /// Decodes everything of one stream.
    func frames(stream: Int = 0, threads: Int32 = 1) throws -> [Frame] {
        let decoder = try makeDecoder(stream: stream, threads: threads)
        var frames: [Frame] = []
        for packet in try readAll() + [nil] as [Packet?] {
            try decoder.send(packet)
            while case .value(let frame) = try decoder.receive() { frames.append(frame) }
        }
        return frames
    }
}

extension Encoder {
    /// All packets that are ready.
    func packets() throws -> [EncodedPacket] {
        var packets: [EncodedPacket] = []
        while case .value(let packet) = try receive() { packets.append(packet) }
        return packets
    }
}

extension Output {
    var isDrained: Bool { if case .drained = self { true } else { false } }
    var wantsInput: Bool { if case .needsInput = self { true } else { false } }
    var value: Value? { if case .value(let value) = self { value } else { nil } }
}
