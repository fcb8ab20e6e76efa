import ClairoCore
import Foundation

/// Parses a DASH manifest as a player would, for `clairo verify`. It supports what Clairo writes: one static period of
/// SegmentTemplates with a SegmentTimeline, or SegmentLists with one or with a constant duration. Anything else is an
/// error with its line.
///
/// The XML is untrusted. A document type declaration is rejected, which excludes entities; only UTF-8 is accepted, so
/// that none can hide in another encoding. Sizes and counts are limited, and arithmetic is checked for overflow. File
/// names are returned as written, not resolved.
enum DASHParser {
    static let maximumBytes = 16 << 20
    /// The maximum number of segments over all representations.
    static let maximumSegments = 1_000_000
    /// The maximum number of UTF-8 bytes in one file name, and in all of them.
    static let maximumNameBytes = 1024
    static let maximumNamesBytes = 128 << 20

    static func parse(_ data: Data) throws(DASHParseError) -> DASHDocument {
        try refuseTricks(data)
        let reader = Reader()
        var xml = try asDASH { () throws(XMLError) in try XMLReader(data) }
        while let event = try asDASH({ () throws(XMLError) in try xml.next() }) {
            reader.line = xml.line
            switch event {
            case .start(let name, let attributes): try reader.start(name, attributes)
            case .end: try reader.end()
            case .text(let text): try reader.text(text)
            }
        }
        guard reader.hasPeriod else { throw DASHParseError(line: 1, reason: "no MPD with a Period") }
        return reader.document
    }

    private static func asDASH<R>(_ body: () throws(XMLError) -> R) throws(DASHParseError) -> R {
        do { return try body() } catch { throw DASHParseError(line: error.line, reason: error.reason) }
    }

    private static func refuseTricks(_ data: Data) throws(DASHParseError) {
        func refuse(_ condition: Bool, _ reason: String) throws(DASHParseError) {
            if condition { throw DASHParseError(line: 1, reason: reason) }
        }
        try refuse(data.count > maximumBytes, "larger than \(maximumBytes) bytes")
        guard let text = String(validating: data, as: UTF8.self) else {
            throw DASHParseError(line: 1, reason: "not UTF-8")
        }
        try refuse(text.utf8.contains(0), "a zero byte")
        try refuse(!text.utf8.starts(with: "<".utf8), "does not begin with <")
        if text.utf8.starts(with: "<?xml".utf8) {
            let declaration = text.prefix { $0 != ">" }.lowercased().filter { !$0.isWhitespace }
            let others = declaration.replacingOccurrences(of: "encoding=\"utf-8\"", with: "")
                .replacingOccurrences(of: "encoding='utf-8'", with: "")
            try refuse(others.contains("encoding"), "an encoding other than UTF-8")
        }
        try refuse(data.range(of: Data("<!DOCTYPE".utf8)) != nil, "a document type declaration")
        try refuse(data.range(of: Data("<!ENTITY".utf8)) != nil, "an entity declaration")
    }

    /// Parses a duration such as `PT1H2M3.5S` to seconds. Years and months are rejected, because they have no fixed
    /// length.
    static func seconds(isoDuration text: String) -> Rational? {
        var rest = text.utf8[...]
        guard rest.popFirst() == UInt8(ascii: "P") else { return nil }
        var units: [(letter: UInt8, seconds: Int64)] = [(UInt8(ascii: "D"), 86_400)]
        var total = Rational.zero
        var isEmpty = true
        var isTime = false
        while let next = rest.first {
            if next == UInt8(ascii: "T") {
                guard !isTime else { return nil }
                isTime = true
                units = [(UInt8(ascii: "H"), 3600), (UInt8(ascii: "M"), 60), (UInt8(ascii: "S"), 1)]
                rest.removeFirst()
                isEmpty = true
                continue
            }
            let digits = rest.prefix { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(digits.count)
            guard let value = StrictNumber.decimal(Substring(digits)), let letter = rest.popFirst(),
                let index = units.firstIndex(where: { $0.letter == letter }),
                value.den == 1 || letter == UInt8(ascii: "S")
            else { return nil }
            total = total + value * Rational(units[index].seconds)
            units.removeFirst(index + 1)
            isEmpty = false
        }
        return isEmpty ? nil : total
    }
}

/// A violation of the rules in a manifest, with its line.
struct DASHParseError: Error, Equatable, CustomStringConvertible {
    /// Counted from 1.
    var line: Int
    var reason: String

