internal import ClairoCore
internal import Foundation

/// Finds the tiles of AV1 (AV1 Bitstream & Decoding Process Specification, 5.9 to 5.11). Only they are encrypted; headers
/// and the sizes of tiles stay clear (AV1 Codec ISO Media File Format Binding, 4).
///
/// Where a frame header ends depends on the frames that it refers to, so samples are read in decoding order from a key
/// frame on.
struct ProtectionAV1 {
    private enum OBUType {
        static let sequenceHeader = 1
        static let frameHeader = 3
        static let tileGroup = 4
        static let frame = 6
        static let tileList = 8
    }

    private var sequence: AV1SequenceFields?
    private var frames = AV1FrameHeaderReader()

    /// - Parameter configuration: The payload of `av1C`, which may hold the sequence header.
    init(configuration: Data) throws(ClairoError) {
        let units = Data(configuration.dropFirst(4))
        for unit in try Self.units(of: units) where unit.type == OBUType.sequenceHeader {
            sequence = try AV1SequenceFields(units[unit.payload])
        }
    }

    /// The tiles of each sample. The first sample is a key frame.
    func ranges(_ samples: [Data]) throws(ClairoError) -> [[Range<Int>]] {
        var reader = self
        var result: [[Range<Int>]] = []
        for sample in samples { result.append(try reader.tiles(of: Data(sample))) }
        return result
    }

    private mutating func tiles(of sample: Data) throws(ClairoError) -> [Range<Int>] {
        var tiles: [Range<Int>] = []
        for unit in try Self.units(of: sample) {
            let payload = sample[unit.payload]
            switch unit.type {
            case OBUType.sequenceHeader: sequence = try AV1SequenceFields(payload)
            case OBUType.frameHeader, OBUType.frame:
                guard let sequence else { throw ProtectionReader.unreadable("its sequence header is missing") }
                let size = try frames.read(payload, sequence)
                guard unit.type == OBUType.frame else { continue }
                tiles += try frames.tiles(in: payload.dropFirst(size))
            case OBUType.tileGroup: tiles += try frames.tiles(in: payload)
            // It would stay clear.
            case OBUType.tileList: throw ProtectionReader.unreadable("it has a list of tiles")
            default: break
            }
        }
        return tiles
    }

    /// The OBUs of a sample (5.3): their types and the ranges of their payloads.
    private static func units(of data: Data) throws(ClairoError) -> [(type: Int, payload: Range<Int>)] {
        let bytes = [UInt8](data)
        var units: [(type: Int, payload: Range<Int>)] = []
        var position = 0
        while position < bytes.count {
            let header = bytes[position]
            position += header & 4 == 0 ? 1 : 2
            var size = bytes.count - position
            if header & 2 != 0 {
                size = 0
                for shift in 0..<8 {
                    guard position < bytes.count else { throw ProtectionReader.unreadable("the size of a unit") }
                    size |= Int(bytes[position] & 0x7F) << (7 * shift)
                    position += 1
                    if bytes[position - 1] & 0x80 == 0 { break }
                }
            }
            guard size >= 0, size <= bytes.count - position else {
                throw ProtectionReader.unreadable("the size of a unit")
            }
            units.append((Int(header >> 3 & 15), position..<position + size))
            position += size
        }
        return units
    }
}

/// The fields of a sequence header that frame headers depend on (5.5).
struct AV1SequenceFields {
    fileprivate var isReduced = false
    fileprivate var hasDecoderModel = false
    fileprivate var hasEqualIntervals = false
    fileprivate var presentationTimeBits = 0
    fileprivate var removalTimeBits = 0
    /// The operating points that have a decoder model, by their masks of layers.
    fileprivate var modelPoints: [Int] = []
    fileprivate var widthBits = 0
    fileprivate var heightBits = 0
    fileprivate var width = 0
    fileprivate var height = 0
    /// Bits of a frame's id, and of the difference between two; 0 if frames have no ids.
    fileprivate var idBits = 0
    fileprivate var idDeltaBits = 0
    fileprivate var hasLargeBlocks = false
    fileprivate var hasWarpedMotion = false
    fileprivate var orderBits = 0
    fileprivate var hasReferenceMotion = false
    /// 2 if each frame chooses.
    fileprivate var screenTools = 2
    fileprivate var integerMotion = 2
    fileprivate var hasSuperResolution = false
    fileprivate var hasCDEF = false
    fileprivate var hasRestoration = false
    fileprivate var isMonochrome = false
    fileprivate var isSubsampled = true
    fileprivate var separatesChroma = false
    fileprivate var hasFilmGrain = false

