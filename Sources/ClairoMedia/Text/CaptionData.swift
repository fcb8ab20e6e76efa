internal import ClairoCore
internal import Foundation

/// A part of closed captions: the type and two bytes, as ATSC A/53 part 4 and CTA-708 carry it (`cc_data`).
struct CaptionTriplet: Hashable, Sendable {
    enum Kind: UInt8, Sendable {
        /// CEA-608 of field 1: CC1, CC2.
        case field1
        /// CEA-608 of field 2: CC3, CC4.
        case field2
        /// CEA-708: a packet goes on.
        case packetData
        /// CEA-708: a packet begins.
        case packetStart
    }
    var kind: Kind
    var first: UInt8
    var second: UInt8

    /// The triplets that are valid in three bytes each: five marker bits, the validity, the type, and two bytes.
    static func all(in bytes: some Collection<UInt8>) -> [CaptionTriplet] {
        var triplets: [CaptionTriplet] = []
        var rest = bytes[...]
        while rest.count >= 3 {
            let (head, data) = (rest.first ?? 0, rest.dropFirst().prefix(2))
            rest = rest.dropFirst(3)
            guard head & 4 != 0, let kind = Kind(rawValue: head & 3), let first = data.first,
                let second = data.dropFirst().first
            else { continue }
            // A pair of field 1 or 2 without content.
            if kind == .field1 || kind == .field2, first & 0x7F == 0, second & 0x7F == 0 { continue }
            triplets.append(CaptionTriplet(kind: kind, first: first, second: second))
        }
        return triplets
    }
}

/// Finds the closed captions in coded pictures. Nothing is decoded: they are in headers of their own, so that a whole film
/// takes as long as reading it.
struct CaptionExtractor {
    private enum Syntax {
        /// NAL units after start codes (nil) or lengths of this many bytes.
        case h264(lengthSize: Int?)
        case hevc(lengthSize: Int?)
        case mpeg2
        /// Three bytes for each triplet and nothing else.
        case plain
    }
    private let syntax: Syntax

    /// Nil for codecs that do not carry captions in pictures.
    /// - Parameters:
    ///   - codec: libav's name.
    ///   - extradata: The configuration from the container.
    init?(codec: String, extradata: [UInt8]) {
        let isConfiguration = extradata.first == 1
        switch codec {
        case "h264":
            syntax = .h264(lengthSize: isConfiguration && extradata.count > 4 ? Int(extradata[4] & 3) + 1 : nil)
        case "hevc":
            syntax = .hevc(lengthSize: isConfiguration && extradata.count > 21 ? Int(extradata[21] & 3) + 1 : nil)
        case "mpeg2video": syntax = .mpeg2
        case "eia_608": syntax = .plain
        default: return nil
        }
    }

    /// The captions of a picture; nil if it has no room for any, and empty if nothing is in it.
    func triplets(in packet: UnsafeBufferPointer<UInt8>) -> [CaptionTriplet]? {
        switch syntax {
        case .mpeg2:
            var triplets: [CaptionTriplet]?
            // Only up to the first slice, before which all user data is.
            Self.forEachStartCode(in: packet) { unit in
                if let code = unit.first, (1...0xAF).contains(code) { return false }
                if unit.first == 0xB2, let found = Self.a53(unit.dropFirst()) { triplets = (triplets ?? []) + found }
                return true
            }
            return triplets
        case .h264(let lengthSize): return messages(in: packet, lengthSize, headerSize: 1) { $0 & 0x1F == 6 }
        case .hevc(let lengthSize): return messages(in: packet, lengthSize, headerSize: 2) { $0 >> 1 & 0x3F == 39 }
        case .plain: return CaptionTriplet.all(in: packet)
        }
    }

    // MARK: NAL units

