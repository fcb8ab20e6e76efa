import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoMedia

/// The boxes of encrypted segments, and the store that encrypts them.
@Suite struct ProtectedLayoutTests {
    private static let keyID = "00112233445566778899aabbccddeeff"

    private static func protection(_ scheme: EncryptionScheme, clearSegments: Int? = nil) throws -> Protection {
        Protection(
            scheme: scheme, tracks: [TrackKeyID(track: "", keyID: try #require(KeyID(keyID)))], keyURI: "/keys/{kid}",
            clearSegments: clearSegments)
    }

    private static func keys() throws -> KeySet {
        try KeySet(lines: ["\(keyID):6b65792d6f662d70726f746563743031"], name: "keys")
    }

    private static func layout(_ scheme: EncryptionScheme, _ folder: String, clear: Int? = nil) throws
        -> ProtectedLayout
    {
        try #require(try ProtectedLayout(protection(scheme, clearSegments: clear), folder: folder))
    }

    private static let entry = "moov/trak/mdia/minf/stbl/stsd"

    /// The boxes in the first sample entry: of video after 78 bytes of fields, of audio after 28.
    private static func entry(_ initSegment: Data, fields: Int) throws -> (type: String, boxes: Boxes) {
        let description = try #require(Boxes(data: initSegment).payload(entry))
        let first = try #require(Boxes.children(Data(description.dropFirst(8))).first)
        return (first.type, Boxes(data: Data(first.payload.dropFirst(fields))))
    }

    // MARK: Init segments

    @Test func anInitSegmentNamesSchemeKeyAndFormat() throws {
        let plain = FragmentWriter.initSegment(try GreyTrack().description)
        let cbcs = try Self.layout(.cbcs, "video/48p").initSegment(plain)
        let video = try Self.entry(cbcs, fields: 78)
        #expect(video.type == "encv")
        #expect(video.boxes.payload("sinf/frma") == Data("avc1".utf8))
        #expect(video.boxes.payload("sinf/schm") == Data(hex: "00000000 63626373 00010000"))
        let iv = Data(try Self.protection(.cbcs).constantIV(of: "video/48p"))
        #expect(
            video.boxes.payload("sinf/schi/tenc")
                == Data(hex: "01000000 00 19 01 00") + Data(hex: Self.keyID) + Data([16]) + iv)
        let cenc = try Self.layout(.cenc, "video/48p").initSegment(plain)
        #expect(
            try Self.entry(cenc, fields: 78).boxes.payload("sinf/schi/tenc")
                == Data(hex: "00000000 00 00 01 08") + Data(hex: Self.keyID))
    }

    @Test func audioHasNoPattern() throws {
        let plain = FragmentWriter.initSegment(InitSegmentTests.audio())
        let protected = try Self.layout(.cbcs, "audio/eng").initSegment(plain)
        let audio = try Self.entry(protected, fields: 28)
        #expect(audio.type == "enca")
        #expect(audio.boxes.payload("sinf/frma") == Data("mp4a".utf8))
        #expect(audio.boxes.payload("sinf/schi/tenc")?.prefix(8) == Data(hex: "01000000 00 00 01 00"))
    }

    @Test(arguments: [EncryptionScheme.cbcs, .cenc]) func thePlainFormOfAnInitSegmentIsTheOriginal(
        scheme: EncryptionScheme
    ) throws {
        for (plain, folder) in [
            (FragmentWriter.initSegment(try GreyTrack().description), "video/48p"),
            (FragmentWriter.initSegment(InitSegmentTests.audio()), "audio/eng"),
        ] {
            let protected = try Self.layout(scheme, folder).initSegment(plain)
            #expect(protected.count > plain.count)
            #expect(try ProtectedLayout.plainInitSegment(protected) == plain)
            #expect(try ProtectedLayout.plainInitSegment(plain) == plain)
        }
    }