    fileprivate var planes: Int { isMonochrome ? 1 : 3 }

    init(_ payload: Data) throws(ClairoError) {
        var reader = ProtectionReader(payload, skipsEmulation: false)
        let profile = try reader.bits(3)
        try reader.bits(1)
        isReduced = try reader.flag()
        if isReduced { try reader.bits(5) } else { try readOperatingPoints(&reader) }
        widthBits = try reader.bits(4) + 1
        heightBits = try reader.bits(4) + 1
        width = try reader.bits(widthBits) + 1
        height = try reader.bits(heightBits) + 1
        if !isReduced, try reader.flag() {
            idDeltaBits = try reader.bits(4) + 2
            idBits = idDeltaBits + (try reader.bits(3)) + 1
        }
        hasLargeBlocks = try reader.flag()
        try reader.bits(2)
        if !isReduced { try readTools(&reader) }
        hasSuperResolution = try reader.flag()
        hasCDEF = try reader.flag()
        hasRestoration = try reader.flag()
        try readColor(profile, &reader)
        hasFilmGrain = try reader.flag()
    }

    private mutating func readOperatingPoints(_ reader: inout ProtectionReader) throws(ClairoError) {
        var delayBits = 0
        if try reader.flag() {
            try reader.bits(64)
            hasEqualIntervals = try reader.flag()
            if hasEqualIntervals { try reader.unsigned() }
            hasDecoderModel = try reader.flag()
            if hasDecoderModel {
                delayBits = try reader.bits(5) + 1
                try reader.bits(32)
                removalTimeBits = try reader.bits(5) + 1
                presentationTimeBits = try reader.bits(5) + 1
            }
        }
        let hasDelay = try reader.flag()
        for _ in 0...(try reader.bits(5)) {
            let point = try reader.bits(12)
            if try reader.bits(5) > 7 { try reader.bits(1) }
            if hasDecoderModel, try reader.flag() {
                modelPoints.append(point)
                try reader.bits(2 * delayBits + 1)
            }
            if hasDelay, try reader.flag() { try reader.bits(4) }
        }
    }

    private mutating func readTools(_ reader: inout ProtectionReader) throws(ClairoError) {
        try reader.bits(2)
        hasWarpedMotion = try reader.flag()
        try reader.bits(1)
        let hasOrder = try reader.flag()
        if hasOrder {
            try reader.bits(1)
            hasReferenceMotion = try reader.flag()
        }
        screenTools = try reader.flag() ? 2 : try reader.bits(1)
        if screenTools > 0 { integerMotion = try reader.flag() ? 2 : try reader.bits(1) }
        if hasOrder { orderBits = try reader.bits(3) + 1 }
    }

    private mutating func readColor(_ profile: Int, _ reader: inout ProtectionReader) throws(ClairoError) {
        let isHigh = try reader.flag()
        let isTwelve = try profile == 2 && isHigh ? reader.flag() : false
        isMonochrome = try profile == 1 ? false : reader.flag()
        var color = 0
        if try reader.flag() { color = try reader.bits(24) }
        if isMonochrome {
            try reader.bits(1)
            return
        }
        if color == 0x010D00 {
            isSubsampled = false
        } else {
            try reader.bits(1)
            switch profile {
            case 0: isSubsampled = true
            case 1: isSubsampled = false
            default:
                isSubsampled = false
                if isTwelve, try reader.flag() { isSubsampled = try reader.flag() }
            }
            if isSubsampled { try reader.bits(2) }
        }
        separatesChroma = try reader.flag()
    }
}

/// Reads frame headers (5.9), with the state that they share.
private struct AV1FrameHeaderReader {
    private enum FrameType {
        static let key = 0
        static let inter = 1
        static let intraOnly = 2
        static let switching = 3
    }

    /// What later frames need to know about a frame.
    private struct Reference {
        var type = 0
        var order = 0
        var width = 0
        var height = 0
        /// The change of the quantizer in each segment; nil for no segmentation.
        var segments: [Int]?
    }

    private struct Tiles {
        var count = 1
        var log2 = 0
        var sizeBytes = 0
    }

    /// The header that is being read.
    private struct Header {
        var type = FrameType.key
        var isShown = true
        var isShowable = false
        var isResilient = true
        var overridesSize = false
        var order = 0
        var primary = 7
        var screenTools = false
        var integerMotion = false
        var refresh = 255
        var upscaledWidth = 0
        var width = 0
        var height = 0
        var copiesBlocks = false
        var precise = false
        var references = [Int](repeating: 0, count: 7)
        var segments: [Int]?
        var isLossless = false

