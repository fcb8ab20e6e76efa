internal import ClairoCore
internal import Foundation

/// A part of a sample: bytes that stay clear, and the encrypted bytes that follow them.
struct Subsample: Hashable, Sendable {
    var clear: Int
    var encrypted: Int
}

/// How the samples of one rendition are going to be encrypted: what the boxes of its segments say about it. The samples
/// themselves stay clear, and the initialization vectors zero; see `FragmentCipher`.
struct SampleProtection: Sendable {
    /// The size of a sample's initialization vector; 0 if all samples of the track have the same.
    let ivSize: Int
    /// Video, whose headers stay clear; nil for audio, which is encrypted as a whole.
    private let video: (codec: VideoCodec, configuration: Data)?

    /// - Parameters:
    ///   - codec: The codec of a video; nil for audio.
    ///   - initSegment: The init segment of the rendition.
    /// - Returns: Nil if the samples are not encrypted.
    init?(_ protection: Protection?, codec: VideoCodec? = nil, initSegment: Data) {
        guard let protection, protection.scheme.encryptsSamples else { return nil }
        ivSize = protection.scheme.sampleIVSize
        video = codec.map {
            ($0, InitSegment.payload(of: $0.coding.configurationBox, in: initSegment) ?? Data())
        }
    }

    /// Whether fragments need a map at all: with one vector for all, samples that are encrypted as a whole do not.
    var hasMap: Bool { video != nil || ivSize > 0 }

    /// The parts of each sample of a fragment, in decoding order; nil if they are encrypted as a whole.
    /// - Throws: `badMedia` for a picture whose headers cannot be read.
    func maps(_ samples: [Data]) throws(ClairoError) -> [[Subsample]]? {
        guard let video else { return nil }
        let ranges =
            switch video.codec {
            case .h264: try ProtectionH264(configuration: video.configuration).ranges(samples)
            case .hevc: try ProtectionHEVC(configuration: video.configuration).ranges(samples)
            case .av1: try ProtectionAV1(configuration: video.configuration).ranges(samples)
            }
        return zip(samples, ranges).map { Self.map(of: $0.count, $1, wholeBlocks: ivSize > 0) }
    }

    /// The map of a sample of `size` bytes with these encrypted ranges.
    /// - Parameter wholeBlocks: Whether an encrypted part consists of whole blocks, as counter mode requires
    ///   (ISO/IEC 23001-7, 9.5.2.3). The remainder at its beginning stays clear.
    static func map(of size: Int, _ ranges: [Range<Int>], wholeBlocks: Bool) -> [Subsample] {
        var map: [Subsample] = []
        var position = 0
        func add(clear: Int, encrypted: Int) {
            var clear = clear
            // A part has at most 65535 clear bytes.
            while clear > Int(UInt16.max) {
                map.append(Subsample(clear: Int(UInt16.max), encrypted: 0))
                clear -= Int(UInt16.max)
            }
            map.append(Subsample(clear: clear, encrypted: encrypted))
        }
        for range in ranges {
            let start = wholeBlocks ? range.upperBound - range.count / 16 * 16 : range.lowerBound
            guard start < range.upperBound else { continue }
            add(clear: start - position, encrypted: range.upperBound - start)
            position = range.upperBound
        }
        if position < size || map.isEmpty { add(clear: size - position, encrypted: 0) }
        return map
    }
}

/// The NAL units of a sample with lengths of four bytes, as ranges of the sample.
func protectionUnits(of sample: Data) throws(ClairoError) -> [Range<Int>] {
    var units: [Range<Int>] = []
    var position = 0
    while position < sample.count {
        let header = sample.dropFirst(position).prefix(4)
        let length = header.reduce(0) { $0 << 8 | Int($1) }
        guard header.count == 4, length > 0, length <= sample.count - position - 4 else {
            throw ProtectionReader.unreadable("the length of a unit")
        }
        units.append(position + 4..<position + 4 + length)
        position += 4 + length
    }
    return units
}

/// The slice data of each sample of H.264 or HEVC.
/// - Parameter clearBytes: The bytes at the start of a unit that stay clear; nil for a unit that stays clear as a whole.
func protectionRanges(
    of samples: [Data], clearBytes: (_ unit: Data) throws(ClairoError) -> Int?
) throws(ClairoError) -> [[Range<Int>]] {
    var result: [[Range<Int>]] = []
    for sample in samples {
        var ranges: [Range<Int>] = []
        for range in try protectionUnits(of: sample) {
            let unit = sample.dropFirst(range.lowerBound).prefix(range.count)
            guard let clear = try clearBytes(unit) else { continue }
            ranges.append(range.lowerBound + clear..<range.upperBound)
        }
        result.append(ranges)
    }
    return result
}
