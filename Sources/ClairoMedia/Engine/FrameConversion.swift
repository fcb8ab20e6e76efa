internal import ClairoCore

/// The range and depth of the frames that an encoder gets.
struct OutputLook: Hashable, Sendable {
    var dynamicRange = DynamicRange.sdr
    /// Bits per component.
    var bitDepth = 8

    /// libav's name of the pixel format: 4:2:0 in limited range.
    var pixelFormat: String { bitDepth > 8 ? "yuv420p10le" : "yuv420p" }
}

extension OutputLook {
    init(_ rung: Rung) { self.init(dynamicRange: rung.dynamicRange, bitDepth: rung.bitDepth) }
}

/// Describes the filters that convert frames of one shape to the rungs' format.
///
/// A frame of the planned format fills the rungs. Any other frame keeps its shape, on black, and is converted from its
/// own colour. swscale resizes and converts range and matrix. zimg (`zscale`) does what swscale cannot: tone mapping,
/// other primaries, rare matrices, and limited range in grey formats, which swscale takes for full range. Frames in
/// HDR stay as they are for rungs in HDR; other frames between them are converted by zimg. The options are explicit,
/// because FFmpeg 5 and 7 choose differently what is left open.
struct FrameConversion {
    let shape: FrameShape
    let plan: VideoPlan
    /// The sizes of the rungs, from the largest to the smallest.
    let sizes: [FrameSize]
    /// The range and depth of the rungs.
    var look = OutputLook()

    /// libavfilter's description of the graph, from `[in]` to an output for each rung.
    var description: String {
        let box = letterbox
        var filters: [String] = cropFilter.map { [$0] } ?? []
        filters += alphaFilters
        filters += colorFilters(box)
        filters += turnFilters
        filters += ["\(scale(box.size, flags: scalerFlags))\(scalerOptions)", "format=\(look.pixelFormat)", "setsar=1"]
        if box.size != sizes[0] {
            filters.append(
                "pad=w=\(sizes[0].width):h=\(sizes[0].height):x=\(box.left):y=\(box.top):color=black")
        }
        var text = "[in]" + filters.joined(separator: ",")
        for index in sizes.indices.dropFirst() {
            // The frame of the rung above goes to its encoder and, by reference, to the next scaler.
            text += ",split[out\(index - 1)][c\(index)];[c\(index)]\(scale(sizes[index])),setsar=1"
        }
        return text + "[out\(sizes.count - 1)]"
    }

    private func scale(_ size: FrameSize, flags: String = "bicubic") -> String {
        "scale=w=\(size.width):h=\(size.height):flags=\(flags)"
    }

    private var turnFilters: [String] {
        let mirror = plan.orientation.isMirrored ? ["hflip"] : []
        return switch plan.orientation.rotation {
        case 90: mirror + ["transpose=clock"]
        case 180: mirror + ["hflip", "vflip"]
        case 270: mirror + ["transpose=cclock"]
        default: mirror
        }
    }
}

// MARK: Geometry

extension FrameConversion {
    /// The part of the largest rung that shows the frame.
    var letterbox: Letterbox {
        guard let source = plan.source, !isPlannedFormat else {
            return Letterbox(shape: Rational(1), planned: Rational(1), rung: sizes[0])
        }
        let plannedSize = source.crop.flatMap { Self.remainder(of: source.codedSize, $0) } ?? source.codedSize
        return Letterbox(
            shape: Letterbox.shape(croppedSize, pixel: pixel, orientation: plan.orientation),
            planned: Letterbox.shape(plannedSize, pixel: source.sampleAspectRatio, orientation: plan.orientation),
            rung: sizes[0])
    }

    /// Whether size and pixel shape are those that the ladder was planned for.
    private var isPlannedFormat: Bool {
        guard let source = plan.source else { return true }
        return shape.size == source.codedSize && shape.pixel == source.bitstreamAspectRatio
    }

    /// The shape of a pixel. The container's applies only to the format that it describes.
    private var pixel: Rational {
        if isPlannedFormat, let source = plan.source { return source.sampleAspectRatio }
        guard let pixel = shape.pixel, pixel > Rational(1, 10), pixel < Rational(10) else { return Rational(1) }
        return pixel
    }

    private var crop: FrameCrop? {
        guard let source = plan.source, source.codedSize == shape.size, let crop = source.crop,
            Self.remainder(of: shape.size, crop) != nil
        else { return nil }
        return crop
    }

    private var croppedSize: FrameSize { crop.flatMap { Self.remainder(of: shape.size, $0) } ?? shape.size }

    private var cropFilter: String? {
        crop.map {
            "crop=w=\(croppedSize.width):h=\(croppedSize.height):x=\($0.left):y=\($0.top):exact=1"
        }
    }

