import Foundation
import Libav

/// Media made from nothing, so that these tests need no file and no program.
enum Media {
    static let formats = "mov,mp4,matroska,wav,gif,aac,h264"
    static let codecs = "pcm_s16le,gif,aac,h264"
    static let options = DemuxerOptions(formatWhitelist: formats, codecWhitelist: codecs)

    /// A mono WAV file whose sample `n` is `n` modulo 1000.
    static func wav(samples: Int, sampleRate: Int = 8000) -> Data {
        var data = Data("RIFF".utf8) + little(36 + samples * 2, 4) + Data("WAVEfmt ".utf8) + little(16, 4)
        data +=
            little(1, 2) + little(1, 2) + little(sampleRate, 4) + little(sampleRate * 2, 4) + little(2, 2)
            + little(16, 2)
        data += Data("data".utf8) + little(samples * 2, 4)
        for index in 0..<samples { data += little(index % 1000, 2) }
        return data
    }

    /// A GIF of plain grey pictures, a tenth of a second each.
    static func gif(width: Int, height: Int, grey: [UInt8]) -> Data {
        var data = Data("GIF89a".utf8) + little(width, 2) + little(height, 2) + Data([0xF6, 0, 0])
        for level in 0..<128 { data += Data(repeating: UInt8(level * 2), count: 3) }
        for level in grey {
            data +=
                Data([0x21, 0xF9, 4, 0, 10, 0, 0, 0, 0x2C, 0, 0, 0, 0]) + little(width, 2) + little(height, 2)
                + Data([0])
            // Eight-bit codes, uncompressed: the table is cleared (128) before codes would need nine bits; 129 is the end.
            var codes: [UInt8] = []
            for pixel in 0..<width * height {
                if pixel % 100 == 0 { codes.append(128) }
                codes.append(level / 2)
            }
            codes.append(129)
            data.append(7)
            for start in stride(from: 0, to: codes.count, by: 255) {
                let block = codes[start..<min(start + 255, codes.count)]
                data += Data([UInt8(block.count)]) + block
            }
            data.append(0)
        }
        return data + Data([0x3B])
    }

    /// AAC access units in ADTS frames, as they lie in an `.aac` file: AAC-LC, 48 kHz.
    static func adts(_ packets: [Data], channels: Int) -> Data {
        packets.reduce(into: Data()) { file, packet in
            let length = packet.count + 7
            file += [0xFF, 0xF1, 0x4C | UInt8(channels >> 2), UInt8(channels & 3) << 6 | UInt8(length >> 11)]
            file += [UInt8(length >> 3 & 0xFF), UInt8(length & 7) << 5 | 0x1F, 0xFC] + packet
        }
    }

    private static func little(_ value: Int, _ count: Int) -> Data {
        Data((0..<count).map { UInt8(truncatingIfNeeded: value >> ($0 * 8)) })
    }
}

/// Bytes in memory, with a fault where a test wants one.
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
    convenience init(_ data: Data, options: DemuxerOptions = Media.options) throws {
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
    /// What is ready to be taken.
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
