internal import ClairoCore
internal import Foundation

/// Where an object of the plan is: a file, or a part of one.
struct Place: Hashable {
    var key: ObjectKey
    /// Nil for the whole file.
    var range: Range<Int64>?
}

extension Verifier {
    /// Reads the index of each rendition's one file and checks it. Returns the places of all init segments and segments,
    /// so that the other checks find them.
    func readSingleFiles(_ plan: Plan, _ checks: inout Checks) throws -> [ObjectKey: Place] {
        var places: [ObjectKey: Place] = [:]
        for rendition in plan.renditions where rendition.kind.hasInitSegment {
            try control.checkCancellation()
            let key = rendition.singleFileKey
            guard try store.size(of: key) != nil else {
                checks.expect(false, "index", rendition.folder, "", "\(key) is missing")
                continue
            }
            do throws(ClairoError) {
                let head = try SingleFileHead(store.open(key))
                let problem = head.problem(of: rendition)
                checks.expect(
                    problem == nil, "index", rendition.folder, "sidx refers to \(rendition.segmentCount) segments",
                    problem ?? "")
                places[rendition.initKey] = Place(key: key, range: 0..<head.initBytes)
                for (segment, range) in zip(rendition.segmentKeys, head.segments) {
                    places[segment] = Place(key: key, range: range)
                }
            } catch {
                guard error.exitCode == .inputOutput else { throw error }
                checks.expect(false, "index", rendition.folder, "", "\(key) cannot be read: \(error.message)")
            }
        }
        return places
    }

    /// The place of an object of the plan.
    func place(of key: ObjectKey) -> Place { places[key] ?? Place(key: key) }

    /// The place that an entry of a playlist names.
    func place(_ entry: HLSSegment, in playlist: ObjectKey) -> Place {
        Place(key: OutputLayout.key(of: entry.uri, in: playlist), range: entry.byteRange)
    }

    /// Reads a part of a file; nil if the file is shorter.
    func bytes(of place: Place) throws(ClairoError) -> Data? {
        guard let range = place.range else { return try bytes(of: place.key) }
        guard try store.size(of: place.key) ?? 0 >= range.upperBound else { return nil }
        return try store.open(place.key).part(at: range.lowerBound, count: range.count)
    }
}

/// The front of a rendition's one file: its boxes up to the index, and where the segments are.
struct SingleFileHead {
    /// The size of `ftyp` and `moov`.
    private(set) var initBytes: Int64 = 0
    /// The place of `sidx`.
    private(set) var index: Range<Int64> = 0..<0
    private(set) var timescale: Int64 = 1
    private(set) var references: [SegmentIndex.Reference] = []
    private let size: Int64

    /// The index of 65535 segments has less than a megabyte.
    private static let mostBytes: Int64 = 1 << 20

    init(_ file: any ByteSource) throws(ClairoError) {
        size = file.size
        var names: [String] = []
        var offset: Int64 = 0
        while names.last != "sidx" {
            guard names.count < 3, offset + 8 <= size else { throw FragmentReader.damaged("it has no sidx") }
            let header = try file.part(at: offset, count: 8)
            let length = header.prefix(4).reduce(Int64(0)) { $0 << 8 | Int64($1) }
            guard length >= 8, length <= Self.mostBytes, offset + length <= size else {
                throw FragmentReader.damaged("a box at its front has a wrong size")
            }
            names.append(String(decoding: header.suffix(4), as: UTF8.self))
            offset += length
            index = offset - length..<offset
        }
        guard names == ["ftyp", "moov", "sidx"] else {
            throw FragmentReader.damaged("it begins with \(names.joined(separator: ", "))")
        }
        initBytes = index.lowerBound
        let parsed = try SegmentIndex.parse(file.part(at: index.lowerBound + 8, count: index.count - 8))
        (timescale, references) = (parsed.timescale, parsed.references)
    }

    /// The byte ranges of the segments.
    var segments: [Range<Int64>] {
        var position = index.upperBound
        return references.map { reference in
            defer { position += Int64(reference.bytes) }
            return position..<position + Int64(reference.bytes)
        }
    }

    /// What is wrong if this is the file of a rendition, or nil.
    func problem(of rendition: any SegmentedRendition) -> String? {
        let end = segments.last?.upperBound ?? index.upperBound
        let length = Rational(references.reduce(Int64(0)) { $0 + $1.ticks }, timescale)
        if references.count != rendition.segmentCount {
            return "sidx refers to \(references.count) segments instead of \(rendition.segmentCount)"
        }
        if timescale != rendition.timescale { return "sidx has the timescale \(timescale)" }
        if end != size { return "sidx describes \(end) bytes of \(size)" }
        if abs((length - rendition.duration).doubleValue) > rendition.unitDuration.doubleValue + 0.001 {
            return "sidx lasts \(length.doubleValue) s instead of \(rendition.duration.doubleValue) s"
        }
        return nil
    }
}
