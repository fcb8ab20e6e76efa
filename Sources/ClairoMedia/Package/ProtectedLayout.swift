internal import ClairoCore
internal import Foundation

/// The layout of a rendition whose samples are going to be encrypted (ISO/IEC 23001-7; CMAF, 8).
///
/// Encoders and writers know nothing of protection. They make a plain init segment and plain segments, and this adds the
/// boxes: `encv` or `enca` with `sinf` to the init segment, and to each fragment `senc`, `saiz` and `saio` with zeros for
/// initialization vectors. The samples stay clear until the process that has the keys stores them (`FragmentCipher`).
struct ProtectedLayout: Sendable {
    private let protection: Protection
    private let folder: String
    private let keyID: KeyID

    /// - Parameters:
    ///   - protection: The protection of the plan.
    ///   - folder: The folder of the rendition.
    /// - Returns: Nil if the samples of the rendition are not encrypted.
    /// - Throws: `configuration` if the plan has no key for the rendition.
    init?(_ protection: Protection?, folder: String) throws(ClairoError) {
        guard let protection, protection.scheme.encryptsSamples,
            Protection.protectedFolder(of: ObjectKey(folder + "/init.mp4")) != nil
        else { return nil }
        guard let id = protection.keyID(of: folder) else {
            throw .configuration(
                "The key file has no key for \(folder)", advice: "Add a line with KID:KEY, which is for all tracks.")
        }
        self.protection = protection
        self.folder = folder
        keyID = id
    }

    // MARK: Init segments

    /// Adds the boxes of protection to a plain init segment.
    func initSegment(_ plain: Data) throws(ClairoError) -> Data {
        let entries = try Boxes.rewrite(plain, Self.pathToEntry) { (type, payload) throws(ClairoError) in
            var entry = BoxWriter()
            entry.box(Self.isVideo(type) ? "encv" : "enca") { box in
                box.bytes(payload)
                box.box("sinf") { writeInformation(of: type, to: &$0) }
            }
            return entry.data
        }
        guard let systems = protection.systemBoxes, !systems.isEmpty else { return entries }
        return try Boxes.rewrite(entries, ["moov"]) { (_, payload) throws(ClairoError) in
            var moov = BoxWriter()
            moov.box("moov") { box in
                box.bytes(payload)
                for system in systems { box.bytes(system) }
            }
            return moov.data
        }
    }

    private static let pathToEntry = ["moov", "trak", "mdia", "minf", "stbl", "stsd", ""]

    private static func isVideo(_ entry: String) -> Bool {
        VideoCodec.allCases.contains { $0.coding.sampleEntry == entry }
    }

    /// Writes the contents of `sinf` (ISO/IEC 14496-12, 8.12; ISO/IEC 23001-7, 8.2).
    private func writeInformation(of format: String, to box: inout BoxWriter) {
        box.box("frma") { $0.text(format) }
        box.fullBox("schm") { schm in
            schm.text(protection.scheme.rawValue)
            schm.u32(0x0001_0000)
        }
        box.box("schi") { schi in
            let hasPattern = protection.scheme == .cbcs
            schi.fullBox("tenc", version: hasPattern ? 1 : 0) { tenc in
                tenc.u8(0)
                // Of video, one block of ten is encrypted; of audio, every block.
                tenc.u8(hasPattern && Self.isVideo(format) ? 0x19 : 0)
                tenc.u8(1)
                tenc.u8(UInt8(protection.scheme.sampleIVSize))
                tenc.bytes(keyID.bytes)
                if protection.scheme.sampleIVSize == 0 {
                    let iv = protection.constantIV(of: folder)
                    tenc.u8(UInt8(iv.count))
                    tenc.bytes(iv)
                }
            }
        }
    }

