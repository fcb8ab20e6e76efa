import ClairoCore
import Foundation
import Testing

@Suite struct KeySetTests {
    private static let ids = ["00112233445566778899aabbccddeeff", "102132435465768798a9bacbdcedfe0f"]
    private static let keys = ["0f0e0d0c0b0a09080706050403020100", "1f1e1d1c1b1a19181716151413121110"]

    @Test func aKeyFileHasOneKeyForAllOrKeysForTracks() throws {
        let one = try KeySet(lines: ["# for all", "", "\(Self.ids[0]):\(Self.keys[0])"], name: "keys")
        #expect(one.tracks.map(\.track) == [""])
        #expect(one[try #require(KeyID(Self.ids[0]))]?.revealed == Self.keys[0])
        let lines = ["video/1080p \(Self.ids[0].uppercased()):\(Self.keys[0])", "video \(Self.ids[1]):\(Self.keys[1])"]
        let two = try KeySet(lines: lines, name: "keys")
        #expect(two.tracks.map(\.track) == ["video/1080p", "video"])
        // What is printed can be read again.
        let printed = two.revealed.split(separator: "\n").map(String.init)
        #expect(try KeySet(lines: printed, name: "keys") == two)
    }

    @Test func theMostSpecificKeyOfATrackIsUsed() throws {
        let protection = Protection(
            scheme: .cbcs,
            tracks: [
                TrackKeyID(track: "", keyID: try #require(KeyID(Self.ids[0]))),
                TrackKeyID(track: "video/1080p", keyID: try #require(KeyID(Self.ids[1]))),
            ], keyURI: "https://keys.example/{kid}")
        #expect(protection.keyID(of: "video/1080p")?.description == Self.ids[1])
        #expect(protection.keyID(of: "video/720p")?.description == Self.ids[0])
        #expect(protection.keyID(of: "audio/eng-aac-128k")?.description == Self.ids[0])
        #expect(protection.uri(of: try #require(KeyID(Self.ids[0]))) == "https://keys.example/\(Self.ids[0])")
        #expect(protection.licenceURI == "https://keys.example")
        #expect(protection.constantIV(of: "video/1080p") != protection.constantIV(of: "video/720p"))
    }

    @Test(arguments: [
        "", "# nothing", "00112233445566778899aabbccddeeff", "00112233445566778899aabbccddeeff:0f0e",
        "text 00112233445566778899aabbccddeeff:0f0e0d0c0b0a09080706050403020100",
        "video/ 00112233445566778899aabbccddeeff:0f0e0d0c0b0a09080706050403020100",
        "00112233445566778899aabbccddeeff=0f0e0d0c0b0a09080706050403020100",
        "a b 00112233445566778899aabbccddeeff:0f0e0d0c0b0a09080706050403020100",
    ])
    func anInvalidKeyFileIsRefusedWithoutShowingIt(line: String) {
        let error = #expect(throws: ClairoError.self) { try KeySet(lines: [line], name: "keys.txt") }
        #expect(error?.exitCode == .configuration)
        #expect(error?.description.contains("0f0e0d0c") == false)
    }

    @Test func aTrackOrIdWithTwoKeysIsRefused() {
        let line = "\(Self.ids[0]):\(Self.keys[0])"
        #expect(throws: ClairoError.self) { try KeySet(lines: [line, line], name: "keys") }
        #expect(throws: ClairoError.self) {
            try KeySet(lines: [line, "video \(Self.ids[0]):\(Self.keys[1])"], name: "keys")
        }
    }

    @Test func descriptionsShowNoKey() throws {
        let key = try #require(ContentKey(hexadecimal: Self.keys[0]))
        let secret = try MasterSecret("0123456789abcdef0123456789abcdef")
        var text = "\(key) \(secret)"
        dump(key, to: &text)
        dump(secret, to: &text)
        debugPrint(key, secret, to: &text)
        #expect(!text.contains(Self.keys[0]) && !text.contains("0123"))
    }

    /// HKDF-SHA256, computed with Python's hmac.
    @Test func keysDeriveFromTheSecretAndTheVideo() throws {
        let secret = try MasterSecret("0123456789abcdef0123456789abcdef")
        let video = try #require(VideoID("018f0000-0000-7000-8000-000000000001"))
        let keys = secret.keys(of: video)
        #expect(
            keys.revealed == """
                video 98e1b200517888359ce656ecf15c8132:548b5e47251b684e1ea7394f11c92c23
                audio a4b0b55c9c3c86fbba849be4e5e09d4b:b6044dd0714121fa08e2f5a7bd2cbb57

                """)
        #expect(keys == secret.keys(of: video))
        let other = try #require(VideoID("018f0000-0000-7000-8000-000000000002"))
        #expect(keys.tracks != secret.keys(of: other).tracks)
        #expect(throws: ClairoError.self) { try MasterSecret("short") }
    }

    @Test(
        arguments: [
            ("video/720p/00001.m4s", "video/720p"), ("audio/eng/init-2.mp4", "audio/eng"),
            ("mp4/720p.mp4", "mp4/720p.mp4"),
            ("video/720p/media.mp4", "video/720p"), ("video/720p/playlist.m3u8", nil), ("text/eng/00001.vtt", nil),
            ("images/storyboard/00001.jpg", nil), ("poster.jpg", nil), ("clairo.json", nil),
        ] as [(String, String?)])
    func onlyMediaIsEncrypted(key: String, folder: String?) {
        #expect(Protection.protectedFolder(of: ObjectKey(key)) == folder)
    }
}
