import ClairoCore
import Foundation
import Testing

@testable import ClairoMedia

/// Closed captions of CEA-608 and CEA-708, and how they are found in pictures.
@Suite struct CaptionTests {
    private static func odd(_ byte: UInt8) -> UInt8 { byte.nonzeroBitCount % 2 == 1 ? byte : byte | 0x80 }

    /// A field that is fed with pairs of bytes, and the cues of its channels.
    private struct Field {
        var decoder: CEA608Field
        var cues: [Int: [Cue]] = [:]

        init(_ field: Int = 0) { decoder = CEA608Field(field: field) }

        mutating func send(_ pairs: [(UInt8, UInt8)], at time: Int64) {
            for (first, second) in pairs { sendRaw(CaptionTests.odd(first), CaptionTests.odd(second), at: time) }
        }

        /// Sends bytes as they are, parity included.
        mutating func sendRaw(_ first: UInt8, _ second: UInt8, at time: Int64) {
            var found: [(Int, Cue)] = []
            decoder.take(first, second, at: time) { found.append(($0, $1)) }
            for (channel, cue) in found { cues[channel, default: []].append(cue) }
        }

        mutating func finish(at time: Int64) {
            var found: [(Int, Cue)] = []
            decoder.finish(at: time) { found.append(($0, $1)) }
            for (channel, cue) in found { cues[channel, default: []].append(cue) }
        }

        /// Sends control codes twice, as broadcasters do.
        mutating func control(_ first: UInt8, _ second: UInt8, at time: Int64) {
            send([(first, second), (first, second)], at: time)
        }

        mutating func text(_ text: String, at time: Int64) {
            var bytes = Array(text.utf8)
            if bytes.count % 2 == 1 { bytes.append(0) }
            send(stride(from: 0, to: bytes.count, by: 2).map { (bytes[$0], bytes[$0 + 1]) }, at: time)
        }
    }

    private static let bottom = "line:84.67% position:10% align:left"