    /// The size that a crop leaves, or nil if it leaves nothing or is no crop.
    private static func remainder(of size: FrameSize, _ crop: FrameCrop) -> FrameSize? {
        let isSane = [crop.left, crop.right, crop.top, crop.bottom].allSatisfy { (0..<100_000).contains($0) }
        guard isSane, let rest = crop.apply(to: size), rest != size else { return nil }
        return rest
    }

    /// The size before rotation.
    private func turnedBack(_ size: FrameSize) -> FrameSize {
        plan.orientation.swapsSides ? FrameSize(width: size.height, height: size.width) : size
    }
}

// MARK: Colour

extension FrameConversion {
    /// What converts the colour.
    private enum Method { case scaler, zimg, toneMapping, toHDR }

    /// The colour of the output.
    private var target: ColorDescription { look.dynamicRange == .sdr ? plan.color : plan.hdr?.color ?? plan.color }

    /// Plans of older versions did not say how to show what is transparent.
    private var composes: Bool { plan.source != nil && shape.hasAlpha }
    private var isRGB: Bool { OutputColor.isRGB(shape.pixelFormat) }
    private var isGrey: Bool { shape.pixelFormat.hasPrefix("gray") }

    /// The colour of the frame. What it leaves open is the source's.
    private var input: ColorDescription {
        guard let source = plan.source else { return shape.color }
        return OutputColor.complete(shape.color, from: source.color, isRGB: isRGB)
    }

    private var method: Method {
        guard plan.source != nil else { return plan.toneMap ? .toneMapping : .scaler }
        if look.dynamicRange != .sdr {
            let isSame =
                (input.primaries, input.transfer, input.matrix) == (target.primaries, target.transfer, target.matrix)
            return isSame && !isRGB && !isGrey ? .scaler : .toHDR
        }
        if OutputColor.isHDR(input.transfer) { return .toneMapping }
        if isRGB { return .scaler }
        if isGrey || changesGamut || OutputColor.scalerMatrix(input.matrix) == nil { return .zimg }
        return .scaler
    }

    /// Whether one of frame and output has primaries much wider than BT.709's, and the other has not. The others are
    /// close enough to each other that only the matrix is converted.
    private var changesGamut: Bool { Self.isWide(input.primaries) != Self.isWide(target.primaries) }

    private static func isWide(_ primaries: Int) -> Bool { [9, 11, 12].contains(primaries) }

    /// Whether swscale has to convert the matrix.
    private var changesMatrix: Bool {
        guard plan.source != nil, method == .scaler, !isRGB, let output = OutputColor.scalerMatrix(target.matrix)
        else { return false }
        return OutputColor.scalerMatrix(input.matrix) != output
    }

    /// Filters before the conversion may already have changed full range to limited range.
    private var isFullRange: Bool {
        shape.color.isFullRange && !(composes && !isRGB) && !([.zimg, .toHDR].contains(method) && needsWholeChroma)
    }

    /// With less, swscale is wrong by up to four levels when it converts the matrix.
    private var scalerFlags: String {
        changesMatrix ? "bicubic+accurate_rnd+full_chroma_int+full_chroma_inp" : "bicubic"
    }

    private var scalerOptions: String {
        var options = ""
        if method == .scaler, isFullRange { options += ":in_range=pc:out_range=tv" }
        let output = OutputColor.scalerMatrix(target.matrix) ?? "smpte170m"
        if method == .scaler, isRGB {
            options += ":out_color_matrix=\(output)"
        } else if changesMatrix, let input = OutputColor.scalerMatrix(input.matrix) {
            options += ":in_color_matrix=\(input):out_color_matrix=\(output)"
        }
        return options
    }

    /// Composes the frame over black: multiplies colour by opacity.
    private var alphaFilters: [String] {
        guard composes else { return [] }
        let depth = shape.bitDepth > 8 ? "16le" : ""
        return isRGB
            ? ["format=gbrap\(depth)", "premultiply=inplace=1", "format=gbrp\(depth)"]
            : limitingRange + ["format=yuva444p\(depth)", "premultiply=inplace=1", "format=yuv444p\(depth)"]
    }

    /// FFmpeg 5 converts full range to limited range in every conversion, FFmpeg 7 in none, unless told.
    private var limitingRange: [String] { shape.color.isFullRange ? ["scale=in_range=pc:out_range=tv"] : [] }

    /// zimg refuses an odd number of pixels with subsampled chroma.
    private var needsWholeChroma: Bool {
        !isRGB && !isGrey && !composes && (croppedSize.width % 2 != 0 || croppedSize.height % 2 != 0)
    }

