internal import ClairoCore
internal import Foundation

/// Finds the slice data of HEVC (ITU-T H.265, 7.3). Headers of units and slice segments stay clear, as with H.264.
struct ProtectionHEVC {
    private struct Sequence {
        var separatesPlanes = false
        var chromaType = 1
        var orderBits = 4
        var addressBits = 0
        var hasSAO = false
        var referenceSets: [ReferenceSet] = []
        var longTermCount: Int?
        var longTermUsed: [Bool] = []
        var hasTemporalMotion = false
    }

    private struct Picture {
        var sequence = 0
        var hasDependentSlices = false
        var hasOutputFlag = false
        var extraBits = 0
        var hasCABACInit = false
        var references = [1, 1]
        var hasChromaOffsets = false
        var isWeighted = false
        var isWeightedBi = false
        var hasEntryPoints = false
        var filtersAcrossSlices = false
        var overridesDeblocking = false
        var isDeblockingOff = false
        var modifiesLists = false
        var hasExtension = false
    }

    /// A short-term reference picture set (7.4.8): the number of its pictures, and of those that the picture itself uses.
    private struct ReferenceSet {
        var count = 0
        var used = 0
    }

    private var sequences: [Int: Sequence] = [:]
    private var pictures: [Int: Picture] = [:]

    /// - Parameter configuration: The payload of `hvcC` (ISO/IEC 14496-15, 8.3.3.1).
    init(configuration: Data) throws(ClairoError) {
        let bytes = [UInt8](configuration)
        guard bytes.count > 22 else { throw ProtectionReader.unreadable("its parameter sets are missing") }
        var position = 23
        for _ in 0..<bytes[22] {
            guard position + 3 <= bytes.count else { throw ProtectionReader.unreadable("its parameter sets") }
            let count = Int(bytes[position + 1]) << 8 | Int(bytes[position + 2])
            position += 3
            for _ in 0..<count {
                guard position + 2 <= bytes.count else { throw ProtectionReader.unreadable("its parameter sets") }
                let end = position + 2 + (Int(bytes[position]) << 8 | Int(bytes[position + 1]))
                guard end <= bytes.count, end > position + 4 else {
                    throw ProtectionReader.unreadable("its parameter sets")
                }
                let unit = Data(bytes[position + 2..<end])
                switch bytes[position + 2] >> 1 & 63 {
                case 33: try readSequence(unit)
                case 34: try readPicture(unit)
                default: break
                }
                position = end
            }
        }
    }

    /// The slice data of each sample.
    func ranges(_ samples: [Data]) throws(ClairoError) -> [[Range<Int>]] {
        try protectionRanges(of: samples) { (unit) throws(ClairoError) in
            HEVC.type(of: unit) < HEVC.NALType.endOfSlices ? try headerSize(unit) : nil
        }
    }

    // MARK: Parameter sets

    private mutating func readSequence(_ unit: Data) throws(ClairoError) {
        var reader = ProtectionReader(unit, skipsEmulation: true)
        var set = Sequence()
        try reader.bits(20)
        let layers = try reader.bits(3)
        try reader.bits(1)
        try Self.skipProfile(layers, &reader)
        let id = try reader.count(upTo: 15)
        let chroma = try reader.count(upTo: 3)
        if chroma == 3 { set.separatesPlanes = try reader.flag() }
        set.chromaType = set.separatesPlanes ? 0 : chroma
        let (width, height) = (try reader.count(upTo: 1 << 16), try reader.count(upTo: 1 << 16))
        if try reader.flag() { for _ in 0..<4 { try reader.unsigned() } }
        try reader.unsigned()
        try reader.unsigned()
        set.orderBits = try reader.count(upTo: 12) + 4
        for _ in (try reader.flag() ? 0 : layers)...layers { for _ in 0..<3 { try reader.unsigned() } }
        let smallest = try reader.count(upTo: 3) + 3
        let block = 1 << (smallest + (try reader.count(upTo: 3)))
        let blocks = (width + block - 1) / block * ((height + block - 1) / block)
        set.addressBits = Self.bits(for: blocks)
        for _ in 0..<4 { try reader.unsigned() }
        if try reader.flag(), try reader.flag() { try Self.skipScalingLists(&reader) }
        try reader.bits(1)
        set.hasSAO = try reader.flag()
        if try reader.flag() {
            try reader.bits(8)
            try reader.unsigned()
            try reader.unsigned()
            try reader.bits(1)
        }
        let count = try reader.count(upTo: 64)
        for index in 0..<count {
            set.referenceSets.append(try Self.referenceSet(index, of: count, set.referenceSets, &reader))
        }
        if try reader.flag() {
            let count = try reader.count(upTo: 32)
            set.longTermCount = count
            for _ in 0..<count {
                try reader.bits(set.orderBits)
                set.longTermUsed.append(try reader.flag())
            }
        }
        set.hasTemporalMotion = try reader.flag()
        sequences[id] = set
    }

    private static func bits(for count: Int) -> Int { count <= 1 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount }

    /// Skips `profile_tier_level` (7.3.3).
    private static func skipProfile(_ layers: Int, _ reader: inout ProtectionReader) throws(ClairoError) {
        try reader.bits(48)
        try reader.bits(48)
        guard layers > 0 else { return }
        var sizes = 0
        for _ in 0..<layers { sizes += (try reader.flag() ? 88 : 0) + (try reader.flag() ? 8 : 0) }
        try reader.bits(2 * (8 - layers))
        for _ in 0..<sizes { try reader.bits(1) }
    }

    /// Skips `scaling_list_data` (7.3.4).
    private static func skipScalingLists(_ reader: inout ProtectionReader) throws(ClairoError) {
        for size in 0..<4 {
            for _ in stride(from: 0, to: 6, by: size == 3 ? 3 : 1) {
                guard try reader.flag() else {
                    try reader.unsigned()
                    continue
                }
                if size > 1 { try reader.signed() }
                for _ in 0..<min(64, 1 << (4 + size << 1)) { try reader.signed() }
            }
        }
    }

    /// Reads `st_ref_pic_set` (7.3.7).
    /// - Parameter sets: The sets before it.
    private static func referenceSet(
        _ index: Int, of total: Int, _ sets: [ReferenceSet], _ reader: inout ProtectionReader
    ) throws(ClairoError) -> ReferenceSet {
        var set = ReferenceSet()
        if index > 0, try reader.flag() {
            let distance = index == total ? try reader.count(upTo: 63) + 1 : 1
            guard distance <= index else { throw ProtectionReader.unreadable("its reference pictures") }
            try reader.bits(1)
            try reader.unsigned()
            for _ in 0...sets[index - distance].count {
                let isUsed = try reader.flag()
                let isKept = isUsed ? true : try reader.flag()
                set.count += isKept ? 1 : 0
                set.used += isUsed ? 1 : 0
            }
            return set
        }
        set.count = try reader.count(upTo: 16) + (try reader.count(upTo: 16))
        for _ in 0..<set.count {
            try reader.unsigned()
            if try reader.flag() { set.used += 1 }
        }
        return set
    }

    private mutating func readPicture(_ unit: Data) throws(ClairoError) {
        var reader = ProtectionReader(unit, skipsEmulation: true)
        var set = Picture()
        try reader.bits(16)
        let id = try reader.count(upTo: 63)
        set.sequence = try reader.count(upTo: 15)
        set.hasDependentSlices = try reader.flag()
        set.hasOutputFlag = try reader.flag()
        set.extraBits = try reader.bits(3)
        try reader.bits(1)
        set.hasCABACInit = try reader.flag()
        set.references = [try reader.count(upTo: 15) + 1, try reader.count(upTo: 15) + 1]
        try reader.signed()
        try reader.bits(2)
        if try reader.flag() { try reader.unsigned() }
        try reader.signed()
        try reader.signed()
        set.hasChromaOffsets = try reader.flag()
        set.isWeighted = try reader.flag()
        set.isWeightedBi = try reader.flag()
        try reader.bits(1)
        let hasTiles = try reader.flag()
        set.hasEntryPoints = try reader.flag() || hasTiles
        if hasTiles {
            let (columns, rows) = (try reader.count(upTo: 255), try reader.count(upTo: 255))
            if try !reader.flag() { for _ in 0..<columns + rows { try reader.unsigned() } }
            try reader.bits(1)
        }
        set.filtersAcrossSlices = try reader.flag()
        if try reader.flag() {
            set.overridesDeblocking = try reader.flag()
            set.isDeblockingOff = try reader.flag()
            if !set.isDeblockingOff {
                try reader.signed()
                try reader.signed()
            }
        }
        if try reader.flag() { try Self.skipScalingLists(&reader) }
        set.modifiesLists = try reader.flag()
        try reader.unsigned()
        set.hasExtension = try reader.flag()
        // Extensions for ranges, layers and screen content change slice headers.
        if try reader.flag(), try reader.bits(4) != 0 { throw ProtectionReader.unreadable("it uses an extension") }
        pictures[id] = set
    }

    // MARK: Slice header

    /// The bytes of a unit before its slice data (7.3.6.1).
    private func headerSize(_ unit: Data) throws(ClairoError) -> Int {
        var reader = ProtectionReader(unit, skipsEmulation: true)
        try reader.bits(1)
        let unitType = try reader.bits(6)
        try reader.bits(9)
        let isFirst = try reader.flag()
        if (16...23).contains(unitType) { try reader.bits(1) }
        guard let picture = pictures[try reader.unsigned()], let sequence = sequences[picture.sequence] else {
            throw ProtectionReader.unreadable("its parameter sets are missing")
        }
        var isDependent = false
        if !isFirst {
            if picture.hasDependentSlices { isDependent = try reader.flag() }
            try reader.bits(sequence.addressBits)
        }
        if !isDependent { try skipIndependent(unitType, picture, sequence, &reader) }
        if picture.hasEntryPoints {
            let count = try reader.count(upTo: 1 << 16)
            if count > 0 {
                let size = try reader.count(upTo: 31) + 1
                for _ in 0..<count { try reader.bits(size) }
            }
        }
        if picture.hasExtension {
            for _ in 0..<(try reader.count(upTo: 256)) { try reader.bits(8) }
        }
        // A bit, and zeros up to the next byte.
        try reader.bits(1)
        try reader.align()
        return reader.byteCount
    }