        var isIntra: Bool { type == FrameType.key || type == FrameType.intraOnly }
        var isScaled: Bool { upscaledWidth != width }
    }

    private var slots = [Reference](repeating: Reference(), count: 8)
    private var current = Tiles()
    /// `disable_cdf_update` of the header that is being read.
    private var disablesUpdate = false

    /// Reads a header and updates the state.
    /// - Returns: Its size in bytes.
    mutating func read(_ payload: Data, _ sequence: AV1SequenceFields) throws(ClairoError) -> Int {
        var reader = ProtectionReader(payload, skipsEmulation: false)
        var frame = Header()
        if try !readType(&frame, sequence, &reader) { return reader.byteCount }
        try readGeneral(&frame, sequence, &reader)
        if frame.isIntra {
            try readSize(&frame, sequence, &reader)
            try Self.skipRenderSize(&reader)
            if frame.screenTools, !frame.isScaled { frame.copiesBlocks = try reader.flag() }
        } else {
            try readReferences(&frame, sequence, &reader)
        }
        // disable_frame_end_update_cdf.
        if !sequence.isReduced, !disablesUpdate { try reader.bits(1) }
        current = try Self.readTiles(frame, sequence, &reader)
        let hasDeltaQ = try readQuantization(&frame, sequence, &reader)
        try Self.skipDeltas(frame, hasDeltaQ: hasDeltaQ, &reader)
        try Self.skipFilters(frame, sequence, &reader)
        if !frame.isLossless { try reader.bits(1) }
        let selects = try frame.isIntra ? false : reader.flag()
        if selects, sequence.orderBits > 0, allowsSkipMode(frame, sequence) { try reader.bits(1) }
        if !frame.isIntra, !frame.isResilient, sequence.hasWarpedMotion { try reader.bits(1) }
        try reader.bits(1)
        if !frame.isIntra { try Self.skipGlobalMotion(precise: frame.precise, &reader) }
        if sequence.hasFilmGrain, frame.isShown || frame.isShowable {
            try Self.skipFilmGrain(frame, sequence, &reader)
        }
        let reference = Reference(
            type: frame.type, order: frame.order, width: frame.upscaledWidth, height: frame.height,
            segments: frame.segments)
        for slot in slots.indices where frame.refresh >> slot & 1 == 1 { slots[slot] = reference }
        return reader.byteCount
    }

    /// - Returns: False if the header shows a frame that was decoded before, and ends there.
    private mutating func readType(
        _ frame: inout Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) -> Bool {
        if sequence.isReduced { return true }
        let hasTime = sequence.hasDecoderModel && !sequence.hasEqualIntervals
        if try reader.flag() {
            let shown = slots[try reader.bits(3)]
            if hasTime { try reader.bits(sequence.presentationTimeBits) }
            try reader.bits(sequence.idBits)
            if shown.type == FrameType.key { slots = [Reference](repeating: shown, count: 8) }
            return false
        }
        frame.type = try reader.bits(2)
        frame.isShown = try reader.flag()
        if frame.isShown, hasTime { try reader.bits(sequence.presentationTimeBits) }
        frame.isShowable = try frame.isShown ? frame.type != FrameType.key : reader.flag()
        let isFresh = frame.type == FrameType.switching || frame.type == FrameType.key && frame.isShown
        frame.isResilient = try isFresh ? true : reader.flag()
        if frame.type == FrameType.key, frame.isShown {
            for slot in slots.indices { slots[slot].order = 0 }
        }
        return true
    }

    private mutating func readGeneral(
        _ frame: inout Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        disablesUpdate = try reader.flag()
        frame.screenTools = try sequence.screenTools == 2 ? reader.flag() : sequence.screenTools == 1
        if frame.screenTools {
            frame.integerMotion = try sequence.integerMotion == 2 ? reader.flag() : sequence.integerMotion == 1
        }
        try reader.bits(sequence.idBits)
        if frame.type == FrameType.switching {
            frame.overridesSize = true
        } else if !sequence.isReduced {
            frame.overridesSize = try reader.flag()
        }
        frame.order = try reader.bits(sequence.orderBits)
        if !frame.isIntra, !frame.isResilient { frame.primary = try reader.bits(3) }
        if sequence.hasDecoderModel, try reader.flag() {
            // Without layers, every operating point has the frame.
            for _ in sequence.modelPoints { try reader.bits(sequence.removalTimeBits) }
        }
        let isFresh = frame.type == FrameType.switching || frame.type == FrameType.key && frame.isShown
        if !isFresh { frame.refresh = try reader.bits(8) }
        if !frame.isIntra || frame.refresh != 255, frame.isResilient, sequence.orderBits > 0 {
            for slot in slots.indices { slots[slot].order = try reader.bits(sequence.orderBits) }
        }
    }