    @Test func popOnCaptionsAreShownAtOnce() {
        var field = Field()
        field.control(0x14, 0x20, at: 0)
        field.control(0x14, 0x2E, at: 0)
        field.control(0x14, 0x70, at: 100)
        field.text("Hello", at: 200)
        field.control(0x14, 0x2F, at: 1000)
        field.control(0x14, 0x20, at: 1500)
        field.control(0x14, 0x70, at: 1600)
        field.text("next", at: 1700)
        field.control(0x14, 0x2F, at: 2000)
        field.control(0x14, 0x2C, at: 3000)
        #expect(
            field.cues == [
                1: [
                    Cue(start: 1000, end: 2000, settings: Self.bottom, text: "Hello"),
                    Cue(start: 2000, end: 3000, settings: Self.bottom, text: "next"),
                ]
            ])
    }

    @Test func rollUpCaptionsAreShownLineByLine() {
        var field = Field()
        field.control(0x14, 0x25, at: 0)
        field.control(0x14, 0x2D, at: 100)
        field.control(0x14, 0x70, at: 200)
        field.text("one", at: 300)
        field.control(0x14, 0x2D, at: 1000)
        field.text("two", at: 1100)
        field.control(0x14, 0x2D, at: 2000)
        field.text("three", at: 2100)
        field.control(0x14, 0x2C, at: 3000)
        let two = "line:79.33% position:10% align:left"
        #expect(
            field.cues == [
                1: [
                    Cue(start: 300, end: 1000, settings: Self.bottom, text: "one"),
                    Cue(start: 1000, end: 2000, settings: two, text: "one\ntwo"),
                    Cue(start: 2000, end: 3000, settings: two, text: "two\nthree"),
                ]
            ])
    }

    @Test func stylesCharactersAndPlacesAreKept() {
        var field = Field()
        field.control(0x14, 0x20, at: 0)
        // Row 1 in italics, then row 13 with an indent of 8.
        field.control(0x11, 0x4E, at: 0)
        field.text("A", at: 0)
        field.control(0x12, 0x30, at: 0)
        field.control(0x11, 0x37, at: 0)
        field.control(0x13, 0x74, at: 0)
        field.text("up", at: 0)
        field.control(0x11, 0x2E, at: 0)
        field.text("<*>", at: 0)
        field.control(0x14, 0x2F, at: 1000)
        field.finish(at: 2000)
        #expect(
            field.cues[1] == [
                Cue(start: 1000, end: 2000, settings: "line:10% position:10% align:left", text: "<i>À♪</i>"),
                Cue(
                    start: 1000, end: 2000, settings: "line:74% position:30% align:left",
                    text: "up <i>&lt;á&gt;</i>"),
            ])
    }

    @Test func channelsAreApart() {
        var field = Field(1)
        field.control(0x15, 0x29, at: 0)
        field.text("three", at: 100)
        // Extended data services are no text, nor is what belongs to the channel of text.
        field.send([(0x01, 0x03)], at: 200)
        field.text("Title", at: 200)
        field.control(0x1D, 0x29, at: 300)
        field.text("four", at: 400)
        field.control(0x1D, 0x2B, at: 500)
        field.text("text", at: 600)
        field.finish(at: 1000)
        #expect(field.cues.mapValues { $0.map(\.text) } == [3: ["three"], 4: ["four"]])
        #expect(field.cues[3]?.first?.start == 100)
    }

    @Test func damagedBytesAreNoCodes() {
        var field = Field()
        field.control(0x14, 0x29, at: 0)
        field.sendRaw(Self.odd(0x61) ^ 0x80, Self.odd(0x62), at: 10)
        field.sendRaw(Self.odd(0x14), Self.odd(0x2C) ^ 0x80, at: 20)
        field.finish(at: 1000)
        #expect(field.cues[1]?.map(\.text) == ["█b"])
    }

    // MARK: CEA-708

    /// The triplets of a packet with one block.
    private static func packet(service: UInt8, _ codes: [UInt8]) -> [CaptionTriplet] {
        var bytes: [UInt8] = [0, service << 5 | UInt8(codes.count)] + codes
        if bytes.count % 2 == 1 { bytes.append(0) }
        bytes[0] = UInt8(bytes.count / 2)
        return stride(from: 0, to: bytes.count, by: 2).map {
            CaptionTriplet(kind: $0 == 0 ? .packetStart : .packetData, first: bytes[$0], second: bytes[$0 + 1])
        }
    }

    @Test func windowsOfDigitalCaptionsBecomeCues() {
        var decoder = CEA708Decoder()
        var cues: [Int: [Cue]] = [:]
        func send(_ codes: [UInt8], service: UInt8 = 1, at time: Int64) {
            for triplet in Self.packet(service: service, codes) {
                decoder.take(triplet, at: time) { cues[$0, default: []].append($1) }
            }
        }
        // A hidden window of two rows at the bottom left; italics from the second word on.
        let window: [UInt8] = [0x98, 0x00, 0xE3, 0x00, 0x61, 0x1F, 0x00]
        send(window + Array("Hi ".utf8) + [0x90, 0x05, 0x80] + Array("you".utf8) + [0x10, 0x33], at: 0)
        send([0x89, 0x01], at: 1000)
        send([0x8A, 0x01], at: 2000)
        // A visible window that rolls up.
        send([0x98, 0x20, 0xE3, 0x00, 0x60, 0x1F, 0x00, 0x0C, 0x92, 0x00, 0x00, 0x90, 0x05, 0x00], service: 2, at: 0)
        send(Array("a".utf8), service: 2, at: 100)
        send([0x0D] + Array("b".utf8), service: 2, at: 500)
        send([0x8C, 0xFF], service: 2, at: 900)
        #expect(
            cues == [
                1: [Cue(start: 1000, end: 2000, settings: Self.bottom, text: "Hi <i>you“</i>")],
                2: [
                    Cue(start: 100, end: 500, settings: Self.bottom, text: "a"),
                    Cue(start: 500, end: 900, settings: Self.bottom, text: "b"),
                ],
            ])
    }

    @Test func anIncompletePacketIsLeftOut() {
        var decoder = CEA708Decoder()
        var count = 0
        let window: [UInt8] = [0x98, 0x20, 0xE3, 0x00, 0x61, 0x1F, 0x00]
        for triplet in Self.packet(service: 1, window + [0x61]).dropLast() + Self.packet(service: 1, [0x8C, 0xFF]) {
            decoder.take(triplet, at: 0) { _, _ in count += 1 }
        }
        decoder.finish(at: 1000) { _, _ in count += 1 }
        #expect(count == 0)
    }

    // MARK: Pictures

    private static let message: [UInt8] =
        [0xB5, 0x00, 0x31, 0x47, 0x41, 0x39, 0x34, 0x03, 0x43, 0xFF, 0xFC, 0x94, 0x20, 0xFD, 0x80, 0x80, 0xF8, 0x94]
        + [0x20, 0xFF]

    private func triplets(_ codec: String, _ extradata: [UInt8], _ packet: [UInt8]) throws -> [CaptionTriplet]? {
        let extractor = try #require(CaptionExtractor(codec: codec, extradata: extradata))
        return packet.withUnsafeBufferPointer { extractor.triplets(in: $0) }
    }

    @Test func captionsAreFoundInPictures() throws {
        let one = [CaptionTriplet(kind: .field1, first: 0x94, second: 0x20)]
        let sei: [UInt8] = [0x04, UInt8(Self.message.count)] + Self.message + [0x80]
        let slice: [UInt8] = [0x65, 0x88, 0x84]
        #expect(try triplets("h264", [], [0, 0, 0, 1, 0x06] + sei + [0, 0, 1] + slice) == one)
        let lengths = [0, 0, 0, UInt8(sei.count + 1), 0x06] + sei + [0, 0, 0, 3] + slice
        #expect(try triplets("h264", [1, 0x64, 0, 0x1F, 0xFF], lengths) == one)
        #expect(try triplets("hevc", [], [0, 0, 1, 39 << 1, 1] + sei + [0, 0, 1, 0x26, 1, 0xAF]) == one)
        let user = [0, 0, 1, 0xB2] + Self.message.dropFirst(3) + [0, 0, 1, 0x01, 0x12]
        #expect(try triplets("mpeg2video", [], [0, 0, 1, 0x00, 0x00, 0x08] + user) == one)
        #expect(try triplets("eia_608", [], [0xFC, 0x94, 0x20, 0xFC, 0x80, 0x80]) == one)
    }

    @Test func picturesWithoutCaptionsAreKnown() throws {
        #expect(try triplets("h264", [], [0, 0, 1, 0x06, 0x05, 0x01, 0x00, 0x80, 0, 0, 1, 0x65, 0x88]) == nil)
        #expect(try triplets("mpeg2video", [], [0, 0, 1, 0x00, 0, 0x08, 0, 0, 1, 0x01, 0x12]) == nil)
        // Damaged lengths and sizes.
        #expect(try triplets("h264", [1, 0x64, 0, 0x1F, 0xFF], [0xFF, 0xFF, 0xFF, 0xFF, 0x06, 0x04]) == nil)
        #expect(try triplets("h264", [], [0, 0, 1, 0x06, 0x04, 0xFF, 0xFF, 0xB5]) == nil)
        #expect(CaptionExtractor(codec: "vp9", extradata: []) == nil)
    }

    @Test func captionsAreInTheOrderOfPresentation() {
        var order = CaptionOrder()
        let times = [0, 4, 2, 1, 3, 8, 6, 5, 7].map { Rational(Int64($0)) }
        let early = times.compactMap { order.take([], at: $0) }
        #expect(early.isEmpty)
        #expect(order.finish().map(\.time) == times.sorted())
    }
}
