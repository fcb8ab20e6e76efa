public import Foundation
internal import OpenSSL

/// Encrypts and decrypts the samples of a rendition's segments in place (ISO/IEC 23001-7), with `cbcs` or `cenc`.
///
/// A task writes segments in their final layout: with maps of what is to be encrypted, and zeros for initialization
/// vectors. So encryption changes no size and no offset, and the writer of the boxes needs no key. The vectors of
/// `cenc` are a keyed hash of the sample, its position and its map. Therefore the same segment always gives the same
/// bytes, and two samples never share a key stream, not even if an attempt, a job or a rendition makes other bytes of
/// the same frame.
public struct FragmentCipher: CustomStringConvertible, CustomReflectable {
    /// What to do.
    public enum Direction: Sendable, Hashable { case encrypt, decrypt }

    /// The largest fragment in bytes, which is more than any GOP has.
    private static let largestFragment = 1 << 30
    /// A fragment of this many bytes has something to encrypt, even if its pictures are of one color.
    private static let smallestSecret = 64 << 10

    private let scheme: EncryptionScheme
    private let folder: String
    private let isVideo: Bool
    private let allowsClear: Bool
    private let constantIV: [UInt8]
    private let cipher: AES128
    private let vectorKey: [UInt8]
    private let direction: Direction
    private var pending = Data()

    /// - Parameters:
    ///   - folder: The folder of the rendition.
    ///   - allowsClear: Whether a fragment may have no map because it is not encrypted.
    public init(
        _ protection: Protection, folder: String, key: ContentKey, direction: Direction, allowsClear: Bool = false
    ) {
        scheme = protection.scheme
        self.folder = folder
        isVideo = folder.hasPrefix(OutputLayout.folder(of: .video) + "/")
        self.allowsClear = allowsClear
        constantIV = protection.constantIV(of: folder)
        cipher = AES128(key: key.bytes)
        vectorKey = KeyDerivation.sha256(
            secret: key.bytes, salt: "clairo initialization vectors".utf8, info: [], count: 32)
        self.direction = direction
    }

    /// Transforms a whole segment, or an init segment, which stays as it is.
    /// - Throws: `defect` if it holds samples that would not be encrypted.
    public static func transform(
        _ data: Data, _ protection: Protection, folder: String, key: ContentKey, direction: Direction,
        allowsClear: Bool = false
    ) throws(ClairoError) -> Data {
        var cipher = FragmentCipher(
            protection, folder: folder, key: key, direction: direction, allowsClear: allowsClear)
        let result = try cipher.push(data)
        try cipher.finish()
        return result
    }

    /// Takes the next bytes of a file and returns those that are finished.
    public mutating func push(_ data: Data) throws(ClairoError) -> Data {
        pending.append(data)
        var done = Data()
        while let (type, size) = try header(at: 0) {
            var length = size
            if type == "moof" {
                guard let next = try header(at: size) else { break }
                guard next.type == "mdat" else { throw BoxCursor.damaged("moof without mdat") }
                length += next.size
            } else if type == "mdat" {
                throw BoxCursor.damaged("mdat without moof")
            }
            guard pending.count >= length else { break }
            let unit = pending.prefix(length)
            done.append(type == "moof" ? Data(try transformed([UInt8](unit))) : unit)
            pending = Data(pending.dropFirst(length))
        }
        return done
    }

    /// Ends the file.
    public func finish() throws(ClairoError) {
        guard pending.isEmpty else { throw BoxCursor.damaged("it ends within a box") }
    }

    /// The type and size of the box at an offset, if its header has arrived.
    private func header(at offset: Int) throws(ClairoError) -> (type: String, size: Int)? {
        let bytes = pending.dropFirst(offset).prefix(8)
        guard bytes.count == 8 else { return nil }
        let size = bytes.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard (8...Self.largestFragment).contains(size) else { throw BoxCursor.damaged("the size of a box") }
        return (String(decoding: bytes.suffix(4), as: UTF8.self), size)
    }