    private mutating func readReferences(
        _ frame: inout Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        if sequence.orderBits > 0, try reader.flag() {
            throw ProtectionReader.unreadable("it names its references in short")
        }
        for index in 0..<7 {
            frame.references[index] = try reader.bits(3)
            try reader.bits(sequence.idDeltaBits)
        }
        if frame.overridesSize, !frame.isResilient {
            try readSizeWithReferences(&frame, sequence, &reader)
        } else {
            try readSize(&frame, sequence, &reader)
            try Self.skipRenderSize(&reader)
        }
        frame.precise = try frame.integerMotion ? false : reader.flag()
        // Interpolation filter, motion modes.
        if try !reader.flag() { try reader.bits(2) }
        try reader.bits(1)
        if !frame.isResilient, sequence.hasReferenceMotion { try reader.bits(1) }
    }

    // MARK: Sizes

    private func readSize(
        _ frame: inout Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        (frame.upscaledWidth, frame.height) = (sequence.width, sequence.height)
        if frame.overridesSize {
            frame.upscaledWidth = try reader.bits(sequence.widthBits) + 1
            frame.height = try reader.bits(sequence.heightBits) + 1
        }
        try Self.readSuperResolution(&frame, sequence, &reader)
    }

    private func readSizeWithReferences(
        _ frame: inout Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        for reference in frame.references where try reader.flag() {
            (frame.upscaledWidth, frame.height) = (slots[reference].width, slots[reference].height)
            return try Self.readSuperResolution(&frame, sequence, &reader)
        }
        try readSize(&frame, sequence, &reader)
        try Self.skipRenderSize(&reader)
    }

    private static func readSuperResolution(
        _ frame: inout Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        frame.width = frame.upscaledWidth
        guard sequence.hasSuperResolution, try reader.flag() else { return }
        let denominator = try reader.bits(3) + 9
        frame.width = (frame.upscaledWidth * 8 + denominator / 2) / denominator
    }

    private static func skipRenderSize(_ reader: inout ProtectionReader) throws(ClairoError) {
        if try reader.flag() { try reader.bits(32) }
    }

    // MARK: Tiles

    /// Reads `tile_info` (5.9.15).
    private static func readTiles(
        _ frame: Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) -> Tiles {
        let shift = sequence.hasLargeBlocks ? 5 : 4
        func blocks(_ size: Int) -> Int { (2 * ((size + 7) >> 3) + (1 << shift) - 1) >> shift }
        let (columns, rows) = (blocks(frame.width), blocks(frame.height))
        guard columns > 0, rows > 0 else { throw ProtectionReader.unreadable("its size") }
        let mostWidth = 4096 >> (shift + 2)
        let mostArea = (4096 * 2304) >> (2 * (shift + 2))
        let fewestColumns = log2(mostWidth, columns)
        let fewest = max(fewestColumns, log2(mostArea, rows * columns))
        var tiles = Tiles()
        var sizes = (columns: 0, rows: 0)
        if try reader.flag() {
            func count(_ blocks: Int, from least: Int) throws(ClairoError) -> (log2: Int, count: Int) {
                var exponent = least
                let most = log2(1, min(blocks, 64))
                while exponent < most, try reader.flag() { exponent += 1 }
                let size = (blocks + (1 << exponent) - 1) >> exponent
                return (exponent, (blocks + size - 1) / size)
            }
            let across = try count(columns, from: fewestColumns)
            let down = try count(rows, from: max(fewest - across.log2, 0))
            tiles.count = across.count * down.count
            sizes = (across.log2, down.log2)
        } else {
            func count(_ blocks: Int, most: Int) throws(ClairoError) -> (count: Int, widest: Int) {
                var (start, count, widest) = (0, 0, 0)
                while start < blocks {
                    let size = try nonSymmetric(min(blocks - start, most), &reader) + 1
                    widest = max(widest, size)
                    start += size
                    count += 1
                }
                return (count, widest)
            }
            let across = try count(columns, most: mostWidth)
            let area = (rows * columns) >> (fewest > 0 ? fewest + 1 : 0)
            let down = try count(rows, most: max(area / across.widest, 1))
            tiles.count = across.count * down.count
            sizes = (log2(1, across.count), log2(1, down.count))
        }
        tiles.log2 = sizes.columns + sizes.rows
        if tiles.log2 > 0 {
            try reader.bits(tiles.log2)
            tiles.sizeBytes = try reader.bits(2) + 1
        }
        return tiles
    }