    var description: String { "line \(line): \(reason)" }
}

/// A parsed manifest.
struct DASHDocument: Equatable {
    /// The value of mediaPresentationDuration in seconds.
    var duration = Rational.zero
    var profiles: [String] = []
    /// The value of minBufferTime in seconds.
    var minBufferTime: Rational?
    var adaptationSets: [DASHAdaptationSet] = []
}

/// A set of representations between which a player can switch.
struct DASHAdaptationSet: Equatable {
    /// `video`, `audio` or `image`.
    var contentType: String
    var id: String?
    var language: String?
    /// Values of the DASH role scheme, such as `main`.
    var roles: [String] = []
    /// The value of AudioChannelConfiguration.
    var channels: String?
    /// The ids of keys (`cenc:default_KID`), as UUIDs.
    var keyIDs: [String] = []
    var representations: [DASHRepresentation] = []
}

/// A rendition and its files.
struct DASHRepresentation: Equatable {
    var id: String
    /// The ids of keys (`cenc:default_KID`), as UUIDs.
    var keyIDs: [String] = []
    /// Bits per second.
    var bandwidth: Int64
    var codecs: String
    var width: Int?
    var height: Int?
    var frameRate: Rational?
    var audioSamplingRate: Int?
    /// For images, how many tiles are beside and above each other, such as `5x5`.
    var tiles: String?
    /// Ticks per second.
    var timescale: Int64 = 1
    /// The name of the initialization segment, relative to the manifest; empty for images.
    var initialization = ""
    /// The one file with the initialization segment and all segments, which an index in it describes. There are no
    /// `segments` then.
    var file: DASHFile?
    /// The name of a file that is the whole representation, such as one of text, relative to the manifest.
    var wholeFile: String?
    var segments: [DASHSegment] = []
}

/// The file of a representation that is addressed by SegmentBase.
struct DASHFile: Equatable {
    /// The name, relative to the manifest.
    var name: String
    var initialization: Range<Int64>
    /// The place of the index (`sidx`).
    var index: Range<Int64>
}

struct DASHSegment: Equatable {
    /// The file name, relative to the manifest.
    var name: String
    /// The start on the period's timeline in seconds.
    var start: Rational
    /// The duration in seconds.
    var duration: Rational
}

/// A SegmentTemplate or SegmentList with its SegmentTimeline, before they are resolved for a representation.
private struct Addresses {
    enum Names {
        case template(initialization: String?, media: String, startNumber: Int64)
        case list(initialization: String?, media: [String])
    }

    var timescale: Int64
    var names: Names
    /// The duration of all segments of a list but the last, in ticks; nil if there is a timeline.
    var constantDuration: Int64?
    /// Runs of segments of equal duration, in ticks. They are expanded only after a representation's limits are
    /// checked.
    var runs: [(start: Int64, duration: Int64, count: Int64)] = []
    var end: Int64 = 0
}

/// Builds the document from XML events.
private final class Reader {
    var document = DASHDocument()
    var hasPeriod = false
    var line = 1
    private var path: [String] = []
    private var set: DASHAdaptationSet?
    private var setAddresses: Addresses?
    private var representation: DASHRepresentation?
    private var addresses: Addresses?
    /// What addresses the one file of the open representation.
    private var baseURL: String?
    private var indexRange: Range<Int64>?
    private var initializationRange: Range<Int64>?
    private var ids: Set<String> = []
    /// The remaining limits for the whole document.
    private var segmentsLeft = DASHParser.maximumSegments
    private var nameBytesLeft = DASHParser.maximumNamesBytes

    private func error(_ reason: String) -> DASHParseError { DASHParseError(line: line, reason: reason) }