    @Test func boxesOfSystemsArePassedThrough() throws {
        var protection = try Self.protection(.cenc)
        let box = try #require(Data(base64Encoded: "AAAAIHBzc2gAAAAA7e+LqXnWSs6jyCfc1R0h7QAAAAA="))
        protection.systemBoxes = [box]
        let layout = try #require(try ProtectedLayout(protection, folder: "audio/eng"))
        let protected = try layout.initSegment(FragmentWriter.initSegment(InitSegmentTests.audio()))
        #expect(Boxes(data: protected).payload("moov/pssh") == box.dropFirst(8))
    }

    // MARK: Segments

    /// The `senc` entries of a fragment: the subsamples of each sample.
    private static func maps(_ senc: Data, ivSize: Int) -> [[[Int]]] {
        var position = 8
        return (0..<senc.integer(at: 4, 4)).map { _ in
            position += ivSize
            let count = senc.integer(at: position, 2)
            position += 2
            return (0..<count).map { _ in
                defer { position += 6 }
                return [senc.integer(at: position, 2), senc.integer(at: position + 2, 4)]
            }
        }
    }

    @Test(arguments: [EncryptionScheme.cbcs, .cenc]) func aMapCoversEachSampleAndLeavesHeadersClear(
        scheme: EncryptionScheme
    ) throws {
        let track = try GreyTrack()
        let plain = try track.segment(0)
        let initSegment = FragmentWriter.initSegment(track.description)
        let protected = try Self.layout(scheme, "video/48p").segment(plain, index: 0, initSegment: initSegment)
        // The same samples, further back.
        let (before, after) = (try FragmentReader.fragments(of: plain), try FragmentReader.fragments(of: protected))
        #expect(before.map { $0.samples.map(\.size) } == after.map { $0.samples.map(\.size) })
        for (old, new) in zip(before.flatMap(\.samples), after.flatMap(\.samples)) {
            #expect(
                plain.subdata(in: old.offset..<old.offset + old.size)
                    == protected.subdata(in: new.offset..<new.offset + new.size))
        }
        let boxes = Boxes(data: protected)
        let senc = try #require(boxes.payload("moof/traf/senc"))
        let maps = Self.maps(senc, ivSize: scheme.sampleIVSize)
        let samples = try #require(after.first?.samples)
        #expect(maps.count == samples.count)
        for (map, sample) in zip(maps, samples) {
            #expect(map.reduce(0) { $0 + $1[0] + $1[1] } == sample.size)
            // Length, header of the unit, and at least two bytes of the slice header.
            #expect(map[0][0] > 7)
            if scheme == .cenc { #expect(map.allSatisfy { $0[1] % 16 == 0 }) }
        }
        // The first sample is an IDR of more than a block, whose slice header has fewer than 16 bytes.
        #expect(maps[0][0][0] < 5 + 16 + (scheme == .cenc ? 16 : 0) && maps[0][0][1] >= 16)
        // `saio` points at the first entry of `senc`.
        let moof = try #require(Boxes.children(protected).first { $0.type == "moof" })
        let offset = try #require(boxes.payload("moof/traf/saio")).integer(at: 8, 4)
        let entries = protected.subdata(in: moof.offset + offset..<moof.offset + offset + senc.count - 8)
        #expect(entries == senc.dropFirst(8))
        let sizes = try #require(boxes.payload("moof/traf/saiz"))
        #expect(sizes.integer(at: 5, 4) == samples.count)
    }