    private static func log2(_ block: Int, _ target: Int) -> Int {
        var exponent = 0
        while block << exponent < target { exponent += 1 }
        return exponent
    }

    /// `ns(n)` (4.10.7).
    private static func nonSymmetric(_ count: Int, _ reader: inout ProtectionReader) throws(ClairoError) -> Int {
        let width = Int.bitWidth - count.leadingZeroBitCount
        let short = (1 << width) - count
        let value = try reader.bits(width - 1)
        return value < short ? value : value << 1 - short + (try reader.bits(1))
    }

    /// The tiles of a tile group (5.11.1), as ranges of the data's indexes.
    func tiles(in group: Data) throws(ClairoError) -> [Range<Int>] {
        var reader = ProtectionReader(group, skipsEmulation: false)
        var numbers = 0...(current.count - 1)
        if current.count > 1, try reader.flag() {
            let (first, last) = (try reader.bits(current.log2), try reader.bits(current.log2))
            guard first <= last, last < current.count else { throw ProtectionReader.unreadable("its tiles") }
            numbers = first...last
        }
        var position = group.startIndex + reader.byteCount
        var tiles: [Range<Int>] = []
        for number in numbers {
            var size = group.endIndex - position
            if number < numbers.upperBound {
                guard size >= current.sizeBytes else { throw ProtectionReader.unreadable("its tiles") }
                let length = group[position..<position + current.sizeBytes].reversed().reduce(0) { $0 << 8 | Int($1) }
                position += current.sizeBytes
                guard length + 1 <= group.endIndex - position else { throw ProtectionReader.unreadable("its tiles") }
                size = length + 1
            }
            tiles.append(position..<position + size)
            position += size
        }
        return tiles
    }

    // MARK: Quantizer and filters

    /// Reads `quantization_params` and `segmentation_params` (5.9.12, 5.9.14).
    /// - Returns: Whether blocks may change the quantizer.
    private func readQuantization(
        _ frame: inout Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) -> Bool {
        let base = try reader.bits(8)
        var hasDeltas = false
        func readDelta() throws(ClairoError) {
            if try reader.flag(), try reader.bits(7) != 0 { hasDeltas = true }
        }
        try readDelta()
        if sequence.planes > 1 {
            let differs = try sequence.separatesChroma ? reader.flag() : false
            for _ in 0..<(differs ? 4 : 2) { try readDelta() }
        }
        if try reader.flag() { try reader.bits(sequence.separatesChroma ? 12 : 8) }
        try readSegments(&frame, &reader)
        let quantizers = (frame.segments ?? [0]).map { min(255, max(0, base + $0)) }
        frame.isLossless = !hasDeltas && quantizers.allSatisfy { $0 == 0 }
        return base > 0
    }

    private func readSegments(_ frame: inout Header, _ reader: inout ProtectionReader) throws(ClairoError) {
        guard try reader.flag() else { return }
        var updatesData = true
        if frame.primary != 7 {
            if try reader.flag() { try reader.bits(1) }
            updatesData = try reader.flag()
        }
        guard updatesData else {
            frame.segments = slots[frame.references[frame.primary]].segments ?? [0]
            return
        }
        var changes = [Int](repeating: 0, count: 8)
        for segment in 0..<8 {
            for (feature, size) in [9, 7, 7, 7, 7, 3, 0, 0].enumerated() where try reader.flag() {
                let value = try reader.bits(size)
                if feature == 0 { changes[segment] = value >= 256 ? value - 512 : value }
            }
        }
        frame.segments = changes
    }

    /// Skips `delta_q_params` and `delta_lf_params` (5.9.17, 5.9.18).
    private static func skipDeltas(
        _ frame: Header, hasDeltaQ: Bool, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        guard hasDeltaQ, try reader.flag() else { return }
        try reader.bits(2)
        if !frame.copiesBlocks, try reader.flag() { try reader.bits(3) }
    }

