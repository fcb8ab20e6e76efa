/// How long a packet of audio can be. Containers may claim any duration.
enum AudioPackets {
    /// Lower rates are not believed: speech codecs use 8000 samples per second, and AAC at least 7350.
    private static let slowestRate = 7350

    /// The longest duration of a packet in seconds.
    /// - Parameters:
    ///   - codec: libav's name of the codec.
    ///   - bytes: The size of the packet.
    ///   - channels: The number of channels; 0 if unknown.
    ///   - rate: Samples per second; 0 if unknown.
    static func mostSeconds(codec: String, bytes: Int, channels: Int, rate: Int) -> Double {
        let rate = rate > 0 ? max(rate, slowestRate) : 48_000
        return Double(mostSamples(codec: codec, bytes: bytes, channels: max(channels, 1), rate: rate)) / Double(rate)
    }

    /// The maximum number of samples per channel, by the specifications of the codecs, or libav's decoders.
    private static func mostSamples(codec: String, bytes: Int, channels: Int, rate: Int) -> Int {
        switch codec {
        case "mp1": 384
        case "mp2", "mp3": 1152
        case "ac3", "eac3", "truehd", "mlp": 1536
        // A frame of 1024 samples, doubled by spectral band replication.
        case "aac", "aac_latm": 2048
        case "opus": rate * 120 / 1000
        case "vorbis": 8192
        case "dts": 16_384
        case "flac", "alac": 65_535
        case "wavpack": 131_072
        case "tta": rate * 256 / 245 + 1
        // Up to 16 frames in a packet.
        case "wmav1", "wmav2", "wmapro", "wmalossless", "wmavoice": 16 * 8192
        case _ where codec.hasPrefix("pcm_") || codec == "s302m": bytes / channels
        case _ where codec.hasPrefix("adpcm_"): 4 * bytes / channels
        // Codecs of speech: at least a byte for 20 ms.
        default: min(bytes * rate / 50, rate)
        }
    }
}