    @Test func audioOfOneVectorNeedsNoMap() throws {
        let samples = (1...3).map {
            Sample(data: Data(repeating: UInt8($0), count: 40), duration: 1024, compositionOffset: 0, isSync: true)
        }
        let plain = FragmentWriter.segment(fragments: [samples], firstSequence: 1, decodeTime: 0)
        let initSegment = FragmentWriter.initSegment(InitSegmentTests.audio())
        #expect(try Self.layout(.cbcs, "audio/eng").segment(plain, index: 0, initSegment: initSegment) == plain)
        let cenc = try Self.layout(.cenc, "audio/eng").segment(plain, index: 0, initSegment: initSegment)
        #expect(Boxes(data: cenc).payload("moof/traf/senc") == Data(hex: "00000000 00000003") + Data(count: 24))
        #expect(Boxes(data: cenc).payload("moof/traf/saiz") == Data(hex: "00000000 08 00000003"))
        let clear = try Self.layout(.cenc, "audio/eng", clear: 1).segment(plain, index: 0, initSegment: initSegment)
        #expect(Boxes(data: clear).payload("moof/traf/senc") == nil)
        #expect(
            Boxes(data: clear).payload("moof/traf/sbgp") == Data(hex: "00000000 73656967 00000001 00000003 00010001"))
    }

    @Test func clearPartsAreSplitAndEncryptedOnesEndWithTheirRange() {
        func map(_ size: Int, _ ranges: [Range<Int>], wholeBlocks: Bool) -> [[Int]] {
            SampleProtection.map(of: size, ranges, wholeBlocks: wholeBlocks).map { [$0.clear, $0.encrypted] }
        }
        #expect(map(100, [10..<100], wholeBlocks: false) == [[10, 90]])
        #expect(map(100, [10..<100], wholeBlocks: true) == [[20, 80]])
        #expect(map(100, [10..<20, 30..<90], wholeBlocks: true) == [[42, 48], [10, 0]])
        #expect(map(70_000, [69_000..<70_000], wholeBlocks: false) == [[65_535, 0], [3465, 1000]])
        #expect(map(5, [], wholeBlocks: true) == [[5, 0]])
    }

    // MARK: Encryption

    @Test(arguments: [EncryptionScheme.aes128, .cbcs, .cenc]) func theStoreEncryptsAndTheTaskSeesClearBytes(
        scheme: EncryptionScheme
    ) throws {
        let base = MemoryStore()
        let protection = try Self.protection(scheme)
        let store = EncryptingStore(base, protection, keys: try Self.keys())
        let track = try GreyTrack()
        let initSegment = FragmentWriter.initSegment(track.description)
        let layout = try ProtectedLayout(protection, folder: "video/48p")
        let plain = try track.segment(0)
        let segment = try layout?.segment(plain, index: 0, initSegment: initSegment) ?? plain
        let key: ObjectKey = "video/48p/00001.m4s"
        try store.put(segment, at: key)
        let stored = try base.get(key)
        #expect(stored != segment)
        #expect(stored.count == (scheme == .aes128 ? segment.count / 16 * 16 + 16 : segment.count))
        #expect(try store.get(key) == segment)
        #expect(
            try store.record(of: key)
                == FileRecord(key: key.rawValue, bytes: Int64(stored.count), sha256: Checksum.sha256(stored)))
        #expect(try store.size(of: key) == Int64(stored.count))
        // The same bytes, however they arrive.
        try store.put(at: "video/48p/00001-2.m4s") { write in
            for start in stride(from: 0, to: segment.count, by: 100) {
                try write(segment.subdata(in: start..<min(start + 100, segment.count)))
            }
        }
        #expect(try base.get("video/48p/00001-2.m4s") == stored)
        // Everything else is stored as it is.
        try store.put(initSegment, at: "video/48p/init.mp4")
        try store.put(Data("#EXTM3U".utf8), at: "video/48p/playlist.m3u8")
        #expect(try base.get("video/48p/init.mp4") == initSegment)
        #expect(try base.get("video/48p/playlist.m3u8") == Data("#EXTM3U".utf8))
    }

    /// One block of ten of the first slice, from the first byte after its header.
    @Test func cbcsEncryptsOneBlockOfTen() throws {
        let base = MemoryStore()
        let protection = try Self.protection(.cbcs)
        let track = try GreyTrack()
        let segment = try Self.layout(.cbcs, "video/48p").segment(
            track.segment(0), index: 0, initSegment: FragmentWriter.initSegment(track.description))
        try EncryptingStore(base, protection, keys: try Self.keys()).put(segment, at: "video/48p/00001.m4s")
        let stored = try base.get("video/48p/00001.m4s")
        let senc = try #require(Boxes(data: segment).payload("moof/traf/senc"))
        let sample = try #require(FragmentReader.fragments(of: segment).first?.samples.first)
        let clear = Self.maps(senc, ivSize: 0)[0][0][0]
        let start = sample.offset + clear
        for index in sample.offset..<sample.offset + sample.size where stored[index] != segment[index] {
            #expect(index >= start && (index - start) % 160 < 16)
        }
        #expect(stored[start..<start + 16] != segment[start..<start + 16])
    }

    @Test func whatWouldBeStoredInClearIsRefused() throws {
        let track = try GreyTrack()
        let plain = try track.segment(0)
        for scheme in [EncryptionScheme.cbcs, .cenc] {
            let base = MemoryStore()
            let store = EncryptingStore(base, try Self.protection(scheme), keys: try Self.keys())
            for key in ["video/48p/00001.m4s", "video/48p/media.mp4", "mp4/48p.mp4"] {
                let error = #expect(throws: ClairoError.self) { try store.put(plain, at: ObjectKey(key)) }
                #expect(error?.kind == .defect)
            }
            #expect(try base.list(prefix: "").isEmpty)
        }
        let store = EncryptingStore(MemoryStore(), try Self.protection(.aes128), keys: try Self.keys())
        #expect(throws: ClairoError.self) { try store.put(plain, at: "mp4/48p.mp4") }
    }

    /// Names of segments begin at 1, and a clear lead is asked for.
    @Test func onlySegmentsOfTheClearLeadAreClear() throws {
        let plain = try GreyTrack().segment(0)
        for (clear, number, isClear) in [(nil, 0, false), (nil, 1, false), (1, 0, false), (1, 1, true), (1, 2, false)] {
            let base = MemoryStore()
            let protection = try Self.protection(.aes128, clearSegments: clear)
            let key = ObjectKey("video/48p/0000\(number).m4s")
            try EncryptingStore(base, protection, keys: try Self.keys()).put(plain, at: key)
            #expect((try base.get(key) == plain) == isClear, "\(key) of \(clear ?? 0)")
        }
    }

    @Test func aMapThatLeavesALargeFragmentClearIsRefused() throws {
        let track = try GreyTrack()
        // Supplemental information only, which is never encrypted.
        let unit = Data([0, 1, 0x11, 0x70, 6]) + Data(repeating: 1, count: 69_999)
        let plain = FragmentWriter.segment(
            fragments: [[Sample(data: unit, duration: 1001, compositionOffset: 0, isSync: true)]], firstSequence: 1,
            decodeTime: 0)
        let segment = try Self.layout(.cbcs, "video/48p").segment(
            plain, index: 0, initSegment: FragmentWriter.initSegment(track.description))
        let store = EncryptingStore(MemoryStore(), try Self.protection(.cbcs), keys: try Self.keys())
        let error = #expect(throws: ClairoError.self) { try store.put(segment, at: "video/48p/00001.m4s") }
        #expect(error?.message.contains("leaves everything clear") == true)
    }

    /// A key stream is never used at two places of the same bytes.
    @Test func theSameSampleWithAnotherMapHasAnotherVector() throws {
        let track = try GreyTrack()
        let segment = try Self.layout(.cenc, "video/48p").segment(
            track.segment(0), index: 0, initSegment: FragmentWriter.initSegment(track.description))
        let moof = try #require(Boxes.children(segment).first { $0.type == "moof" })
        let saio = try #require(Boxes(data: segment).payload("moof/traf/saio"))
        let entry = moof.offset + saio.integer(at: 8, 4)
        // A block more stays clear: after the vector and the number of parts come 2 bytes and 4 bytes.
        var other = segment
        let clear = UInt8(segment.integer(at: entry + 10, 2) + 16)
        let encrypted = UInt32(segment.integer(at: entry + 12, 4) - 16)
        other.replaceSubrange(entry + 11..<entry + 12, with: [clear])
        other.replaceSubrange(entry + 12..<entry + 16, with: withUnsafeBytes(of: encrypted.bigEndian) { Data($0) })
        let base = MemoryStore()
        let store = EncryptingStore(base, try Self.protection(.cenc), keys: try Self.keys())
        try store.put(segment, at: "video/48p/00001.m4s")
        try store.put(other, at: "video/48p/00001-2.m4s")
        let vectors = try ["video/48p/00001.m4s", "video/48p/00001-2.m4s"].map {
            try base.get(ObjectKey($0)).subdata(in: entry..<entry + 8)
        }
        #expect(vectors[0] != vectors[1] && vectors[0] != Data(count: 8))
        #expect(try store.get("video/48p/00001-2.m4s") == other)
    }

    @Test(arguments: [EncryptionScheme.cbcs, .cenc]) func oneFileOfAllSegmentsIsDecryptedInParts(
        scheme: EncryptionScheme
    ) throws {
        let track = try GreyTrack()
        let initSegment = FragmentWriter.initSegment(track.description)
        let layout = try Self.layout(scheme, "video/48p")
        let segments = try (0..<2).map { index in
            let segment = try layout.segment(track.segment(index), index: index, initSegment: initSegment)
            return segment.dropFirst(try #require(FragmentReader.fragments(of: segment).first).offset)
        }
        let head =
            FragmentWriter.selfInitializing(try layout.initSegment(initSegment))
            + SegmentIndex.box(segments.map { .init(bytes: $0.count, ticks: 1001) }, timescale: 24_000)
        let clear = segments.reduce(head, +)
        let base = MemoryStore()
        let store = EncryptingStore(base, try Self.protection(scheme), keys: try Self.keys())
        let key: ObjectKey = "video/48p/media.mp4"
        try store.put(at: key, length: Int64(clear.count)) { write in
            for start in stride(from: 0, to: clear.count, by: 1000) {
                try write(clear.subdata(in: start..<min(start + 1000, clear.count)))
            }
        }
        let stored = try base.get(key)
        #expect(stored.count == clear.count && stored.prefix(head.count) == head && stored != clear)
        for _ in 0..<2 {
            // As it was written, then as it is read again.
            #expect(
                try store.record(of: key)
                    == FileRecord(key: key.rawValue, bytes: Int64(stored.count), sha256: Checksum.sha256(stored)))
        }
        let file = try store.open(key)
        #expect(file.size == Int64(clear.count))
        let second = head.count + segments[0].count
        for range in [0..<clear.count, second..<clear.count, head.count - 3..<head.count + 3, second - 1..<second + 40]
        {
            #expect(try file.part(at: Int64(range.lowerBound), count: range.count) == clear.subdata(in: range))
        }
        // A file that is shorter than its index says.
        try base.put(stored.dropLast(), at: key)
        let error = #expect(throws: ClairoError.self) { try store.open(key) }
        #expect(error?.exitCode == .badMedia)
    }

    @Test func aDamagedFragmentIsAnErrorAndNoTrap() throws {
        let track = try GreyTrack()
        let segment = try Self.layout(.cenc, "video/48p").segment(
            track.segment(0), index: 0, initSegment: FragmentWriter.initSegment(track.description))
        let store = EncryptingStore(MemoryStore(), try Self.protection(.cenc), keys: try Self.keys())
        var random = SeededGenerator(seed: 1)
        let header = segment.prefix(2000).count
        for _ in 0..<500 {
            var damaged = segment
            for _ in 0..<3 {
                damaged[Int.random(in: 0..<header, using: &random)] = .random(in: 0...255, using: &random)
            }
            do throws(ClairoError) { try store.put(damaged, at: "video/48p/00001.m4s") } catch {
                #expect(error.kind == .defect)
            }
        }
    }

    // MARK: Playlists

    @Test func keysBeginAfterTheClearSegments() throws {
        let playlist =
            "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:1.0,\n00001.m4s\n#EXTINF:1.0,\n00002.m4s\n#EXT-X-ENDLIST\n"
        let tag =
            "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"/keys/\(Self.keyID)\",KEYID=0x\(Self.keyID)"
            + ",KEYFORMAT=\"identity\",KEYFORMATVERSIONS=\"1\"\n"
        for (clear, before) in [(0, "#EXTINF:1.0,\n00001"), (1, "#EXTINF:1.0,\n00002")] {
            let protection = try Self.protection(.cenc, clearSegments: clear)
            let protected = ProtectionSignalling.addKeys(protection, to: playlist, at: "video/48p/playlist.m3u8")
            #expect(protected == playlist.replacing(before, with: tag + before))
            #expect(ProtectionSignalling.addKeys(protection, to: playlist, at: "text/eng/playlist.m3u8") == playlist)
        }
    }
}
