/// How long the packets of a stream of audio can be. Containers may claim any duration.
struct AudioPackets {
    /// Lower rates are not believed: speech codecs use 8000 samples per second, and AAC at least 7350.
    private static let slowestRate = 7350

    /// The maximum number of samples per channel.
    private enum Most {
        case samples(Int)
        /// Per byte of the packet, up to a limit.
        case perByte(Double, limit: Int)
    }

    private let most: Most
    private let rate: Int

    /// - Parameters:
    ///   - codec: libav's name of the codec.
    ///   - channels: The number of channels; 0 if unknown.
    ///   - rate: Samples per second; 0 if unknown.
    init(codec: String, channels: Int, rate: Int) {
        self.rate = rate > 0 ? max(rate, Self.slowestRate) : 48_000
        most = Self.most(codec: codec, channels: Double(max(channels, 1)), rate: self.rate)
    }

    /// The longest duration in seconds of a packet of this size.
    func mostSeconds(bytes: Int) -> Double {
        switch most {
        case .samples(let samples): Double(samples) / Double(rate)
        case .perByte(let samples, let limit): min(Double(bytes) * samples, Double(limit)) / Double(rate)
        }
    }

    /// By the specifications of the codecs, or libav's decoders.
    private static func most(codec: String, channels: Double, rate: Int) -> Most {
        switch codec {
        case "mp1": .samples(384)
        case "mp2", "mp3": .samples(1152)
        case "ac3", "eac3", "truehd", "mlp": .samples(1536)
        // A frame of 1024 samples, doubled by spectral band replication.
        case "aac", "aac_latm": .samples(2048)
        case "opus": .samples(rate * 120 / 1000)
        case "vorbis": .samples(8192)
        case "dts": .samples(16_384)
        case "flac", "alac": .samples(65_535)
        case "wavpack": .samples(131_072)
        case "tta": .samples(rate * 256 / 245 + 1)
        // Up to 16 frames in a packet.
        case "wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice": .samples(16 * 8192)
        case _ where codec.hasPrefix("pcm_") || codec == "s302m": .perByte(1 / channels, limit: .max)
        case _ where codec.hasPrefix("adpcm_"): .perByte(4 / channels, limit: .max)
        // Codecs of speech: at least a byte for 20 ms.
        default: .perByte(Double(rate) / 50, limit: rate)
        }
    }
}
