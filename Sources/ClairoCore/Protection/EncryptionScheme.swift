/// How the segments of an output are encrypted.
public enum EncryptionScheme: String, Sendable, Codable, Hashable, CaseIterable {
    /// Whole segments with AES-128 in CBC mode and PKCS #7 padding (RFC 8216, 4.3.2.4). HLS only.
    case aes128 = "aes-128"
    /// Samples with AES-128 in CBC mode; of video, one block of ten (ISO/IEC 23001-7, 10.4).
    case cbcs
    /// Samples with AES-128 in counter mode (ISO/IEC 23001-7, 10.1).
    case cenc

    /// Whether samples are encrypted within their segments, which keep their sizes and offsets.
    public var encryptsSamples: Bool { self != .aes128 }

    /// The size in bytes of the initialization vector that each sample has. With `cbcs`, a track has one for all.
    public var sampleIVSize: Int { self == .cenc ? 8 : 0 }

    /// The formats that an encrypted output can have. A progressive MP4 would hold the samples in clear, and DASH knows no
    /// encryption of whole segments that players support.
    public var formats: [OutputFormat] { encryptsSamples ? [.hls, .dash] : [.hls] }
}
