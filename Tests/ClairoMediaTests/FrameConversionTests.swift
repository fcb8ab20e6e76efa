import ClairoCore
import ClairoTestSupport
import Libav
import Testing

@testable import ClairoMedia

/// The filters for frames of the planned format and of others.
@Suite struct FrameConversionTests {
    static let bt709 = ColorDescription(primaries: 1, transfer: 1, matrix: 1, isFullRange: false)
    static let bt601 = ColorDescription(primaries: 6, transfer: 6, matrix: 6, isFullRange: false)
    static let bt2020 = ColorDescription(primaries: 9, transfer: 14, matrix: 9, isFullRange: false)
    static let pq = ColorDescription(primaries: 9, transfer: 16, matrix: 9, isFullRange: false)
    static let hlg = ColorDescription(primaries: 9, transfer: 18, matrix: 9, isFullRange: false)

    static func plan(
        _ size: FrameSize = FrameSize(width: 640, height: 360), pixel: Rational = Rational(1),
        bitstreamPixel: Rational? = nil, crop: FrameCrop? = nil, source: ColorDescription = FrameConversionTests.bt709,
        color: ColorDescription = FrameConversionTests.bt709, orientation: Orientation = .upright
    ) -> VideoPlan {
        VideoPlan(
            streamIndex: 0, grid: SegmentGrid(frameRate: Rational(25), frameCount: 25), sourceFrameCount: 25,
            orientation: orientation, deinterlace: false, dynamicRange: source.transfer == 16 ? .hdr10 : .sdr,
            color: color, segmentsPerEncoder: 1, isSeekable: true, rungs: [], decisions: [],
            source: SourceFormat(
                codedSize: size, sampleAspectRatio: pixel, bitstreamAspectRatio: bitstreamPixel, crop: crop,
                color: source))
    }

    static func shape(
        _ width: Int = 640, _ height: Int = 360, _ format: String = "yuv420p",
        color: ColorDescription = .unspecified, pixel: Rational? = nil
    ) -> FrameShape {
        FrameShape(
            size: FrameSize(width: width, height: height), pixelFormat: format,
            hasAlpha: ["yuva420p", "bgra"].contains(format), color: color, pixel: pixel)
    }

    /// The filters for one rung, without input and output.
    static func filters(
        _ shape: FrameShape, _ plan: VideoPlan, rung: FrameSize = FrameSize(width: 640, height: 360)
    ) -> String {
        let text = FrameConversion(shape: shape, plan: plan, sizes: [rung]).description
        #expect(text.hasPrefix("[in]") && text.hasSuffix("[out0]"))
        return String(text.dropFirst(4).dropLast(6))
    }

    private static let scaled = "scale=w=640:h=360:flags=bicubic"
    private static let end = "format=yuv420p,setsar=1"
    private static let accurate =
        "scale=w=640:h=360:flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"

    // MARK: The planned format

    @Test func thePlannedFormatIsOnlyScaled() {
        #expect(Self.filters(Self.shape(), Self.plan()) == "\(Self.scaled),\(Self.end)")
        #expect(Self.filters(Self.shape(color: Self.bt709), Self.plan()) == "\(Self.scaled),\(Self.end)")
    }