    func start(_ name: String, _ attributes: [String: String]) throws(DASHParseError) {
        path.append(name)
        if path.count == 1, name != "MPD" { throw error("the root is not MPD") }
        switch path.joined(separator: "/") {
        case "MPD":
            guard attributes["type"] ?? "static" == "static" else { throw error("not a static MPD") }
            guard let text = attributes["mediaPresentationDuration"],
                let duration = DASHParser.seconds(isoDuration: text)
            else { throw error("mediaPresentationDuration is missing or no duration") }
            document.duration = duration
            document.minBufferTime = attributes["minBufferTime"].flatMap(DASHParser.seconds(isoDuration:))
            document.profiles = (attributes["profiles"] ?? "").split(separator: ",").map {
                $0.trimmingCharacters(in: .whitespaces)
            }
        case "MPD/Period":
            guard !hasPeriod else { throw error("more than one Period") }
            hasPeriod = true
        case "MPD/BaseURL", "MPD/Period/BaseURL", "MPD/Period/SegmentTemplate", "MPD/Period/SegmentList",
            "MPD/Period/AdaptationSet/BaseURL", "MPD/Period/AdaptationSet/SegmentList",
            "MPD/Period/SegmentBase", "MPD/Period/AdaptationSet/SegmentBase":
            throw error("\(name) here is something that Clairo does not write and does not read")
        case "MPD/Period/AdaptationSet":
            let kind = attributes["contentType"] ?? attributes["mimeType"].map { String($0.prefix { $0 != "/" }) }
            set = DASHAdaptationSet(contentType: kind ?? "", id: attributes["id"], language: attributes["lang"])
        case "MPD/Period/AdaptationSet/Role":
            if attributes["schemeIdUri"] == "urn:mpeg:dash:role:2011" {
                set?.roles.append(attributes["value"] ?? "")
            }
        case "MPD/Period/AdaptationSet/AudioChannelConfiguration":
            set?.channels = attributes["value"]
        case "MPD/Period/AdaptationSet/ContentProtection":
            if let id = attributes["cenc:default_KID"] { set?.keyIDs.append(id) }
        case "MPD/Period/AdaptationSet/Representation/ContentProtection":
            if let id = attributes["cenc:default_KID"] { representation?.keyIDs.append(id) }
        case "MPD/Period/AdaptationSet/SegmentTemplate":
            setAddresses = try readTemplate(attributes)
        case "MPD/Period/AdaptationSet/SegmentTemplate/SegmentTimeline/S":
            try extend(&setAddresses, attributes)
        case "MPD/Period/AdaptationSet/Representation":
            representation = try readRepresentation(attributes)
        case "MPD/Period/AdaptationSet/Representation/EssentialProperty":
            if attributes["schemeIdUri"] == "http://dashif.org/guidelines/thumbnail_tile" {
                representation?.tiles = attributes["value"]
            }
        case "MPD/Period/AdaptationSet/Representation/BaseURL":
            guard baseURL == nil else { throw error("a second BaseURL") }
            baseURL = ""
        case "MPD/Period/AdaptationSet/Representation/SegmentBase":
            guard indexRange == nil else { throw error("a second SegmentBase") }
            indexRange = try byteRange(attributes, "indexRange")
        case "MPD/Period/AdaptationSet/Representation/SegmentBase/Initialization":
            initializationRange = try byteRange(attributes, "range")
        case "MPD/Period/AdaptationSet/Representation/SegmentTemplate":
            addresses = try readTemplate(attributes)
        case "MPD/Period/AdaptationSet/Representation/SegmentList":
            addresses = try readList(attributes)
        case "MPD/Period/AdaptationSet/Representation/SegmentTemplate/SegmentTimeline/S",
            "MPD/Period/AdaptationSet/Representation/SegmentList/SegmentTimeline/S":
            try extend(&addresses, attributes)
        case "MPD/Period/AdaptationSet/Representation/SegmentList/Initialization":
            guard let name = attributes["sourceURL"] else { throw error("sourceURL is missing") }
            try appendToList(initialization: name)
        case "MPD/Period/AdaptationSet/Representation/SegmentList/SegmentURL":
            guard let name = attributes["media"] else { throw error("media is missing") }
            try appendToList(media: name)
        default:
            break
        }
    }

