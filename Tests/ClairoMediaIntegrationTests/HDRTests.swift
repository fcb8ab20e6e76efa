import ClairoCore
import ClairoMedia
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// HDR of the source is kept in 10 bits beside a ladder in SDR.
@Suite(.sharesMachine) struct HDRTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private static func clip(transfer: String, parameters: String = "") -> Clip {
        Clip(
            seconds: 1, audio: .none,
            options: [
                "-c:v", "libx265", "-preset", "ultrafast", "-pix_fmt", "yuv420p10le", "-tag:v", "hvc1",
                "-color_primaries", "bt2020", "-color_trc", transfer, "-colorspace", "bt2020nc", "-x265-params",
                "log-level=error:repeat-headers=1\(parameters)",
            ])
    }

    /// BT.2020 with white D65 and 1000 cd/m².
    private static let hdr10 = clip(
        transfer: "smpte2084",
        parameters: ":master-display=G(8500,39850)B(6550,2300)R(35400,14600)WP(15635,16450)L(10000000,50)"
            + ":max-cll=900,250")

    private static let settings = TranscodeSettings.quick.with {
        $0.codecs = [.h264, .hevc, .av1]
        $0.formats = [.hls, .dash]
    }

    /// The first frame of a rung, as ffprobe decodes it.
    private func firstFrame(_ output: Transcoded, _ rung: Rung) async throws -> [String: String] {
        let joined = scratch.path("\(rung.id).mp4")
        let parts = try [rung.initKey, rung.segmentKey(0)].map {
            try Data(contentsOf: URL(fileURLWithPath: output.path($0)))
        }
        try parts.reduce(Data(), +).write(to: URL(fileURLWithPath: joined))
        return try #require(try await Oracle.probe(joined, "frames", "-read_intervals", "%+#1").first)
    }

    private func initSegment(_ output: Transcoded, _ rung: Rung) throws -> Data {
        try Data(contentsOf: URL(fileURLWithPath: output.path(rung.initKey)))
    }

    @Test func hdr10KeepsItsMetadataInBoxAndBitstream() async throws {
        let source = try await Self.hdr10.make()
        let info = try await probe(source)
        #expect(info.primaryVideo?.contentLight == ContentLight(maxContent: 900, maxFrameAverage: 250))
        #expect(info.primaryVideo?.masteringDisplay?.maxLuminance == 10_000_000)
        #expect(!info.warnings.contains { $0.code == .colorContradiction })

        let output = try await Transcoded(source, into: scratch.path("out"), settings: Self.settings)
        #expect(output.manifest.state == .complete)
        #expect(output.rungs.map(\.id) == ["180p", "180p-hevc", "180p-hevc-hdr", "180p-av1", "180p-av1-hdr"])
        let display =
            Data("mdcv".utf8) + Data([0x21, 0x34, 0x9B, 0xAA, 0x19, 0x96, 0x08, 0xFC, 0x8A, 0x48, 0x39, 0x08])
            + Data([0x3D, 0x13, 0x40, 0x42, 0x00, 0x98, 0x96, 0x80, 0, 0, 0, 50])
        let light = Data("clli".utf8) + Data([0x03, 0x84, 0x00, 0xFA])
        for rung in output.rungs {
            let frame = try await firstFrame(output, rung)
            let box = try initSegment(output, rung)
            let isHDR = rung.dynamicRange == .hdr10
            #expect(frame["pix_fmt"] == (rung.bitDepth == 10 ? "yuv420p10le" : "yuv420p"), "\(rung.id)")
            #expect(frame["color_transfer"] == (isHDR ? "smpte2084" : "bt709"), "\(rung.id)")
            #expect(frame["color_primaries"] == (isHDR ? "bt2020" : "bt709"), "\(rung.id)")
            #expect((box.range(of: display) != nil) == isHDR, "\(rung.id)")
            #expect((box.range(of: light) != nil) == isHDR, "\(rung.id)")
            let metadata = frame["side_data_list"] ?? ""
            #expect(metadata.contains("Mastering display metadata") == isHDR, "\(rung.id)")
            #expect(metadata.contains("Content light level metadata") == isHDR, "\(rung.id)")
            #expect(!isHDR || metadata.contains("900"), "\(rung.id)")
        }
        let master = try String(contentsOfFile: output.master, encoding: .utf8)
        #expect(master.contains("VIDEO-RANGE=PQ") && master.contains("VIDEO-RANGE=SDR"))
        #expect(master.contains("hvc1.2.4.L") && master.contains(".10.0.11"))
    }

    @Test func hlgKeepsItsTransferFunction() async throws {
        let source = try await Self.clip(transfer: "arib-std-b67").make()
        let settings = Self.settings.with { $0.codecs = [.hevc] }
        let output = try await Transcoded(source, into: scratch.path("out"), settings: settings)
        // The ladder in SDR is made in the codec that was asked for.
        #expect(output.rungs.map(\.id) == ["180p-hevc", "180p-hevc-hdr"])
        let hdr = try #require(output.rungs.last)
        #expect(try await firstFrame(output, hdr)["color_transfer"] == "arib-std-b67")
        #expect(try String(contentsOfFile: output.master, encoding: .utf8).contains("VIDEO-RANGE=HLG"))
    }

    @Test func theSettingDecidesWhetherHDRIsKept() async throws {
        let source = try await Self.hdr10.make()
        let bytes = try FileByteSource(path: source.path)
        func plan(_ codecs: [VideoCodec], _ mode: HDRMode) async throws -> [String] {
            let settings = TranscodeSettings.quick.with { ($0.codecs, $0.hdr) = (codecs, mode) }
            return try await onDedicatedThread(name: "test plan") {
                let scan = try SourceAnalyzer(source: bytes, name: "hdr.mp4").scan()
                return try TranscodePlanner.plan(
                    scan: scan, fingerprint: SourceFingerprint(name: "hdr.mp4", size: 1, identity: "00"),
                    settings: settings
                ).video?.rungs.map(\.id) ?? []
            }
        }
        #expect(try await plan([.h264], .auto) == ["180p"])
        #expect(try await plan([.h264, .hevc], .sdr) == ["180p", "180p-hevc"])
        #expect(try await plan([.h264, .hevc], .keep) == ["180p", "180p-hevc", "180p-hevc-hdr"])
        let error = await #expect(throws: ClairoError.self) { try await plan([.h264], .keep) }
        #expect(error?.advice?.contains("--codec") == true)
    }
}
