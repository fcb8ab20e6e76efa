import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// Patches of known RGB through sources of every kind of colour: to each rung as ffmpeg decodes it, and to what a
/// browser shows.
@Suite(.sharesMachine) struct ColorPatchTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    static let hd = FrameSize(width: 1280, height: 720)
    static let sd = FrameSize(width: 640, height: 360)

    /// A way to store the patches of `FaultExpectation.palette`.
    struct Source: Sendable, CustomTestStringConvertible {
        var testDescription: String
        var size: FrameSize
        /// Make the stored frames of RGB frames, and tag them.
        var filters: [String]
        /// The codec and its options.
        var options = ["-crf", "2"]
        var suffix = "mp4"
        /// The opacity of the patches, from 0 to 255; nil for none.
        var opacity: Double?
        /// The matrix of every rung, in ffprobe's words.
        var matrix: String

        /// What a viewer sees.
        var colors: [[Double]] {
            FaultExpectation.palette.map { color in color.map { $0 * (opacity ?? 255) / 255 } }
        }

        var clip: Clip {
            let components: [String] = (0..<3).map { component in
                let places = FaultExpectation.palette.indices
                return places.map { place in
                    "\(Int(FaultExpectation.palette[place][component]))*eq(X+4*Y,\(place))"
                }.joined(separator: "+")
            }
            let alpha = opacity.map { ":a=\(Int($0))" } ?? ""
            let patches =
                "nullsrc=s=4x2:r=25:d=0.4,format=\(opacity == nil ? "gbrp" : "gbrap"),"
                + "geq=r='\(components[0])':g='\(components[1])':b='\(components[2])'\(alpha),"
                + "scale=\(size.width):\(size.height):flags=neighbor,setsar=1"
            return Clip(
                width: size.width, height: size.height, seconds: 0.4, video: .graph(patches), audio: .none,
                filter: filters.joined(separator: ","), options: options, suffix: suffix)
        }
    }

    /// Converts RGB with a matrix of swscale's.
    private static func converted(_ matrix: String, _ format: String = "yuv420p", range: String = "tv") -> String {
        "scale=flags=accurate_rnd+full_chroma_int+full_chroma_inp:out_color_matrix=\(matrix):out_range=\(range),"
            + "format=\(format)"
    }

    /// Tags frames. Primaries and transfer characteristics have the same name as the matrix unless given.
    private static func tagged(
        _ matrix: String, primaries: String? = nil, transfer: String? = nil, range: String = "tv"
    ) -> String {
        "setparams=colorspace=\(matrix):color_primaries=\(primaries ?? matrix):color_trc=\(transfer ?? matrix)"
            + ":range=\(range)"
    }

    private static let untagged = tagged("unknown", range: "unknown")

    // MARK: Sources

    static let taggedHD = Source(
        testDescription: "BT.709", size: hd, filters: [converted("bt709"), tagged("bt709")], matrix: "bt709")

    static let with625Lines = Source(
        testDescription: "BT.601 with 625 lines", size: sd,
        filters: [converted("smpte170m"), tagged("bt470bg", primaries: "bt470bg", transfer: "smpte170m")],
        matrix: "bt470bg")

    static let untaggedSD = Source(
        testDescription: "untagged SD", size: sd, filters: [converted("smpte170m"), untagged], matrix: "smpte170m")

    static let sources: [Source] = [
        taggedHD,
        Source(
            testDescription: "BT.709 in SD", size: sd, filters: [converted("bt709"), tagged("bt709")], matrix: "bt709"),
        Source(
            testDescription: "BT.709 in full range", size: hd,
            filters: [converted("bt709", "yuvj420p", range: "pc"), tagged("bt709", range: "pc")],
            options: ["-pix_fmt", "yuvj420p", "-crf", "2"], matrix: "bt709"),
        Source(
            testDescription: "BT.601 with 525 lines", size: sd,
            filters: [converted("smpte170m"), tagged("smpte170m")], matrix: "smpte170m"),
        with625Lines,
        Source(
            testDescription: "BT.601 in HD", size: hd, filters: [converted("smpte170m"), tagged("smpte170m")],
            matrix: "smpte170m"),
        Source(testDescription: "untagged HD", size: hd, filters: [converted("bt709"), untagged], matrix: "bt709"),
        untaggedSD,
        // JPEG has the matrix of BT.601 and full range, in any size.
        Source(
            testDescription: "Motion JPEG", size: hd, filters: [converted("smpte170m", "yuvj422p", range: "pc")],
            options: ["-c:v", "mjpeg", "-pix_fmt", "yuvj422p", "-q:v", "1"], suffix: "avi", matrix: "bt470bg"),
        Source(
            testDescription: "RGB in QuickTime Animation", size: sd, filters: ["format=rgb24"],
            options: ["-c:v", "qtrle", "-pix_fmt", "rgb24"], suffix: "mov", matrix: "smpte170m"),
        Source(
            testDescription: "RGB, not compressed", size: sd, filters: ["format=rgb24"],
            options: ["-c:v", "rawvideo", "-pix_fmt", "rgb24"], suffix: "mov", matrix: "smpte170m"),
        Source(
            testDescription: "RGB in PNG", size: hd, filters: ["format=rgb24"],
            options: ["-c:v", "png", "-pix_fmt", "rgb24"], suffix: "mov", matrix: "bt709"),
        Source(
            testDescription: "RGB in FFV1", size: hd, filters: ["format=bgr0"],
            options: ["-c:v", "ffv1", "-pix_fmt", "bgr0"], suffix: "mkv", matrix: "bt709"),
        Source(
            testDescription: "RGB in H.264", size: hd, filters: ["format=gbrp"],
            options: ["-c:v", "libx264rgb", "-pix_fmt", "bgr24", "-qp", "0"], matrix: "bt709"),
        Source(
            testDescription: "10 bits and 4:2:2 in ProRes", size: hd,
            filters: [converted("bt709", "yuv422p10le"), tagged("bt709")],
            options: ["-c:v", "prores_ks", "-pix_fmt", "yuv422p10le"], suffix: "mov", matrix: "bt709"),
        Source(
            testDescription: "BT.2020 in SDR", size: hd,
            filters: [
                converted("bt2020", "yuv420p10le"),
                tagged("bt2020nc", primaries: "bt2020", transfer: "bt2020-10"),
            ],
            options: ["-pix_fmt", "yuv420p10le", "-crf", "2"], matrix: "bt2020nc"),
        Source(
            testDescription: "half transparent in ProRes", size: sd,
            filters: [converted("bt709", "yuva444p10le"), tagged("bt709")],
            options: ["-c:v", "prores_ks", "-pix_fmt", "yuva444p10le", "-alpha_bits", "16"], suffix: "mov",
            opacity: 128, matrix: "bt709"),
        Source(
            testDescription: "half transparent in PNG", size: sd, filters: ["format=rgba"],
            options: ["-c:v", "png", "-pix_fmt", "rgba"], suffix: "mov", opacity: 128, matrix: "smpte170m"),
    ]

    // MARK: Tests

    @Test(arguments: sources)
    func everyRungShowsTheColors(of source: Source) async throws {
        let clip = try await source.clip.make()
        let sample = FaultCase(
            clip.lastPathComponent,
            [.made, .tagged(source.matrix), .patches(source.colors, frames: [0, 9])],
            // A rung of the source's size and a scaled one.
            options: FaultMediaTests.fine + ["--heights", "\(source.size.height),240"])
        let failures = try await sample.failures(source: clip.path, folder: scratch.path("out"))
        #expect(failures == [])
    }

    /// What the page below reports about one stream.
    struct Shown: Decodable {
        var error: String?
        /// Red, green and blue in the middle of each patch, row by row.
        var colors: [[Double]]
    }

    /// Plays several streams, and reads the middle of each patch of the first frame that each shows.
    private static func page(_ streams: [String]) -> String {
        """
        <!doctype html><body><script>
        function shown(stream) {
            return new Promise(resolve => {
                const v = document.createElement('video');
                v.muted = true;
                v.playsInline = true;
                v.src = stream;
                document.body.append(v);
                v.addEventListener('error', () => resolve({ error: v.error.code + ' ' + v.error.message, colors: [] }));
                v.requestVideoFrameCallback(() => {
                    const c = document.createElement('canvas');
                    c.width = v.videoWidth;
                    c.height = v.videoHeight;
                    const pen = c.getContext('2d');
                    pen.drawImage(v, 0, 0);
                    const colors = [];
                    for (let patch = 0; patch < 8; patch++) {
                        const x = c.width * (2 * (patch % 4) + 1) / 8;
                        const y = c.height * (2 * Math.floor(patch / 4) + 1) / 4;
                        colors.push([...pen.getImageData(x, y, 1, 1).data.slice(0, 3)]);
                    }
                    resolve({ error: null, colors });
                });
                v.play().catch(error => resolve({ error: '' + error, colors: [] }));
            });
        }
        Promise.all([\(streams.map { "'\($0)'" }.joined(separator: ", "))].map(shown)).then(all =>
            fetch('/report', { method: 'POST', body: JSON.stringify(all) }));
        </script>
        """
    }

    @Test(.enabled(if: HeadlessChromium.program != nil, "Chromium is not installed"))
    func chromiumShowsTheColors() async throws {
        let sources = [Self.taggedHD, Self.untaggedSD, Self.with625Lines]
        for (index, source) in sources.enumerated() {
            let made = try await ClairoProcess.run(
                "transcode", source.clip.make().path, "-o", scratch.path("\(index)"), "--preset", "ultrafast",
                "--format", "hls", "--quality", "8")
            #expect(made.status == 0, "\(source.testDescription): \(made)")
        }
        let page = Self.page(sources.indices.map { "/\($0)/master.m3u8" })
        let visit = try await HeadlessChromium.visit(
            page, servedWith: scratch.path, scratch: scratch, graphics: .emulated)
        let shown = try JSONDecoder().decode([Shown].self, from: visit.report)
        #expect(shown.count == sources.count)
        for (source, shown) in zip(sources, shown) {
            #expect(shown.error == nil)
            #expect(shown.colors.count == source.colors.count)
            for (color, expected) in zip(shown.colors, source.colors) {
                let isRight = zip(color, expected).allSatisfy { abs($0 - $1) <= 3 }
                #expect(isRight, "\(source.testDescription): \(color) instead of \(expected)")
            }
        }
    }
}