    @Test func eachRungIsScaledFromTheOneAbove() {
        let conversion = FrameConversion(
            shape: Self.shape(), plan: Self.plan(),
            sizes: [FrameSize(width: 640, height: 360), FrameSize(width: 426, height: 240)])
        #expect(
            conversion.description
                == "[in]\(Self.scaled),\(Self.end),split[out0][c1];[c1]scale=w=426:h=240:flags=bicubic,setsar=1[out1]")
    }

    @Test func aPlanOfAnOlderVersionScalesEveryFrameToTheLadder() {
        var plan = Self.plan()
        plan.source = nil
        #expect(Self.filters(Self.shape(320, 240, color: Self.bt601), plan) == "\(Self.scaled),\(Self.end)")
        #expect(Self.filters(Self.shape(320, 240, "yuva420p"), plan) == "\(Self.scaled),\(Self.end)")
        plan.dynamicRange = .hlg
        #expect(Self.filters(Self.shape(color: Self.hlg), plan).hasPrefix("zscale=w=640:h=360:tin=18:pin=9:min=9:"))
    }

    // MARK: Size and shape

    @Test func anotherShapeIsLetterboxed() {
        #expect(
            Self.filters(Self.shape(180, 320), Self.plan())
                == "scale=w=202:h=360:flags=bicubic,\(Self.end),pad=w=640:h=360:x=218:y=0:color=black")
        #expect(
            Self.filters(Self.shape(720, 300), Self.plan())
                == "scale=w=640:h=266:flags=bicubic,\(Self.end),pad=w=640:h=360:x=0:y=46:color=black")
        // Another size with the same shape fills the frame.
        #expect(Self.filters(Self.shape(1920, 1080), Self.plan()) == "\(Self.scaled),\(Self.end)")
    }

    @Test func theContainersPixelShapeAppliesOnlyToTheFormatItDescribes() {
        let plan = Self.plan(FrameSize(width: 720, height: 576), pixel: Rational(64, 45), bitstreamPixel: Rational(1))
        let rung = FrameSize(width: 1024, height: 576)
        let whole = "scale=w=1024:h=576:flags=bicubic,\(Self.end)"
        #expect(Self.filters(Self.shape(720, 576, pixel: Rational(1)), plan, rung: rung) == whole)
        // 4:3 with a pixel shape of its own, and without.
        for (shape, width, left) in [
            (Self.shape(720, 576, pixel: Rational(16, 15)), 768, 128), (Self.shape(640, 480), 768, 128),
            (Self.shape(640, 480, pixel: Rational(50)), 768, 128),
        ] {
            #expect(
                Self.filters(shape, plan, rung: rung)
                    == "scale=w=\(width):h=576:flags=bicubic,\(Self.end),pad=w=1024:h=576:x=\(left):y=0:color=black")
        }
    }

    @Test func croppedEdgesAreCutFromFramesOfThePlannedSize() {
        let plan = Self.plan(crop: FrameCrop(top: 40, bottom: 40, left: 0, right: 0))
        let rung = FrameSize(width: 640, height: 280)
        #expect(
            Self.filters(Self.shape(), plan, rung: rung)
                == "crop=w=640:h=280:x=0:y=40:exact=1,scale=w=640:h=280:flags=bicubic,\(Self.end)")
        #expect(Self.filters(Self.shape(1280, 560), plan, rung: rung) == "scale=w=640:h=280:flags=bicubic,\(Self.end)")
    }

    @Test func aTurnedFrameIsFittedAfterTheTurn() {
        let plan = Self.plan(orientation: Orientation(rotation: 90, isMirrored: false))
        let rung = FrameSize(width: 360, height: 640)
        #expect(
            Self.filters(Self.shape(), plan, rung: rung)
                == "transpose=clock,scale=w=360:h=640:flags=bicubic,\(Self.end)")
        #expect(
            Self.filters(Self.shape(360, 640), plan, rung: rung)
                == "transpose=clock,scale=w=360:h=202:flags=bicubic,\(Self.end),"
                + "pad=w=360:h=640:x=0:y=218:color=black")
    }

    @Test func aLetterboxIsEvenInsideTheRungAndKeepsTheShape() {
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<2000 {
            func side() -> Int { Int.random(in: 16...4096, using: &generator) }
            let planned = Rational(Int64(side()), Int64(side()))
            let shape = Rational(Int64(side()), Int64(side()))
            let height = side() & ~1
            let width = max(2, Int((Rational(Int64(height)) * planned / Rational(2)).rounded) * 2)
            let rung = FrameSize(width: width, height: height)
            let box = Letterbox(shape: shape, planned: planned, rung: rung)
            #expect([box.size.width, box.size.height, box.left, box.top].allSatisfy { $0 % 2 == 0 && $0 >= 0 })
            #expect(box.left + box.size.width <= width && box.top + box.size.height <= height)
            #expect(box.left == 0 || box.top == 0)
            // Even sides cost up to a pixel each, in the rung and in the frame.
            let wanted = min(Double(width), Double(height) * shape.doubleValue)
            #expect(abs(Double(box.size.width) - wanted) <= 4, "\(shape) in \(rung)")
        }
    }

    // MARK: Colour

    @Test func anotherMatrixIsConverted() {
        #expect(
            Self.filters(Self.shape(color: Self.bt601), Self.plan())
                == "\(Self.accurate):in_color_matrix=smpte170m:out_color_matrix=bt709,\(Self.end)")
        // Unspecified is what the source is elsewhere.
        #expect(
            Self.filters(Self.shape(), Self.plan(source: Self.bt709, color: Self.bt601))
                == "\(Self.accurate):in_color_matrix=bt709:out_color_matrix=smpte170m,\(Self.end)")
        // The two kinds of BT.601 have the same matrix.
        let bt601 = ColorDescription(primaries: 5, transfer: 6, matrix: 5, isFullRange: false)
        #expect(
            Self.filters(Self.shape(color: bt601), Self.plan(source: Self.bt601, color: Self.bt601))
                == "\(Self.scaled),\(Self.end)")
    }

    @Test func fullRangeBecomesLimitedRange() {
        var color = Self.bt709
        color.isFullRange = true
        #expect(
            Self.filters(Self.shape(color: color), Self.plan())
                == "\(Self.scaled):in_range=pc:out_range=tv,\(Self.end)")
    }

    @Test func onlyFramesInHDRAreToneMapped() {
        let plan = Self.plan(source: Self.pq)
        let mapped =
            "t=linear:npl=203,format=gbrpf32le,zscale=p=1,tonemap=tonemap=mobius:desat=0,zscale=t=1:m=1:r=limited,"
            + "format=yuv420p,\(Self.scaled),\(Self.end)"
        #expect(
            Self.filters(Self.shape(640, 360, "yuv420p10le", color: Self.pq), plan)
                == "zscale=w=640:h=360:tin=16:pin=9:min=9:\(mapped)")
        // The container alone says that it is HDR.
        #expect(
            Self.filters(Self.shape(640, 360, "yuv420p10le"), plan)
                == "setparams=color_primaries=9:color_trc=16:colorspace=9,"
                + "zscale=w=640:h=360:tin=16:pin=9:min=9:\(mapped)")
        #expect(Self.filters(Self.shape(color: Self.bt709), plan) == "\(Self.scaled),\(Self.end)")
        #expect(
            Self.filters(Self.shape(color: Self.hlg), Self.plan()) == "zscale=w=640:h=360:tin=18:pin=9:min=9:\(mapped)")
    }

    @Test func framesInHDRAreOnlyScaledForRungsInHDR() {
        var plan = Self.plan(source: Self.pq)
        plan.hdr = HDRDescription(color: Self.pq)
        func filters(_ shape: FrameShape) -> String {
            FrameConversion(
                shape: shape, plan: plan, sizes: [FrameSize(width: 640, height: 360)],
                look: OutputLook(dynamicRange: .hdr10, bitDepth: 10)
            ).description
        }
        let end = "format=yuv420p10le,setsar=1[out0]"
        #expect(filters(Self.shape(640, 360, "yuv420p10le", color: Self.pq)) == "[in]\(Self.scaled),\(end)")
        // What the frame leaves open is the source's.
        #expect(filters(Self.shape(640, 360, "yuv420p10le")) == "[in]\(Self.scaled),\(end)")
        // A part in SDR or HLG is converted, with the white of BT.2408.
        for color in [Self.bt709, Self.hlg] {
            let text = filters(Self.shape(color: color))
            #expect(text.contains("tin=\(color.transfer):pin=\(color.primaries):min=\(color.matrix):t=16:p=9:m=9"))
            #expect(text.contains("npl=203") && text.hasSuffix(end))
        }
    }

    @Test func wideColoursWithoutHDRAreMappedToTheOutputs() {
        #expect(
            Self.filters(Self.shape(color: Self.bt2020), Self.plan())
                == "zscale=w=640:h=360:filter=bicubic:rin=limited:tin=14:pin=9:min=9:t=1:p=1:m=1:r=limited,"
                + "format=yuv420p,\(Self.scaled),\(Self.end)")
        #expect(
            Self.filters(Self.shape(color: Self.bt2020), Self.plan(source: Self.bt2020, color: Self.bt2020))
                == "\(Self.scaled),\(Self.end)")
    }

    @Test func greyKeepsItsRange() {
        #expect(
            Self.filters(Self.shape(640, 360, "gray"), Self.plan())
                == "zscale=w=640:h=360:filter=bicubic:rin=limited:min=1:m=1:r=limited,format=yuv420p,"
                + "\(Self.scaled),\(Self.end)")
    }

    @Test func transparentFramesAreComposedOverBlack() {
        #expect(
            Self.filters(Self.shape(640, 360, "yuva420p"), Self.plan())
                == "format=yuva444p,premultiply=inplace=1,format=yuv444p,\(Self.scaled),\(Self.end)")
        #expect(
            Self.filters(Self.shape(640, 360, "bgra"), Self.plan())
                == "format=gbrap,premultiply=inplace=1,format=gbrp,\(Self.scaled):out_color_matrix=bt709,\(Self.end)")
    }

    @Test func oddSizesGetWholeChromaBeforeZimg() {
        let plan = Self.plan(FrameSize(width: 427, height: 239), source: Self.pq)
        let filters = Self.filters(
            Self.shape(427, 239, color: Self.pq), plan, rung: FrameSize(width: 426, height: 238))
        #expect(filters.hasPrefix("format=yuv444p16le,zscale=w=426:h=238:"))
    }

    // MARK: With libav

    @Test func barsAreBlackAndTheFrameIsInTheMiddle() throws {
        let demuxer = try Demuxer(
            InMemoryBytes(MemoryMedia.gif(width: 40, height: 40, grey: [254])), options: InputLimits().demuxerOptions)
        let decoder = try demuxer.makeDecoder(stream: 0)
        try decoder.send(demuxer.read())
        try decoder.send(nil)
        guard case .value(let frame) = try decoder.receive() else {
            Issue.record("no frame")
            return
        }
        let sizes = [FrameSize(width: 160, height: 80), FrameSize(width: 80, height: 40)]
        let rungs = sizes.map { LadderPlanner.Target().rung(height: $0.height, size: $0) }
        let conformed = try Conformer(plan: Self.plan(FrameSize(width: 160, height: 80)), rungs: rungs).conform(frame)
        #expect(conformed.map(\.width) == [160, 80])
        for output in conformed {
            let quarter = output.width / 4
            let row = try #require(
                output.withRow(plane: 0, row: output.height / 2, width: output.width) { Array($0) })
            #expect(row[..<(quarter - 4)].allSatisfy { $0 == 16 })
            #expect(row[(quarter * 3 + 4)...].allSatisfy { $0 == 16 })
            #expect(row[(quarter + 4)..<(quarter * 3 - 4)].allSatisfy { abs(Int($0) - 234) <= 2 })
        }
    }
}
