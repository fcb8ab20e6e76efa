internal import ClairoCore
internal import Foundation

/// Finds the slice data of H.264 (ITU-T H.264, 7.3). Headers of units and slices stay clear (ISO/IEC 23001-7, 9.5 and
/// 10.4; CMAF, 8.2), because players read them before they decrypt.
struct ProtectionH264 {
    private struct Sequence {
        var separatesPlanes = false
        var chromaType = 1
        var frameNumberBits = 4
        var orderType = 0
        var orderBits = 4
        var hasNoOrderDeltas = false
        var hasOnlyFrames = true
    }

    private struct Picture {
        var sequence = 0
        var isCABAC = false
        var hasFieldOrder = false
        var references = [1, 1]
        var isWeighted = false
        var weightedBi = 0
        var hasDeblocking = false
        var hasRedundant = false
    }

    private var sequences: [Int: Sequence] = [:]
    private var pictures: [Int: Picture] = [:]

    /// - Parameter configuration: The payload of `avcC` (ISO/IEC 14496-15, 5.3.3.1).
    init(configuration: Data) throws(ClairoError) {
        var position = 5
        for mask in [31, 255] {
            guard let count = configuration.dropFirst(position).first.map({ Int($0) & mask }) else {
                throw ProtectionReader.unreadable("its parameter sets are missing")
            }
            position += 1
            for _ in 0..<count {
                let length = configuration.dropFirst(position).prefix(2).reduce(0) { $0 << 8 | Int($1) }
                let unit = Data(configuration.dropFirst(position + 2).prefix(length))
                position += 2 + length
                if mask == 31 { try readSequence(unit) } else { try readPicture(unit) }
            }
        }
    }

    /// The slice data of each sample.
    func ranges(_ samples: [Data]) throws(ClairoError) -> [[Range<Int>]] {
        try protectionRanges(of: samples) { (unit) throws(ClairoError) in
            switch (unit.first ?? 0) & 31 {
            case 1, 5: return try headerSize(unit)
            case 2, 3, 4: throw ProtectionReader.unreadable("it has data partitions")
            // They would stay clear.
            case 19, 20, 21: throw ProtectionReader.unreadable("it has auxiliary pictures or layers")
            default: return nil
            }
        }
    }

    // MARK: Parameter sets

    private mutating func readSequence(_ unit: Data) throws(ClairoError) {
        var reader = ProtectionReader(unit, skipsEmulation: true)
        var set = Sequence()
        try reader.bits(8)
        let profile = try reader.bits(8)
        try reader.bits(16)
        let id = try reader.count(upTo: 31)
        if [100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135].contains(profile) {
            let chroma = try reader.count(upTo: 3)
            if chroma == 3 { set.separatesPlanes = try reader.flag() }
            set.chromaType = set.separatesPlanes ? 0 : chroma
            try reader.unsigned()
            try reader.unsigned()
            try reader.bits(1)
            if try reader.flag() {
                for list in 0..<(chroma == 3 ? 12 : 8) where try reader.flag() {
                    try Self.skipScalingList(list < 6 ? 16 : 64, &reader)
                }
            }
        }
        set.frameNumberBits = try reader.count(upTo: 12) + 4
        set.orderType = try reader.count(upTo: 2)
        if set.orderType == 0 {
            set.orderBits = try reader.count(upTo: 12) + 4
        } else if set.orderType == 1 {
            set.hasNoOrderDeltas = try reader.flag()
            try reader.signed()
            try reader.signed()
            for _ in 0..<(try reader.count(upTo: 255)) { try reader.signed() }
        }
        try reader.unsigned()
        try reader.bits(1)
        try reader.unsigned()
        try reader.unsigned()
        set.hasOnlyFrames = try reader.flag()
        sequences[id] = set
    }

    private static func skipScalingList(_ size: Int, _ reader: inout ProtectionReader) throws(ClairoError) {
        var (last, next) = (8, 8)
        for _ in 0..<size {
            if next != 0 { next = (last + (try reader.signed()) + 256) % 256 }
            last = next == 0 ? last : next
        }
    }