    /// - Parameter isMessage: Whether a NAL unit with this first byte has supplemental information.
    private func messages(
        in packet: UnsafeBufferPointer<UInt8>, _ lengthSize: Int?, headerSize: Int, isMessage: (UInt8) -> Bool
    ) -> [CaptionTriplet]? {
        var triplets: [CaptionTriplet]?
        func take(_ unit: Slice<UnsafeBufferPointer<UInt8>>) -> Bool {
            // The two fields of a frame may be in one packet.
            if let header = unit.first, isMessage(header),
                let found = Self.captions(inMessages: unit.dropFirst(headerSize))
            {
                triplets = (triplets ?? []) + found
            }
            return true
        }
        if let lengthSize {
            var offset = 0
            while offset + lengthSize <= packet.count {
                let length = packet[offset..<offset + lengthSize].reduce(0) { $0 << 8 | Int($1) }
                offset += lengthSize
                guard length > 0, offset + length <= packet.count else { break }
                _ = take(packet[offset..<offset + length])
                offset += length
            }
        } else {
            Self.forEachStartCode(in: packet, take)
        }
        return triplets
    }

    /// Calls `body` for the bytes after each start code, until it returns false.
    private static func forEachStartCode(
        in packet: UnsafeBufferPointer<UInt8>, _ body: (Slice<UnsafeBufferPointer<UInt8>>) -> Bool
    ) {
        var begin: Int?
        var index = 0
        while index + 2 < packet.count {
            if packet[index + 2] > 1 {
                index += 3
            } else if packet[index] == 0, packet[index + 1] == 0, packet[index + 2] == 1 {
                if let begin, !body(packet[begin..<index]) { return }
                begin = index + 3
                index += 3
            } else {
                index += 1
            }
        }
        if let begin { _ = body(packet[begin...]) }
    }

    /// The captions in the supplemental enhancement information of one NAL unit (H.264, 7.3.2.3.1; H.265, 7.3.5).
    private static func captions(inMessages unit: Slice<UnsafeBufferPointer<UInt8>>) -> [CaptionTriplet]? {
        // Without the bytes that prevent start codes within the data.
        var bytes: [UInt8] = []
        bytes.reserveCapacity(unit.count)
        var zeros = 0
        for byte in unit {
            if zeros >= 2, byte == 3 {
                zeros = 0
                continue
            }
            zeros = byte == 0 ? zeros + 1 : 0
            bytes.append(byte)
        }
        var triplets: [CaptionTriplet]?
        var rest = bytes[...]
        func number() -> Int? {
            var value = 0
            while let byte = rest.popFirst() {
                value += Int(byte)
                if byte != 0xFF { return value }
            }
            return nil
        }
        while rest.count > 2, let type = number(), let size = number(), size <= rest.count {
            // Registered user data: country, provider (ATSC), then as in MPEG-2.
            if type == 4, rest.starts(with: [0xB5, 0x00, 0x31]), let found = a53(rest.prefix(size).dropFirst(3)) {
                triplets = (triplets ?? []) + found
            }
            rest = rest.dropFirst(size)
        }
        return triplets
    }

    /// ATSC A/53 part 4, 6.2.3: `GA94`, type 3, flags with the number of triplets, a reserved byte.
    private static func a53(_ data: some Collection<UInt8>) -> [CaptionTriplet]? {
        guard data.starts(with: [0x47, 0x41, 0x39, 0x34, 0x03]), let flags = data.dropFirst(5).first, flags & 0x40 != 0
        else { return nil }
        return CaptionTriplet.all(in: data.dropFirst(7).prefix(3 * Int(flags & 0x1F)))
    }
}

/// Puts what comes in the order of decoding into the order of presentation.
struct CaptionOrder {
    /// No codec delays a picture by more; two fields each.
    private static let depth = 34

    private var waiting: [(time: Rational, triplets: [CaptionTriplet])] = []

    /// Takes the captions of a picture, and returns those that no later picture precedes.
    mutating func take(
        _ triplets: [CaptionTriplet], at time: Rational
    ) -> (time: Rational, triplets: [CaptionTriplet])? {
        var index = waiting.endIndex
        while index > 0, waiting[index - 1].time > time { index -= 1 }
        waiting.insert((time, triplets), at: index)
        return waiting.count > Self.depth ? waiting.removeFirst() : nil
    }

    /// What is left.
    mutating func finish() -> [(time: Rational, triplets: [CaptionTriplet])] {
        defer { waiting = [] }
        return waiting
    }
}