    /// Skips `loop_filter_params`, `cdef_params` and `lr_params` (5.9.11, 5.9.19, 5.9.20).
    private static func skipFilters(
        _ frame: Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        if frame.copiesBlocks { return }
        if !frame.isLossless {
            let levels = [try reader.bits(6), try reader.bits(6)]
            if sequence.planes > 1, levels != [0, 0] { try reader.bits(12) }
            try reader.bits(3)
            if try reader.flag(), try reader.flag() {
                for _ in 0..<10 where try reader.flag() { try reader.bits(7) }
            }
            if sequence.hasCDEF {
                try reader.bits(2)
                let count = 1 << (try reader.bits(2))
                for _ in 0..<count { try reader.bits(sequence.planes > 1 ? 12 : 6) }
            }
        }
        // Lossless frames that are scaled still are restored.
        guard sequence.hasRestoration, !(frame.isLossless && !frame.isScaled) else { return }
        var types: [Int] = []
        for _ in 0..<sequence.planes { types.append(try reader.bits(2)) }
        guard types.contains(where: { $0 != 0 }) else { return }
        if try reader.flag(), !sequence.hasLargeBlocks { try reader.bits(1) }
        if sequence.planes > 1, sequence.isSubsampled, types.dropFirst().contains(where: { $0 != 0 }) {
            try reader.bits(1)
        }
    }

    // MARK: Prediction

    /// Whether a frame has references on both sides, or two before it (5.9.22).
    private func allowsSkipMode(_ frame: Header, _ sequence: AV1SequenceFields) -> Bool {
        func distance(_ a: Int, _ b: Int) -> Int {
            let half = 1 << (sequence.orderBits - 1)
            let difference = a - b
            return (difference & (half - 1)) - (difference & half)
        }
        let orders = frame.references.map { slots[$0].order }
        let before = orders.filter { distance($0, frame.order) < 0 }
        if before.isEmpty { return false }
        if orders.contains(where: { distance($0, frame.order) > 0 }) { return true }
        guard let nearest = before.max(by: { distance($0, $1) < 0 }) else { return false }
        return orders.contains { distance($0, nearest) < 0 }
    }

    /// Skips `global_motion_params` (5.9.24).
    private static func skipGlobalMotion(precise: Bool, _ reader: inout ProtectionReader) throws(ClairoError) {
        for _ in 0..<7 where try reader.flag() {
            let isRotation = try reader.flag()
            let isTranslation = try isRotation ? false : reader.flag()
            if !isTranslation {
                for _ in 0..<(isRotation ? 2 : 4) { try skipParameter(bits: 12, &reader) }
            }
            for _ in 0..<2 { try skipParameter(bits: isTranslation ? (precise ? 9 : 8) : 12, &reader) }
        }
    }

    /// Skips a parameter (5.9.26 to 5.9.28). Its length does not depend on earlier ones.
    private static func skipParameter(bits: Int, _ reader: inout ProtectionReader) throws(ClairoError) {
        let count = 2 << bits | 1
        var (step, low) = (0, 0)
        while true {
            let size = step > 0 ? 3 + step - 1 : 3
            if count <= low + 3 << size {
                _ = try nonSymmetric(count - low, &reader)
                return
            }
            guard try reader.flag() else {
                try reader.bits(size)
                return
            }
            step += 1
            low += 1 << size
        }
    }

    /// Skips `film_grain_params` (5.9.30).
    private static func skipFilmGrain(
        _ frame: Header, _ sequence: AV1SequenceFields, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        guard try reader.flag() else { return }
        try reader.bits(16)
        if frame.type == FrameType.inter, try !reader.flag() {
            try reader.bits(3)
            return
        }
        let luma = try reader.bits(4)
        for _ in 0..<luma { try reader.bits(16) }
        let isFromLuma = try sequence.isMonochrome ? false : reader.flag()
        var chroma = [0, 0]
        if !sequence.isMonochrome, !isFromLuma, !(sequence.isSubsampled && luma == 0) {
            for plane in 0..<2 {
                chroma[plane] = try reader.bits(4)
                for _ in 0..<chroma[plane] { try reader.bits(16) }
            }
        }
        try reader.bits(2)
        let lag = try reader.bits(2)
        let positions = 2 * lag * (lag + 1)
        if luma > 0 { for _ in 0..<positions { try reader.bits(8) } }
        for plane in 0..<2 where isFromLuma || chroma[plane] > 0 {
            for _ in 0..<positions + (luma > 0 ? 1 : 0) { try reader.bits(8) }
        }
        try reader.bits(4)
        for plane in 0..<2 where chroma[plane] > 0 { try reader.bits(25) }
        try reader.bits(2)
    }
}