    /// The plain form of an init segment: a protected one without its protection, any other as it is. Only this form
    /// describes the samples to decoders that get them in clear.
    static func plainInitSegment(_ data: Data) throws(ClairoError) -> Data {
        try Boxes.rewrite(data, pathToEntry) { (type, payload) throws(ClairoError) in
            guard type == "encv" || type == "enca" else { return nil }
            // Where the boxes of a sample entry begin (ISO/IEC 14496-12, 12.1.3 and 12.2.3).
            let fields = type == "encv" ? 78 : 28
            var children = Boxes(payload.dropFirst(fields))
            var kept = Data(payload.prefix(fields))
            var format: String?
            while let child = try children.next() {
                if child.type == "sinf" {
                    format = InitSegment.payload(of: "frma", in: child.whole).map {
                        String(decoding: $0, as: UTF8.self)
                    }
                } else {
                    kept += child.whole
                }
            }
            guard let format, format.utf8.count == 4 else {
                throw FragmentReader.damaged("its init.mp4 does not name its format")
            }
            var entry = BoxWriter()
            entry.box(format) { $0.bytes(kept) }
            return entry.data
        }
    }

    // MARK: Segments

    /// Adds the boxes of protection to the fragments of a plain segment.
    /// - Parameters:
    ///   - index: The index of the segment, from 0.
    ///   - initSegment: The plain init segment.
    /// - Throws: `badMedia` for a picture whose headers cannot be read.
    func segment(_ plain: Data, index: Int, initSegment: Data) throws(ClairoError) -> Data {
        let codec = VideoCodec.allCases.first { InitSegment.payload(of: $0.coding.sampleEntry, in: initSegment) != nil }
        let isClear = index < protection.clearSegments ?? 0
        guard
            let samples = SampleProtection(
                protection, codec: codec.flatMap { folder.hasPrefix("video/") ? $0 : nil }, initSegment: initSegment),
            samples.hasMap || isClear
        else { return plain }
        var fragments = try FragmentReader.fragments(of: plain)[...]
        var result = Data(capacity: plain.count + plain.count / 50)
        var boxes = Boxes(plain)
        while let box = try boxes.next() {
            guard box.type == "moof", let fragment = fragments.popFirst() else {
                result += box.whole
                continue
            }
            let start = plain.startIndex
            let data = fragment.samples.map { plain[start + $0.offset..<start + $0.offset + $0.size] }
            let added = isClear ? Self.clearBoxes(count: data.count) : try Self.boxes(samples, data)
            result += try Self.moof(box.payload, adding: added.boxes, firstEntry: added.firstEntry)
        }
        return result
    }

    /// Boxes for the end of `traf`, and the position of the first entry of `senc` in them.
    private typealias AddedBoxes = (boxes: Data, firstEntry: Int?)

    /// Makes `senc` (ISO/IEC 23001-7, 7.2), then `saiz` and `saio` (ISO/IEC 14496-12, 8.7.8 and 8.7.9), whose offset is
    /// filled in later.
    private static func boxes(_ protection: SampleProtection, _ samples: [Data]) throws(ClairoError) -> AddedBoxes {
        let maps = try protection.maps(samples)
        let sizes = samples.indices.map { index in
            protection.ivSize + (maps.map { 2 + 6 * $0[index].count } ?? 0)
        }
        guard sizes.allSatisfy({ $0 <= Int(UInt8.max) }) else {
            throw ProtectionReader.unreadable("it has too many parts")
        }
        var writer = BoxWriter()
        var firstEntry = 0
        writer.fullBox("senc", flags: maps == nil ? 0 : 2) { senc in
            senc.u32(UInt32(samples.count))
            firstEntry = senc.count
            for index in samples.indices {
                senc.zeros(protection.ivSize)
                guard let map = maps?[index] else { continue }
                senc.u16(UInt16(map.count))
                for part in map {
                    senc.u16(UInt16(part.clear))
                    senc.u32(UInt32(part.encrypted))
                }
            }
        }
        let isUniform = Set(sizes).count == 1
        writer.fullBox("saiz") { saiz in
            saiz.u8(isUniform ? UInt8(sizes[0]) : 0)
            saiz.u32(UInt32(sizes.count))
            if !isUniform { for size in sizes { saiz.u8(UInt8(size)) } }
        }
        writer.fullBox("saio") { saio in
            saio.u32(1)
            saio.u32(0)
        }
        return (writer.data, firstEntry)
    }

