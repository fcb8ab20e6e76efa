import ClairoCore
import ClairoTestSupport
import Foundation
import Libav
import Testing

@testable import ClairoMedia

@Suite struct EnhancedFLVTests {
    private static func file(_ tags: [(type: UInt8, content: [UInt8])]) -> Data {
        var data = Data("FLV".utf8) + Data([1, 5, 0, 0, 0, 9, 0, 0, 0, 0])
        for tag in tags {
            let size = UInt8(tag.content.count)
            data += Data([tag.type, 0, 0, size, 0, 0, 0, 0, 0, 0, 0]) + Data(tag.content) + Data([0, 0, 0, size + 11])
        }
        return data
    }

    private static func codecs(_ data: Data) throws -> EnhancedFLV.Codecs {
        try EnhancedFLV.codecs(in: MemorySource(data))
    }

    private static let metadata: (type: UInt8, content: [UInt8]) = (18, [2, 0, 10])
    private static let hevc: (type: UInt8, content: [UInt8]) = (9, [0x90] + Array("hvc1".utf8) + [1, 2, 3])
    private static let opus: (type: UInt8, content: [UInt8]) = (8, [0x90] + Array("OpusOpusHead".utf8))
    private static let avc: (type: UInt8, content: [UInt8]) = (9, [0x17, 0, 0, 0, 0, 1])
    private static let aac: (type: UInt8, content: [UInt8]) = (8, [0xAF, 0, 0x12, 0x10])

    @Test func findsTheCodecsOfEnhancedTags() throws {
        #expect(try Self.codecs(Self.file([Self.metadata, Self.hevc, Self.aac])) == EnhancedFLV.Codecs(video: "hvc1"))
        #expect(try Self.codecs(Self.file([Self.avc, Self.opus])) == EnhancedFLV.Codecs(audio: "Opus"))
        #expect(try Self.codecs(Self.file([Self.avc, Self.aac, Self.avc])) == EnhancedFLV.Codecs())
    }

    @Test func skipsModifiersTracksAndCommands() throws {
        let modified: [UInt8] = [0x97, 2, 0, 0, 9, 0x01] + Array("av01".utf8)
        let tracks: [UInt8] = [0x96, 0x01] + Array("vp09".utf8)
        let command: [UInt8] = [0xD1, 0]
        #expect(try Self.codecs(Self.file([(9, modified)])).video == "av01")
        #expect(try Self.codecs(Self.file([(9, command), (9, tracks)])).video == "vp09")
        #expect(try Self.codecs(Self.file([(8, [0x95, 0x01] + Array("fLaC".utf8))])).audio == "fLaC")
    }

    @Test func theReasonNamesTheCodecs() throws {
        let reason = try EnhancedFLV.reason(MemorySource(Self.file([Self.hevc, Self.opus])))
        #expect((reason?.contains("HEVC (hvc1)") ?? false) == !Libraries.readsEnhancedFLV("hvc1"))
        #expect((reason?.contains("Opus") ?? false) == !Libraries.readsEnhancedFLV("Opus"))
        #expect(try EnhancedFLV.reason(MemorySource(Self.file([Self.avc, Self.aac]))) == nil)
        #expect(try EnhancedFLV.reason(MemorySource(Data("not an FLV file at all".utf8))) == nil)
        #expect(try EnhancedFLV.reason(MemorySource(Data())) == nil)
    }

    @Test func aFileMayEndAnywhere() throws {
        let data = Self.file([Self.metadata, Self.hevc, Self.opus])
        for count in 0..<data.count { _ = try Self.codecs(data.prefix(count)) }
        var generator = SeededGenerator(seed: 32)
        for _ in 0..<2000 { _ = try Self.codecs(data.mutated(using: &generator)) }
    }
}