    private func transformed(_ fragment: [UInt8]) throws(ClairoError) -> [UInt8] {
        var bytes = fragment
        let layout = try FragmentLayout(fragment, ivSize: scheme.sampleIVSize)
        // With a constant vector, samples that are encrypted as a whole need no map.
        let isAudio = folder.hasPrefix(OutputLayout.folder(of: .audio) + "/")
        guard layout.hasMap || scheme == .cbcs && isAudio && !allowsClear else {
            if allowsClear { return bytes }
            throw BoxCursor.damaged("it has no map of what to encrypt")
        }
        let secrets = layout.samples.reduce(0) { $0 + ($1.encrypted ?? [$1.range]).reduce(0) { $0 + $1.count } }
        guard secrets > 0 || fragment.count < Self.smallestSecret else {
            throw BoxCursor.damaged("its map leaves everything clear")
        }
        for (index, sample) in layout.samples.enumerated() {
            let parts = sample.encrypted ?? [sample.range]
            switch scheme {
            case .cenc: crypt(&bytes, counter: sample, parts, number: index, of: layout)
            case .cbcs: for part in parts { crypt(&bytes, pattern: part) }
            case .aes128: throw BoxCursor.damaged("its scheme encrypts whole segments")
            }
            if scheme == .cenc, direction == .encrypt, sample.iv.allSatisfy({ fragment[$0] == 0 }) == false {
                throw BoxCursor.damaged("it is encrypted already")
            }
        }
        return bytes
    }

    /// Counter mode over all encrypted parts of a sample, as if they were contiguous.
    private func crypt(
        _ bytes: inout [UInt8], counter sample: FragmentLayout.Sample, _ parts: [Range<Int>], number: Int,
        of layout: FragmentLayout
    ) {
        let vector: [UInt8]
        switch direction {
        case .encrypt:
            let position = withUnsafeBytes(of: UInt64(layout.sequence) << 32 | UInt64(number)) { Array($0) }
            // The same bytes with another map would put the key stream elsewhere.
            let map = parts.flatMap { [$0.lowerBound - sample.range.lowerBound, $0.count] }.flatMap { number in
                withUnsafeBytes(of: UInt32(number)) { Array($0) }
            }
            let context = Array(folder.utf8) + [0] + position + AuthenticationCode.sha256(of: map, key: vectorKey)
            vector = Array(
                AuthenticationCode.sha256(of: context + bytes[sample.range], key: vectorKey).prefix(sample.iv.count))
            bytes.replaceSubrange(sample.iv, with: vector)
        case .decrypt:
            vector = Array(bytes[sample.iv])
            // As the task wrote it.
            bytes.replaceSubrange(sample.iv, with: repeatElement(0, count: sample.iv.count))
        }
        let block = vector + [UInt8](repeating: 0, count: AES128.blockSize - vector.count)
        crypt(&bytes, parts, mode: .ctr, iv: block)
    }

    /// The pattern of one encrypted block and nine clear ones, or all blocks of samples that are not video. The last bytes,
    /// fewer than a block, stay clear.
    private func crypt(_ bytes: inout [UInt8], pattern part: Range<Int>) {
        let size = AES128.blockSize
        let whole = part.lowerBound..<part.lowerBound + part.count / size * size
        let step = isVideo ? 10 * size : max(whole.count, 1)
        let blocks = stride(from: whole.lowerBound, to: whole.upperBound, by: step).map {
            isVideo ? $0..<$0 + size : whole
        }
        crypt(&bytes, blocks, mode: .cbc, iv: constantIV)
    }

    /// Transforms ranges as if they were contiguous.
    private func crypt(_ bytes: inout [UInt8], _ ranges: [Range<Int>], mode: AES128.Mode, iv: [UInt8]) {
        var text: [UInt8] = []
        text.reserveCapacity(ranges.reduce(0) { $0 + $1.count })
        for range in ranges { text += bytes[range] }
        switch direction {
        case .encrypt: cipher.encrypt(&text, mode: mode, iv: iv)
        case .decrypt: cipher.decrypt(&text, mode: mode, iv: iv)
        }
        var position = 0
        for range in ranges {
            bytes.replaceSubrange(range, with: text[position..<position + range.count])
            position += range.count
        }
    }

    // MARK: Descriptions, which show no key

    public var description: String { "FragmentCipher(\(folder))" }
    public var customMirror: Mirror { Mirror(self, children: []) }
}