    /// The filters before swscale.
    private func colorFilters(_ box: Letterbox) -> [String] {
        if method == .scaler { return [] }
        let whole = needsWholeChroma ? limitingRange + ["format=yuv444p16le"] : []
        switch method {
        case .toneMapping: return whole + toneMapping(box)
        case .toHDR: return whole + toHDR(box)
        case .scaler, .zimg: return whole + zimg(box)
        }
    }

    /// Scales first: tone mapping works in linear light with floating point, which is expensive. 203 nits is the
    /// reference white of ITU-R BT.2408.
    private func toneMapping(_ box: Letterbox) -> [String] {
        var color = input
        if plan.source == nil {
            color.transfer = plan.dynamicRange == .hlg ? 18 : 16
            (color.primaries, color.matrix) = (9, 9)
        }
        // For zimg, other matrices of HDR do not exist.
        if ![1, 4, 5, 6, 7, 9, 14].contains(color.matrix) { color.matrix = 9 }
        if isRGB { color.matrix = 0 }
        let (size, output) = (turnedBack(box.size), toneMapped)
        return tags(color) + [
            "zscale=w=\(size.width):h=\(size.height):tin=\(color.transfer):pin=\(color.primaries)"
                + ":min=\(color.matrix):t=linear:npl=203",
            "format=gbrpf32le", "zscale=p=\(output.primaries)", "tonemap=tonemap=mobius:desat=0",
            "zscale=t=\(output.transfer):m=\(output.matrix):r=limited", "format=\(look.pixelFormat)",
        ]
    }

    /// The colour after tone mapping: the output's, as far as zimg knows it.
    private var toneMapped: ColorDescription {
        guard OutputColor.scalerMatrix(plan.color.matrix) != nil, plan.color.primaries != 2 else {
            return OutputColor.bt709
        }
        var color = plan.color
        color.transfer = Self.zimgTransfer(color.transfer)
        return color
    }

    /// Converts a frame of another colour to that of the rungs in HDR. White of SDR becomes the reference white of 203
    /// nits.
    private func toHDR(_ box: Letterbox) -> [String] {
        var color = input
        if !OutputColor.isHDR(color.transfer) { color.transfer = Self.zimgTransfer(color.transfer) }
        if ![1, 4, 5, 6, 7, 8, 9].contains(color.matrix) { color.matrix = 9 }
        if isRGB { color.matrix = 0 }
        let size = turnedBack(box.size)
        return tags(color) + [
            "zscale=w=\(size.width):h=\(size.height):filter=bicubic:rin=\(isFullRange ? "full" : "limited")"
                + ":tin=\(color.transfer):pin=\(color.primaries):min=\(color.matrix)"
                + ":t=\(target.transfer):p=\(target.primaries):m=\(target.matrix):r=limited:npl=203",
            "format=\(look.pixelFormat)",
        ]
    }

    private func zimg(_ box: Letterbox) -> [String] {
        let size = turnedBack(box.size)
        let range = isFullRange ? "full" : "limited"
        let matrix = OutputColor.scalerMatrix(plan.color.matrix) == nil ? 6 : plan.color.matrix
        let scaled = "zscale=w=\(size.width):h=\(size.height):filter=bicubic:rin=\(range)"
        if isGrey { return [scaled + ":min=\(matrix):m=\(matrix):r=limited", "format=\(look.pixelFormat)"] }
        var color = input
        color.transfer = Self.zimgTransfer(color.transfer)
        // ICtCp is defined for PQ and HLG alone.
        if ![1, 4, 5, 6, 7, 8, 9, 10, 12, 13].contains(color.matrix) { color.matrix = 9 }
        let output = changesGamut ? plan.color : color
        return tags(color) + [
            scaled + ":tin=\(color.transfer):pin=\(color.primaries):min=\(color.matrix)"
                + ":t=\(Self.zimgTransfer(output.transfer)):p=\(output.primaries):m=\(matrix):r=limited",
            "format=\(look.pixelFormat)",
        ]
    }

    /// zimg refuses frames without tags, whatever its options are.
    private func tags(_ color: ColorDescription) -> [String] {
        let own = shape.color
        if (own.primaries, own.transfer, own.matrix) == (color.primaries, color.transfer, color.matrix) { return [] }
        return [
            "setparams=color_primaries=\(color.primaries):color_trc=\(color.transfer):colorspace=\(color.matrix)"
        ]
    }

    /// The transfer characteristics, or those of BT.709 if zimg does not know them.
    private static func zimgTransfer(_ transfer: Int) -> Int {
        [1, 4, 5, 6, 8, 9, 10, 11, 13, 14, 15].contains(transfer) ? transfer : 1
    }
}
