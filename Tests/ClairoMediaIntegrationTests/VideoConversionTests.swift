import ClairoCore
import ClairoMedia
import ClairoTestSupport
import Foundation
import Testing

/// Output frames are upright, with square pixels, progressive, and in the colours that players expect.
@Suite(.sharesMachine) struct VideoConversionTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let colors: [String: [Int]] = [
        "red": [255, 0, 0], "green": [0, 255, 0], "blue": [0, 0, 255], "white": [255, 255, 255],
    ]

    private static func name(of pixel: [UInt8]) -> String? {
        func distance(_ color: [Int]) -> Int { zip(color, pixel).reduce(0) { $0 + abs($1.0 - Int($1.1)) } }
        return colors.min { distance($0.value) < distance($1.value) }.flatMap {
            distance($0.value) < 150 ? $0.key : nil
        }
    }

    /// Colours of the quarters: top left, top right, bottom left, bottom right.
    private func quarters(_ path: String) async throws -> [String?] {
        let pixels = try await Oracle.firstFrame(path, width: 4, height: 4)
        return [0, 3, 12, 15].map { Self.name(of: pixels[$0]) }
    }

    // MARK: Orientation and aspect ratio

    struct Rotation: CustomTestStringConvertible, Sendable {
        var testDescription: String
        var matrix: DisplayMatrix
        var orientation: Orientation

        /// The position of each quarter of the stored frame, from the matrix.
        var quarters: [String] {
            let stored = [(-1, -1, "red"), (1, -1, "green"), (-1, 1, "blue"), (1, 1, "white")]
            var shown = ["", "", "", ""]
            for (x, y, color) in stored {
                let right = Int(matrix.a) * x + Int(matrix.c) * y > 0
                let below = Int(matrix.b) * x + Int(matrix.d) * y > 0
                shown[(below ? 2 : 0) + (right ? 1 : 0)] = color
            }
            return shown
        }
    }

    static let rotations = [
        Rotation(
            testDescription: "by 90 degrees", matrix: DisplayMatrix(a: 0, b: 1, c: -1, d: 0),
            orientation: Orientation(rotation: 90, isMirrored: false)),
        Rotation(
            testDescription: "by 180 degrees", matrix: DisplayMatrix(a: -1, b: 0, c: 0, d: -1),
            orientation: Orientation(rotation: 180, isMirrored: false)),
        Rotation(
            testDescription: "by 270 degrees", matrix: DisplayMatrix(a: 0, b: -1, c: 1, d: 0),
            orientation: Orientation(rotation: 270, isMirrored: false)),
        Rotation(
            testDescription: "mirrored", matrix: DisplayMatrix(a: -1, b: 0, c: 0, d: 1),
            orientation: Orientation(rotation: 0, isMirrored: true)),
        Rotation(
            testDescription: "upside down", matrix: DisplayMatrix(a: 1, b: 0, c: 0, d: -1),
            orientation: Orientation(rotation: 180, isMirrored: true)),
        Rotation(
            testDescription: "mirrored and by 90 degrees", matrix: DisplayMatrix(a: 0, b: -1, c: -1, d: 0),
            orientation: Orientation(rotation: 90, isMirrored: true)),
        Rotation(
            testDescription: "mirrored and by 270 degrees", matrix: DisplayMatrix(a: 0, b: 1, c: 1, d: 0),
            orientation: Orientation(rotation: 270, isMirrored: true)),
    ]

    @Test(arguments: rotations)
    func aRotatedFrameBecomesUpright(_ rotation: Rotation) async throws {
        let source = try await Clip(seconds: 1, video: .quarters, matrix: rotation.matrix).make()
        let info = try await probe(source)
        #expect(info.primaryVideo?.orientation == rotation.orientation)
        let output = try await Transcoded(source, into: scratch.path("out"))
        let size =
            rotation.orientation.swapsSides ? FrameSize(width: 180, height: 320) : FrameSize(width: 320, height: 180)
        let rung = try #require(output.rungs.first)
        #expect(rung.size == size)
        #expect(try await quarters(output.path(rung.mp4Key)) == rotation.quarters)
        #expect(try await quarters(output.folder + "/poster.jpg") == rotation.quarters)
    }

    @Test(arguments: [
        (180, 320, FrameSize(width: 180, height: 320)), (240, 240, FrameSize(width: 240, height: 240)),
        (427, 239, FrameSize(width: 426, height: 238)), (241, 427, FrameSize(width: 240, height: 426)),
        (18, 16, FrameSize(width: 18, height: 16)),
    ])
    func everyAspectRatioIsPreserved(width: Int, height: Int, expected: FrameSize) async throws {
        let source = try await Clip(
            width: width, height: height, seconds: 1, video: .quarters, options: ["-pix_fmt", "yuv444p"]
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        let rung = try #require(output.rungs.first)
        #expect(rung.size == expected)
        #expect(try await quarters(output.path(rung.mp4Key)) == ["red", "green", "blue", "white"])
    }

    @Test func everyRungHasTheSameAspectRatio() async throws {
        let source = try await Clip(width: 1280, height: 720, seconds: 1, video: .quarters, options: ["-g", "1"])
            .make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.rungs.map(\.id) == ["720p", "480p", "360p", "240p"])
        for rung in output.rungs {
            #expect(abs(Double(rung.size.width) / Double(rung.size.height) - 16 / 9) < 0.01)
            let stream = try await Oracle.probe(output.path(rung.mp4Key), "streams", "-select_streams", "v").first
            #expect(stream?["width"] == "\(rung.size.width)" && stream?["height"] == "\(rung.size.height)")
            #expect(try await quarters(output.path(rung.mp4Key)) == ["red", "green", "blue", "white"])
        }
    }

    @Test func nonSquarePixelsBecomeSquare() async throws {
        let source = try await Clip(width: 360, height: 288, seconds: 1, video: .quarters, filter: "setsar=16/11")
            .make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        let rung = try #require(output.rungs.first)
        #expect(abs(Double(rung.size.width) - 360 * 16 / 11) <= 2)
        #expect(rung.size.height == 288)
        let stream = try await Oracle.probe(output.path(rung.mp4Key), "streams", "-select_streams", "v").first
        #expect([nil, "1:1"].contains(stream?["sample_aspect_ratio"]))
        #expect(try await quarters(output.path(rung.mp4Key)) == ["red", "green", "blue", "white"])
    }

    @Test func aStillImageStaysRecognisable() async throws {
        // One key frame and little else: the source's bit rate says nothing about the rate needed for a key frame every
        // two seconds.
        let source = try await Clip(
            width: 1280, height: 720, seconds: 6, video: .quarters, options: ["-g", "250", "-preset", "medium"]
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        var found: [String: [String?]] = [:]
        for rung in output.rungs { found[rung.id] = try await quarters(output.path(rung.mp4Key)) }
        for (name, colors) in found { #expect(colors == ["red", "green", "blue", "white"], "\(name)") }
    }

    // MARK: Interlacing

    /// How much more adjacent lines differ than lines of the same field: above 1 if two fields are interleaved.
    private func combing(_ path: String) async throws -> Double {
        let (width, height) = (320, 180)
        let bytes = [UInt8](
            try await Oracle.frames(
                path, filter: "scale=\(width):\(height):flags=neighbor", format: "gray",
                options: ["-ss", "1", "-frames:v", "10"]))
        var neighbours = 1
        var field = 1
        for start in stride(from: 0, to: bytes.count, by: width * height) {
            for y in 0..<height - 2 {
                for x in stride(from: 0, to: width, by: 2) {
                    let at = start + y * width + x
                    neighbours += abs(Int(bytes[at]) - Int(bytes[at + width]))
                    field += abs(Int(bytes[at]) - Int(bytes[at + 2 * width]))
                }
            }
        }
        return Double(neighbours) / Double(field)
    }

    @Test(arguments: ["top", "bottom"])
    func interlacedVideoIsDeinterlaced(first: String) async throws {
        let bar = "color=black:s=320x180:r=50:d=3,drawbox=x='mod(t*300,280)':y=0:w=40:h=ih:c=white:t=fill"
        let order = first == "top" ? "tff" : "bff"
        let source = try await Clip(
            seconds: 3, video: .graph(bar),
            filter:
                "geq=lum='if(between(mod(N*6,280)-X,-40,0),235,16)':cb=128:cr=128,tinterlace=interleave_\(first),setfield=\(order)",
            options: ["-c:v", "mpeg2video", "-q:v", "2", "-flags", "+ildct+ilme", "-g", "12"], suffix: "ts"
        ).make()
        #expect(try await combing(source.path) > 1.5)
        let info = try await probe(source)
        #expect(info.primaryVideo?.isInterlaced == true)
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.plan.video?.deinterlace == true)
        let rung = try #require(output.rungs.first)
        let stream = try await Oracle.probe(output.path(rung.mp4Key), "streams", "-select_streams", "v").first
        #expect([nil, "progressive"].contains(stream?["field_order"]))
        #expect(try await combing(output.path(rung.mp4Key)) < 1.1)
        #expect(output.plan.video?.grid.frameCount == 75)
    }

    // MARK: Colour

    /// Raw luma in the middle of the left and right halves of the first frame.
    private func halves(_ path: String) async throws -> (left: Int, right: Int) {
        let bytes = [UInt8](
            try await Oracle.frames(path, format: "yuv420p", options: ["-frames:v", "1"]).prefix(320 * 180))
        return (Int(bytes[90 * 320 + 80]), Int(bytes[90 * 320 + 240]))
    }

    @Test func fullRangeVideoBecomesLimitedRange() async throws {
        let source = try await Clip(
            seconds: 1, video: .graph("color=black:s=320x180:r=25:d=1,drawbox=x=iw/2:w=iw/2:h=ih:c=white:t=fill"),
            filter: "scale=out_range=pc,format=yuvj420p", options: ["-pix_fmt", "yuvj420p", "-color_range", "pc"]
        ).make()
        #expect(try await probe(source).primaryVideo?.color.isFullRange == true)
        let output = try await Transcoded(source, into: scratch.path("out"))
        let file = output.path(try #require(output.rungs.first).mp4Key)
        let (black, white) = try await halves(file)
        #expect(abs(black - 16) <= 2 && abs(white - 235) <= 2, "black \(black), white \(white)")
        let stream = try await Oracle.probe(file, "streams", "-select_streams", "v").first
        #expect(stream?["color_range"] != "pc" && stream?["pix_fmt"] == "yuv420p")
    }

    @Test(arguments: ["smpte2084", "arib-std-b67"])
    func highDynamicRangeIsToneMapped(transfer: String) async throws {
        // Reference white: 58 % of the PQ signal, 75 % of the HLG signal (ITU-R BT.2408).
        let white = transfer == "smpte2084" ? 572 : 721
        let source = try await Clip(
            seconds: 1, video: .graph("color=black:s=320x180:r=25:d=1,format=yuv420p10le"),
            filter: "geq=lum='if(lt(X,W/2),64,\(white))':cb=512:cr=512",
            options: [
                "-c:v", "libx265", "-pix_fmt", "yuv420p10le", "-color_primaries", "bt2020", "-color_trc", transfer,
                "-colorspace", "bt2020nc", "-x265-params",
                "log-level=error:colorprim=bt2020:transfer=\(transfer):colormatrix=bt2020nc", "-tag:v", "hvc1",
            ]
        ).make()
        let output = try await Transcoded(source, into: scratch.path("out"))
        #expect(output.plan.video?.toneMap == true)
        let file = output.path(try #require(output.rungs.first).mp4Key)
        let stream = try await Oracle.probe(file, "streams", "-select_streams", "v").first
        #expect(stream?["color_transfer"] == "bt709")
        #expect(stream?["color_primaries"] == "bt709")
        #expect(stream?["color_space"] == "bt709")
        #expect(stream?["pix_fmt"] == "yuv420p")
        let (dark, bright) = try await halves(file)
        #expect(dark <= 20, "black became \(dark)")
        #expect((145...240).contains(bright), "reference white became \(bright)")
        let master = try String(contentsOfFile: output.master, encoding: .utf8)
        #expect(!master.contains("VIDEO-RANGE=PQ") && !master.contains("VIDEO-RANGE=HLG"))
    }

    @Test func tenBitVideoBecomesEightBit() async throws {
        let output = try await Transcoded(
            Clip(seconds: 1, video: .quarters, options: ["-pix_fmt", "yuv420p10le"]).make(), into: scratch.path("out")
        )
        let file = output.path(try #require(output.rungs.first).mp4Key)
        let stream = try await Oracle.probe(file, "streams", "-select_streams", "v").first
        #expect(stream?["pix_fmt"] == "yuv420p" && stream?["profile"]?.contains("10") == false)
        #expect(try await quarters(file) == ["red", "green", "blue", "white"])
    }

    // MARK: Privacy

    @Test(arguments: ["mov", "mkv"])
    func metadataTagsNeverReachAnOutput(suffix: String) async throws {
        let secrets = ["+48.8577+002.295", "Aunt-Agatha", "Phone-of-Bertie", "Totleigh-Towers", "Gussie-Chapter"]
        let chapters = try scratch.write(
            """
            ;FFMETADATA1
            [CHAPTER]
            TIMEBASE=1/1
            START=0
            END=2
            title=Gussie-Chapter

            """, to: "chapters.txt")
        let plain = try await Clip(suffix: suffix).make()
        let tagged = scratch.url("tagged.\(suffix)")
        _ = try await ChildProcess(
            "ffmpeg",
            [
                "-v", "error", "-i", plain.path, "-i", chapters, "-map", "0", "-map_chapters", "1", "-c", "copy",
                "-metadata", "location=+48.8577+002.295/", "-metadata", "title=Aunt-Agatha", "-metadata",
                "comment=Phone-of-Bertie", "-metadata", "artist=Totleigh-Towers", "-metadata:s:v", "title=Aunt-Agatha",
                "-metadata:s:v", "handler_name=Totleigh-Towers", "-movflags", "use_metadata_tags", tagged.path,
            ]
        ).outcome()
        let source = try Data(contentsOf: tagged)
        for secret in secrets where suffix == "mkv" || secret != "Gussie-Chapter" {
            #expect(source.range(of: Data(secret.utf8)) != nil, "the source lacks \(secret)")
        }
        let output = try await Transcoded(tagged, into: scratch.path("out"))
        for (name, bytes) in try contents(below: output.folder) {
            for secret in secrets { #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(secret) is in \(name)") }
        }
    }
}