    /// Makes a sample group that says that all samples are clear (ISO/IEC 23001-7, 6).
    private static func clearBoxes(count: Int) -> AddedBoxes {
        var writer = BoxWriter()
        writer.fullBox("sgpd", version: 1) { sgpd in
            sgpd.text("seig")
            sgpd.u32(20)
            sgpd.u32(1)
            sgpd.zeros(20)
        }
        writer.fullBox("sbgp") { sbgp in
            sbgp.text("seig")
            sbgp.u32(1)
            sbgp.u32(UInt32(count))
            // The first description of this fragment.
            sbgp.u32(0x10001)
        }
        return (writer.data, nil)
    }

    /// Writes `moof` with boxes at the end of its `traf`, and moves the offsets of what follows.
    private static func moof(_ payload: Data, adding boxes: Data, firstEntry: Int?) throws(ClairoError) -> Data {
        var writer = BoxWriter()
        var children = Boxes(payload)
        var parts: [Boxes.Box] = []
        while let child = try children.next() { parts.append(child) }
        var failure: ClairoError?
        var added = 0
        writer.box("moof") { moof in
            for part in parts {
                guard part.type == "traf" else {
                    moof.bytes(part.whole)
                    continue
                }
                let start = moof.count
                moof.bytes(part.whole)
                added = moof.count
                moof.bytes(boxes)
                moof.patch(UInt32(moof.count - start), at: start)
                do throws(ClairoError) {
                    try moveRuns(part, at: start, by: boxes.count, in: &moof)
                } catch {
                    failure = error
                }
            }
        }
        if let failure { throw failure }
        // The offset of `saio` is its last field, and counts from the start of `moof`.
        if let firstEntry { writer.patch(UInt32(added + firstEntry), at: added + boxes.count - 4) }
        return writer.data
    }

    /// Adds to the data offset of each `trun` in a `traf` that was written at `start`.
    private static func moveRuns(
        _ traf: Boxes.Box, at start: Int, by count: Int, in writer: inout BoxWriter
    ) throws(ClairoError) {
        var position = start + 8
        var children = Boxes(traf.payload)
        while let child = try children.next() {
            if child.type == "trun" {
                // Version and flags, the number of samples, the offset.
                let fields = child.payload.prefix(12)
                guard fields.count == 12, fields.dropFirst(3).first.map({ $0 & 1 == 1 }) == true else {
                    throw FragmentReader.damaged("a run of samples has no offset")
                }
                let offset = fields.suffix(4).reduce(0) { $0 << 8 | Int($1) }
                writer.patch(UInt32(offset + count), at: position + 16)
            }
            position += child.whole.count
        }
    }
}

/// Reads consecutive boxes.
private struct Boxes {
    struct Box {
        var type: String
        /// With the header.
        var whole: Data
        var payload: Data
    }

    private var rest: Data

    init(_ data: Data) { rest = data }

    mutating func next() throws(ClairoError) -> Box? {
        if rest.isEmpty { return nil }
        let header = rest.prefix(8)
        let size = header.prefix(4).reduce(0) { $0 << 8 | Int($1) }
        guard header.count == 8, size >= 8, size <= rest.count else {
            throw FragmentReader.damaged("a box has a wrong size")
        }
        defer { rest = rest.dropFirst(size) }
        return Box(
            type: String(decoding: header.suffix(4), as: UTF8.self), whole: rest.prefix(size),
            payload: rest.prefix(size).dropFirst(8))
    }

    /// Replaces the boxes at the end of a path.
    /// - Parameters:
    ///   - path: The types of the boxes around them, from the outside, and their own; empty for any type.
    ///   - change: Returns a whole box in place of one; nil to keep it.
    static func rewrite(
        _ data: Data, _ path: [String], _ change: (String, Data) throws(ClairoError) -> Data?
    ) throws(ClairoError) -> Data {
        var boxes = Boxes(data)
        var result = Data()
        while let box = try boxes.next() {
            guard let type = path.first, type.isEmpty || box.type == type else {
                result += box.whole
                continue
            }
            if path.count == 1 {
                result += try change(box.type, Data(box.payload)) ?? box.whole
                continue
            }
            // `stsd` has fields before its entries.
            let fields = box.type == "stsd" ? 8 : 0
            let inner = try rewrite(box.payload.dropFirst(fields), Array(path.dropFirst()), change)
            var writer = BoxWriter()
            writer.box(box.type) { writer in
                writer.bytes(box.payload.prefix(fields))
                writer.bytes(inner)
            }
            result += writer.data
        }
        return result
    }
}