    func end() throws(DASHParseError) {
        defer { path.removeLast() }
        switch path.joined(separator: "/") {
        case "MPD/Period/AdaptationSet/Representation":
            guard var done = representation else { return }
            defer { (baseURL, indexRange, initializationRange) = (nil, nil, nil) }
            if let name = baseURL, isText, indexRange == nil, addresses == nil, !name.isEmpty {
                done.wholeFile = name
                set?.representations.append(done)
                representation = nil
                return
            }
            if let name = baseURL {
                guard let indexRange, let initializationRange, !name.isEmpty, addresses == nil else {
                    throw error("a BaseURL without SegmentBase and Initialization")
                }
                done.file = DASHFile(name: name, initialization: initializationRange, index: indexRange)
                set?.representations.append(done)
                representation = nil
                return
            }
            guard indexRange == nil else { throw error("a SegmentBase without BaseURL") }
            guard let addresses = addresses ?? setAddresses else {
                throw error("a Representation without SegmentTemplate or SegmentList")
            }
            try resolve(addresses, into: &done)
            set?.representations.append(done)
            representation = nil
            self.addresses = nil
        case "MPD/Period/AdaptationSet":
            if let set { document.adaptationSets.append(set) }
            set = nil
            setAddresses = nil
        default:
            break
        }
    }

    /// Takes the text of the element that is open.
    func text(_ text: String) throws(DASHParseError) {
        guard path.last == "BaseURL", let known = baseURL else { return }
        baseURL = try charged((known + text).trimmingCharacters(in: .whitespacesAndNewlines))
    }

    /// Reads `first-last`.
    private func byteRange(_ attributes: [String: String], _ name: String) throws(DASHParseError) -> Range<Int64> {
        let parts = (attributes[name] ?? "").split(separator: "-", omittingEmptySubsequences: false).map {
            StrictNumber.integer($0)
        }
        guard parts.count == 2, let first = parts[0], let last = parts[1], first <= last, last < .max else {
            throw error("\(name) is no range of bytes")
        }
        return first..<last + 1
    }

    private func readRepresentation(_ attributes: [String: String]) throws(DASHParseError) -> DASHRepresentation {
        guard let id = attributes["id"], !id.isEmpty, !id.contains(where: \.isWhitespace) else {
            throw error("a Representation without an id, or with spaces in it")
        }
        guard ids.insert(id).inserted else { throw error("a second Representation with this id") }
        // The type of images and of text says it all.
        guard let codecs = attributes["codecs"] ?? (isImage || isText ? "" : nil) else {
            throw error("codecs is missing")
        }
        var result = DASHRepresentation(id: id, bandwidth: try number(attributes, "bandwidth", 1...), codecs: codecs)
        if attributes["width"] != nil { result.width = Int(try number(attributes, "width", 1...)) }
        if attributes["height"] != nil { result.height = Int(try number(attributes, "height", 1...)) }
        if attributes["audioSamplingRate"] != nil {
            result.audioSamplingRate = Int(try number(attributes, "audioSamplingRate", 1...))
        }
        if let text = attributes["frameRate"] {
            let parts = text.split(separator: "/", omittingEmptySubsequences: false).map { StrictNumber.integer($0) }
            guard parts.count <= 2, let num = parts[0], let den = parts.count == 2 ? parts[1] : 1, num > 0, den > 0
            else { throw error("frameRate is no fraction") }
            result.frameRate = Rational(num, den)
        }
        return result
    }

    private func readTemplate(_ attributes: [String: String]) throws(DASHParseError) -> Addresses {
        let initialization = attributes["initialization"]
        guard initialization != nil || isImage, let media = attributes["media"] else {
            throw error("a SegmentTemplate without initialization or media")
        }
        guard attributes["duration"] == nil || isImage else { throw error("a SegmentTemplate with duration") }
        return try read(
            attributes,
            .template(
                initialization: initialization, media: media,
                startNumber: try number(attributes, "startNumber", 0..., default: 1)))
    }

    private func readList(_ attributes: [String: String]) throws(DASHParseError) -> Addresses {
        guard addresses == nil else { throw error("a second SegmentList") }
        var list = try read(attributes, .list(initialization: nil, media: []))
        if attributes["duration"] != nil { list.constantDuration = try number(attributes, "duration", 1...) }
        return list
    }