    /// Skips the part of a header that dependent slice segments do not have.
    private func skipIndependent(
        _ unitType: Int, _ picture: Picture, _ sequence: Sequence, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        try reader.bits(picture.extraBits)
        let type = try reader.count(upTo: 2)
        let (isB, lists) = (type == 0, 2 - type)
        if picture.hasOutputFlag { try reader.bits(1) }
        if sequence.separatesPlanes { try reader.bits(2) }
        var used = 0
        var hasMotion = false
        if unitType != 19, unitType != 20 { (used, hasMotion) = try readReferences(sequence, &reader) }
        var filters = false
        if sequence.hasSAO {
            filters = try reader.flag()
            if sequence.chromaType != 0 { filters = try reader.flag() || filters }
        }
        if lists > 0 {
            try skipPrediction(
                isB: isB, lists: lists, used: used, hasMotion: hasMotion, picture, sequence, &reader)
        }
        try reader.signed()
        if picture.hasChromaOffsets {
            try reader.signed()
            try reader.signed()
        }
        var isDeblockingOff = picture.isDeblockingOff
        if picture.overridesDeblocking, try reader.flag() {
            isDeblockingOff = try reader.flag()
            if !isDeblockingOff {
                try reader.signed()
                try reader.signed()
            }
        }
        if picture.filtersAcrossSlices, filters || !isDeblockingOff { try reader.bits(1) }
    }

    /// - Returns: The number of pictures that the picture uses, and whether it may predict motion in time.
    private func readReferences(
        _ sequence: Sequence, _ reader: inout ProtectionReader
    ) throws(ClairoError) -> (used: Int, hasMotion: Bool) {
        try reader.bits(sequence.orderBits)
        let sets = sequence.referenceSets
        var used: Int
        if try reader.flag() {
            let index = try reader.bits(Self.bits(for: sets.count))
            guard index < sets.count else { throw ProtectionReader.unreadable("its reference pictures") }
            used = sets[index].used
        } else {
            used = try Self.referenceSet(sets.count, of: sets.count, sets, &reader).used
        }
        if let known = sequence.longTermCount {
            let listed = known > 0 ? try reader.count(upTo: 33) : 0
            for index in 0..<listed + (try reader.count(upTo: 33)) {
                if index < listed {
                    let entry = try reader.bits(Self.bits(for: known))
                    guard entry < known else { throw ProtectionReader.unreadable("its reference pictures") }
                    used += sequence.longTermUsed[entry] ? 1 : 0
                } else {
                    try reader.bits(sequence.orderBits)
                    used += try reader.flag() ? 1 : 0
                }
                if try reader.flag() { try reader.unsigned() }
            }
        }
        return (used, sequence.hasTemporalMotion ? try reader.flag() : false)
    }

    private func skipPrediction(
        isB: Bool, lists: Int, used: Int, hasMotion: Bool, _ picture: Picture, _ sequence: Sequence,
        _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        var references = picture.references
        if try reader.flag() {
            references[0] = try reader.count(upTo: 15) + 1
            if isB { references[1] = try reader.count(upTo: 15) + 1 }
        }
        if picture.modifiesLists, used > 1 {
            for list in 0..<lists where try reader.flag() {
                try reader.bits(references[list] * Self.bits(for: used))
            }
        }
        if isB { try reader.bits(1) }
        if picture.hasCABACInit { try reader.bits(1) }
        if hasMotion {
            let isFirstList = isB ? try reader.flag() : true
            let list = isFirstList ? 0 : 1
            if references[list] > 1 { try reader.unsigned() }
        }
        if isB ? picture.isWeightedBi : picture.isWeighted {
            try reader.unsigned()
            if sequence.chromaType != 0 { try reader.signed() }
            for list in 0..<lists { try skipWeights(references[list], sequence, &reader) }
        }
        try reader.unsigned()
    }

    /// Skips the weights of one list in `pred_weight_table` (7.3.6.3).
    private func skipWeights(
        _ count: Int, _ sequence: Sequence, _ reader: inout ProtectionReader
    ) throws(ClairoError) {
        var luma: [Bool] = []
        for _ in 0..<count { luma.append(try reader.flag()) }
        var chroma = [Bool](repeating: false, count: count)
        if sequence.chromaType != 0 { for index in 0..<count { chroma[index] = try reader.flag() } }
        for index in 0..<count {
            for _ in 0..<(luma[index] ? 2 : 0) + (chroma[index] ? 4 : 0) { try reader.signed() }
        }
    }
}