    private mutating func readPicture(_ unit: Data) throws(ClairoError) {
        var reader = ProtectionReader(unit, skipsEmulation: true)
        var set = Picture()
        try reader.bits(8)
        let id = try reader.count(upTo: 255)
        set.sequence = try reader.count(upTo: 31)
        set.isCABAC = try reader.flag()
        set.hasFieldOrder = try reader.flag()
        guard try reader.unsigned() == 0 else { throw ProtectionReader.unreadable("it has groups of slices") }
        set.references = [try reader.count(upTo: 31) + 1, try reader.count(upTo: 31) + 1]
        set.isWeighted = try reader.flag()
        set.weightedBi = try reader.bits(2)
        try reader.signed()
        try reader.signed()
        try reader.signed()
        set.hasDeblocking = try reader.flag()
        try reader.bits(1)
        set.hasRedundant = try reader.flag()
        pictures[id] = set
    }

    // MARK: Slice header

    /// The bytes of a unit before its slice data (7.3.3).
    private func headerSize(_ unit: Data) throws(ClairoError) -> Int {
        var reader = ProtectionReader(unit, skipsEmulation: true)
        try reader.bits(1)
        let isReference = try reader.bits(2) != 0
        let isIDR = try reader.bits(5) == 5
        try reader.unsigned()
        let type = try reader.count(upTo: 9) % 5
        let (isP, isB) = (type == 0 || type == 3, type == 1)
        guard let picture = pictures[try reader.unsigned()], let sequence = sequences[picture.sequence] else {
            throw ProtectionReader.unreadable("its parameter sets are missing")
        }
        if sequence.separatesPlanes { try reader.bits(2) }
        try reader.bits(sequence.frameNumberBits)
        var isField = false
        if !sequence.hasOnlyFrames {
            isField = try reader.flag()
            if isField { try reader.bits(1) }
        }
        if isIDR { try reader.unsigned() }
        let hasBottom = picture.hasFieldOrder && !isField
        if sequence.orderType == 0 {
            try reader.bits(sequence.orderBits)
            if hasBottom { try reader.signed() }
        } else if sequence.orderType == 1, !sequence.hasNoOrderDeltas {
            try reader.signed()
            if hasBottom { try reader.signed() }
        }
        if picture.hasRedundant { try reader.unsigned() }
        if isB { try reader.bits(1) }
        var references = picture.references
        if isP || isB, try reader.flag() {
            references[0] = try reader.count(upTo: 31) + 1
            if isB { references[1] = try reader.count(upTo: 31) + 1 }
        }
        let lists = isB ? 2 : isP ? 1 : 0
        for _ in 0..<lists where try reader.flag() {
            while try reader.count(upTo: 5) != 3 { try reader.unsigned() }
        }
        if isP && picture.isWeighted || isB && picture.weightedBi == 1 {
            try reader.unsigned()
            if sequence.chromaType != 0 { try reader.unsigned() }
            for list in 0..<lists {
                for _ in 0..<references[list] {
                    if try reader.flag() { for _ in 0..<2 { try reader.signed() } }
                    if sequence.chromaType != 0, try reader.flag() { for _ in 0..<4 { try reader.signed() } }
                }
            }
        }
        if isReference { try Self.skipMarking(isIDR: isIDR, &reader) }
        if picture.isCABAC, lists > 0 { try reader.unsigned() }
        try reader.signed()
        if type == 3 { try reader.bits(1) }
        if type >= 3 { try reader.signed() }
        if picture.hasDeblocking, try reader.unsigned() != 1 {
            try reader.signed()
            try reader.signed()
        }
        return reader.byteCount
    }

    /// Skips `dec_ref_pic_marking` (7.3.3.3).
    private static func skipMarking(isIDR: Bool, _ reader: inout ProtectionReader) throws(ClairoError) {
        if isIDR {
            try reader.bits(2)
            return
        }
        guard try reader.flag() else { return }
        while true {
            let operation = try reader.count(upTo: 6)
            if operation == 0 { return }
            if operation != 5 { try reader.unsigned() }
            if operation == 3 { try reader.unsigned() }
        }
    }
}