    private func read(_ attributes: [String: String], _ names: Addresses.Names) throws(DASHParseError) -> Addresses {
        guard attributes["presentationTimeOffset"] ?? "0" == "0" else {
            throw error("segments with presentationTimeOffset")
        }
        var addresses = Addresses(timescale: try number(attributes, "timescale", 1..., default: 1), names: names)
        if isImage {
            // Segments of equal duration until the end of the presentation.
            let duration = try number(attributes, "duration", 1...)
            let count = (document.duration * Rational(addresses.timescale) / Rational(duration)).ceil
            guard count < DASHParser.maximumSegments else { throw tooManySegments }
            guard !duration.multipliedReportingOverflow(by: count).overflow else {
                throw error("a time beyond 64 bits")
            }
            if count > 0 { addresses.runs = [(0, duration, count)] }
        }
        return addresses
    }

    private var isText: Bool { self.set?.contentType == "text" }
    private var isImage: Bool { self.set?.contentType == "image" }

    private func appendToList(initialization: String) throws(DASHParseError) {
        guard case .list(nil, let names) = addresses?.names else { throw error("a second Initialization") }
        addresses?.names = .list(initialization: try charged(initialization), media: names)
    }

    private func appendToList(media: String) throws(DASHParseError) {
        guard case .list(let initialization, var names) = addresses?.names else { return }
        guard names.count < segmentsLeft else { throw tooManySegments }
        // Keeps the array uniquely referenced; otherwise each appended name would copy it.
        addresses?.names = .list(initialization: nil, media: [])
        names.append(try charged(media))
        addresses?.names = .list(initialization: initialization, media: names)
    }

    /// Adds the segments of one `S` element.
    private func extend(_ addresses: inout Addresses?, _ attributes: [String: String]) throws(DASHParseError) {
        guard let end = addresses?.end else { return }
        guard addresses?.constantDuration == nil else { throw error("a SegmentTimeline beside duration") }
        let start = try number(attributes, "t", 0..., default: end)
        let duration = try number(attributes, "d", 1...)
        let repeats = try number(attributes, "r", 0..., default: 0)
        guard start >= end else { throw error("a segment begins before the one before it ends") }
        guard repeats < DASHParser.maximumSegments else { throw tooManySegments }
        let length = duration.multipliedReportingOverflow(by: repeats + 1)
        let next = start.addingReportingOverflow(length.partialValue)
        guard !length.overflow, !next.overflow else { throw error("a time beyond 64 bits") }
        addresses?.runs.append((start, duration, repeats + 1))
        addresses?.end = next.partialValue
    }

    private var tooManySegments: DASHParseError { error("more than \(DASHParser.maximumSegments) segments") }

    private func resolve(
        _ addresses: Addresses, into representation: inout DASHRepresentation
    ) throws(DASHParseError) {
        representation.timescale = addresses.timescale
        if let duration = addresses.constantDuration { return try resolve(addresses, every: duration, &representation) }
        guard !addresses.runs.isEmpty else { throw error("no SegmentTimeline, or an empty one") }
        switch addresses.names {
        case .template(let initialization, let media, let startNumber):
            if let initialization {
                representation.initialization = try fill(initialization, representation, number: nil, time: nil)
            }
            var number = startNumber
            let named = representation
            try resolve(addresses, into: &representation) { start throws(DASHParseError) in
                let name = try fill(media, named, number: number, time: start)
                let (next, overflow) = number.addingReportingOverflow(1)
                guard !overflow else { throw error("a segment number beyond 64 bits") }
                number = next
                return name
            }
        case .list(let initialization, let media):
            guard let initialization else { throw error("a SegmentList without Initialization") }
            representation.initialization = initialization
            var names = media.makeIterator()
            try resolve(addresses, into: &representation) { _ throws(DASHParseError) in
                guard let name = names.next() else { throw error("fewer SegmentURLs than segments") }
                return name
            }
            guard names.next() == nil else { throw error("more SegmentURLs than segments") }
        }
    }

