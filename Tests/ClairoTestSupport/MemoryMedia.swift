public import Foundation

/// Media generated in memory, for tests that need no files or programs.
public enum MemoryMedia {
    /// A mono WAV file in which sample `n` has the value `n` modulo 1000.
    public static func wav(samples: Int, sampleRate: Int = 8000) -> Data {
        var data = Data("RIFF".utf8) + little(36 + samples * 2, 4) + Data("WAVEfmt ".utf8) + little(16, 4)
        data +=
            little(1, 2) + little(1, 2) + little(sampleRate, 4) + little(sampleRate * 2, 4) + little(2, 2)
            + little(16, 2)
        data += Data("data".utf8) + little(samples * 2, 4)
        let cycle = (0..<1000).reduce(into: Data()) { $0 += little($1, 2) }
        let end = data.count + samples * 2
        while data.count < end { data += cycle.prefix(end - data.count) }
        return data
    }

    /// Bytes in which every position is distinguishable: random blocks, each with its index. Cheap without the
    /// optimizer, too: a loop over single bytes takes a second for 10 MB.
    public static func noise(_ count: Int, seed: Int = 1) -> Data {
        var state = UInt64(truncatingIfNeeded: seed)
        var block = Data(capacity: 1 << 15)
        while block.count < 1 << 15 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            withUnsafeBytes(of: state &+ state >> 29) { block.append(contentsOf: $0) }
        }
        var data = Data(capacity: count + block.count)
        while data.count < count {
            withUnsafeBytes(of: UInt64(data.count)) { block.replaceSubrange(0..<8, with: $0) }
            data.append(block)
        }
        data.removeLast(data.count - count)
        return data
    }

    /// A GIF of uniform grey frames, each 0.1 s long.
    public static func gif(width: Int, height: Int, grey: [UInt8]) -> Data {
        var data = Data("GIF89a".utf8) + little(width, 2) + little(height, 2) + Data([0xF6, 0, 0])
        for level in 0..<128 { data += Data(repeating: UInt8(level * 2), count: 3) }
        for level in grey {
            data +=
                Data([0x21, 0xF9, 4, 0, 10, 0, 0, 0, 0x2C, 0, 0, 0, 0]) + little(width, 2) + little(height, 2)
                + Data([0])
            // Uncompressed 8-bit codes: clears the table (128) before codes would need nine bits; 129 ends the data.
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

    /// An `.aac` file: AAC-LC access units in ADTS frames at 48 kHz.
    public static func adts(_ packets: [Data], channels: Int) -> Data {
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
