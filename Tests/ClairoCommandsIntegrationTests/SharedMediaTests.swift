import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Every file of the shared folder of real, unusual and damaged media must give either an output that verifies, or exit
/// code 65 with a message that names the file. It must never crash, hang, or silently produce a short output.
@Suite(.sharesMachine, .enabled(if: MediaFolder.shared != nil, "there is no ../shared/media and no CLAIRO_TEST_MEDIA"))
struct SharedMediaTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let entries = (try? MediaFolder.shared?.entries()) ?? []

    /// The files that must be refused, each with a part of the expected message. Everything else must be transcoded.
    static let refused: [String: String] = [
        // Encrypted: cannot be decoded without a key.
        "broken/androidx_clearkey_encrypted.mp4": "not a media file",
        "broken/androidx_widevine_encrypted.mp4": "not a media file",
        "broken/mp4parse_short-cenc.mp4": "can be decoded",
        // Other files with the name of a media file.
        "broken/gen_dash_ssrf.mp4": "a playlist, a script",
        "broken/gen_ffconcat_sibling.mp4": "a playlist, a script",
        "broken/gen_hls_sibling.mp4": "a playlist, a script",
        "broken/gen_empty.mp4": "is empty",
        "broken/gen_html.mp4": "not a media file",
        "broken/gen_svg.mp4": "not a media file",
        "broken/gen_text.mp4": "not a media file",
        "edge/motionphoto.jpg": "an image",
        // Decompression bombs.
        "broken/gen_bomb_duration.mp4": "longer than the limit",
        "broken/gen_stts_huge_count.mp4": "not a media file",
        // Truncated or without content.
        "broken/gen_no_moov.mp4": "ends before its index",
        "broken/gen_trunc_1pct_mdn_frog.mp4": "can be decoded",
        "broken/gen_trunc_25pct_mdn_frog.mp4": "1153364 bytes are missing",
        "broken/gen_trunc_99pct_mdn_frog.mp4": "15379 bytes are missing",
        "broken/gen_trunc_faststart_50.mp4": "73668 bytes are missing",
        "broken/gen_trunc_last_byte.mp4": "1 byte is missing",
        "broken/libwebm_block_ends_beyond_cluster.mkv": "bytes are missing",
        "broken/libwebm_primarychromaticity_fieldtoolarge.webm": "not a media file",
        "broken/mp4ff_init_only.mp4": "neither video nor audio",
        "broken/mp4parser_sans_mdat.mp4": "neither video nor audio",
        "broken/pymediainfo_sample.mkv": "not a media file",
        "edge/smallest.mp4": "neither video nor audio",
        // Too damaged to be accepted.
        "broken/gen_flip_1000.ts": "damaged",
        "broken/gen_flip_2000.mp4": "is damaged",
        "broken/libwebm_invalid_vp9_bitstream-bug_1417.webm": "can be decoded",
        "broken/mp4parse_1185230.mp4": "can be decoded",
        // Codecs that libav 5.1 does not support.
        "edge/ac4.mp4": "cannot be decoded",
        "edge/iamf.mp4": "cannot be decoded",
        "edge/xhe_aac.mp4": "cannot be decoded",
    ]

    @Test func everyFileInTheTableExists() {
        let names = Set(Self.entries.map(\.name))
        #expect(Self.refused.keys.filter { !names.contains($0) }.sorted() == [])
        #expect(names.count > 100)
    }

    @Test(arguments: entries)
    func everyFileIsTranscodedOrRefusedWithItsReason(_ entry: MediaFolder.Entry) async throws {
        let source = try #require(MediaFolder.shared).path(entry.name)
        let out = scratch.path("out")
        // One small rendition: decodes the whole source and the whole output. One minute of a file with six.
        let excerpt = entry.name == "edge/long_180p_av1.mp4" ? ["--duration", "60"] : []
        let outcome = try await ClairoProcess.run(
            arguments: [
                "transcode", source, "-o", out, "--preset", "ultrafast", "--heights", "144", "--progress", "none",
            ] + excerpt)
        #expect(outcome.signal == nil)
        if let reason = Self.refused[entry.name] {
            #expect(outcome.status == 65, "\(entry.why): \(outcome)")
            #expect(outcome.errors.contains(reason), "\(outcome.errors)")
            #expect(outcome.errors.contains((entry.name as NSString).lastPathComponent), "\(outcome.errors)")
            #expect(outcome.text == "")
            #expect(!FileManager.default.fileExists(atPath: out + "/master.m3u8"))
        } else {
            #expect(outcome.status == 0, "\(entry.why): \(outcome)")
            #expect(outcome.text.contains("checks passed"))
        }
    }

    /// The files that these playlists name contain media: if one were opened, there would be an output.
    @Test(arguments: ["broken/gen_hls_sibling.mp4", "broken/gen_ffconcat_sibling.mp4"])
    func aDisguisedPlaylistOpensNoOtherFile(name: String) async throws {
        let folder = try #require(MediaFolder.shared)
        #expect(FileManager.default.fileExists(atPath: folder.path("broken/gen_trunc_victim.ts")))
        for command in ["probe", "plan"] {
            let outcome = try await ClairoProcess.run(command, folder.path(name))
            #expect(outcome.status == 65 && outcome.text == "")
        }
    }
}