    /// Resolves a list of equally long segments, the last of which ends with the period.
    private func resolve(
        _ addresses: Addresses, every duration: Int64, _ representation: inout DASHRepresentation
    ) throws(DASHParseError) {
        guard case .list(let initialization, let names) = addresses.names, !names.isEmpty else {
            throw error("a SegmentList without segments")
        }
        guard let initialization else { throw error("a SegmentList without Initialization") }
        guard names.count <= segmentsLeft else { throw tooManySegments }
        segmentsLeft -= names.count
        representation.initialization = initialization
        for (index, name) in names.enumerated() {
            let (ticks, overflow) = Int64(index).multipliedReportingOverflow(by: duration)
            guard !overflow else { throw error("a time beyond 64 bits") }
            let start = Rational(ticks, addresses.timescale)
            var length = Rational(duration, addresses.timescale)
            if index == names.count - 1, document.duration > start { length = min(length, document.duration - start) }
            representation.segments.append(DASHSegment(name: name, start: start, duration: length))
        }
    }

    private func resolve(
        _ addresses: Addresses, into representation: inout DASHRepresentation,
        name: (_ start: Int64) throws(DASHParseError) -> String
    ) throws(DASHParseError) {
        for run in addresses.runs {
            guard run.count <= segmentsLeft else { throw tooManySegments }
            segmentsLeft -= Int(run.count)
            for index in 0..<run.count {
                // Cannot overflow: within `addresses.end`, which was checked.
                let start = run.start + index * run.duration
                representation.segments.append(
                    DASHSegment(
                        name: try name(start), start: Rational(start, addresses.timescale),
                        duration: Rational(run.duration, addresses.timescale)))
            }
        }
    }

    /// Replaces the identifiers of a template (ISO/IEC 23009-1, 5.3.9.4.4).
    private func fill(
        _ template: String, _ representation: DASHRepresentation, number: Int64?, time: Int64?
    ) throws(DASHParseError) -> String {
        // Splitting at dollar signs gives text, identifier, text…
        let parts = template.split(separator: "$", maxSplits: 64, omittingEmptySubsequences: false)
        guard parts.count % 2 == 1, parts.count < 64 else { throw error("a $ without its partner in a template") }
        var name = ""
        for (index, part) in parts.enumerated() {
            if index % 2 == 0 {
                name += part
                continue
            }
            let pieces = part.split(separator: "%", maxSplits: 1, omittingEmptySubsequences: false)
            let format = pieces.count == 2 ? pieces[1] : nil
            switch (pieces[0], number, time) {
            case ("", _, _) where format == nil: name += "$"
            case ("RepresentationID", _, _) where format == nil: name += representation.id
            case ("Bandwidth", _, _): name += try padded(representation.bandwidth, format)
            case ("Number", let number?, _): name += try padded(number, format)
            case ("Time", _, let time?): name += try padded(time, format)
            default: throw error("$\(part.prefix(40))$ is no identifier of templates, or has no place here")
            }
            guard name.utf8.count <= DASHParser.maximumNameBytes else { break }
        }
        return try charged(name)
    }

    /// Returns a file name after deducting it from the remaining limits.
    private func charged(_ name: String) throws(DASHParseError) -> String {
        nameBytesLeft -= name.utf8.count
        guard name.utf8.count <= DASHParser.maximumNameBytes, nameBytesLeft >= 0 else {
            throw error("file names that are too long")
        }
        return name
    }

    /// Formats a number with `05d` (the text after the percent sign) as its minimum width; nil means no padding.
    private func padded(_ value: Int64, _ format: Substring?) throws(DASHParseError) -> String {
        let digits = String(value)
        guard let format else { return digits }
        guard format.hasPrefix("0"), format.hasSuffix("d"), let width = StrictNumber.integer(format.dropLast()),
            width <= 20
        else { throw error("%\(format.prefix(40)) is no format such as %05d") }
        return String(repeating: "0", count: max(0, Int(width) - digits.utf8.count)) + digits
    }

    private func number(
        _ attributes: [String: String], _ name: String, _ range: PartialRangeFrom<Int64>, default fallback: Int64? = nil
    ) throws(DASHParseError) -> Int64 {
        guard let text = attributes[name] else {
            guard let fallback else { throw error("\(name) is missing") }
            return fallback
        }
        guard let value = StrictNumber.integer(text), range.contains(value) else {
            throw error("\(name) is no whole number from \(range.lowerBound)")
        }
        return value
    }
}
