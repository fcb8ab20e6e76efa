/// Reads small XML documents: S3's replies and DASH manifests.
///
/// It supports only what these need, which limits attacks by untrusted text: UTF-8 only, no document type and therefore
/// only XML's five predefined entities, and limited nesting. Names include their prefix. Anything that is not
/// well-formed is an error with its line.
public struct XMLReader {
    /// A parsing event.
    public enum Event: Equatable, Sendable {
        /// The start of an element.
        case start(name: String, attributes: [String: String])
        /// Text between tags.
        case text(String)
        /// The end of an element.
        case end(name: String)
    }

    /// The maximum nesting depth of elements.
    public static let maximumDepth = 32

    /// The line of the last event, counted from 1.
    public private(set) var line = 1
    private let bytes: [UInt8]
    private var position = 0
    private var currentLine = 1
    private var open: [String] = []
    private var hasRoot = false
    /// The name of the last empty element, whose end event is still due.
    private var emptyElement: String?

    /// Creates a reader.
    /// - Throws: `XMLError` if the bytes are not UTF-8 or contain a character that XML does not allow.
    public init(_ document: some Sequence<UInt8>) throws(XMLError) {
        bytes = Array(document)
        guard String(validating: bytes, as: UTF8.self) != nil else { throw XMLError(line: 1, reason: "not UTF-8") }
        for (index, byte) in bytes.enumerated() where byte < 0x20 && !Self.isSpace(byte) {
            let line = bytes[..<index].count { $0 == 0x0A } + 1
            throw XMLError(line: line, reason: "a control character")
        }
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    }

    /// Reads the next event; nil after the end of the root element. White space outside the root, comments and
    /// processing instructions are skipped.
    public mutating func next() throws(XMLError) -> Event? {
        line = currentLine
        if let name = emptyElement {
            emptyElement = nil
            open.removeLast()
            return .end(name: name)
        }
        while let byte = peek {
            line = currentLine
            if byte != UInt8(ascii: "<") {
                let text = try text()
                if !open.isEmpty { return .text(text) }
                guard text.utf8.allSatisfy(Self.isSpace) else { throw error("text outside the root element") }
            } else if skip("<!--") {
                try skipThrough("--", "a comment without an end")
                guard skip(">") else { throw error("-- in a comment") }
            } else if skip("<?") {
                try skipThrough("?>", "a processing instruction without an end")
            } else if !open.isEmpty, skip("<![CDATA[") {
                let start = position
                try skipThrough("]]>", "a CDATA section without an end")
                return .text(Self.withPlainLineEnds(bytes[start..<position - 3]))
            } else if skip("<!") {
                throw error("a declaration, such as that of a document type")
            } else if skip("</") {
                return try endTag()
            } else {
                return try startTag()
            }
        }
        guard open.isEmpty else { throw error("an element without an end") }
        guard hasRoot else { throw error("no element") }
        return nil
    }

    private mutating func startTag() throws(XMLError) -> Event {
        guard !hasRoot || !open.isEmpty else { throw error("a second root element") }
        guard open.count < Self.maximumDepth else { throw error("elements nested too deep") }
        hasRoot = true
        _ = skip("<")
        let name = try name()
        var attributes: [String: String] = [:]
        while true {
            let hasSpace = skipSpace()
            if skip("/>") {
                emptyElement = name
                break
            }
            if skip(">") { break }
            guard hasSpace else { throw error("no space in front of an attribute") }
            let key = try self.name()
            skipSpace()
            guard skip("=") else { throw error("an attribute without a value") }
            skipSpace()
            guard attributes.updateValue(try attributeValue(), forKey: key) == nil else {
                throw error("two attributes of the same name")
            }
        }
        open.append(name)
        return .start(name: name, attributes: attributes)
    }

    private mutating func endTag() throws(XMLError) -> Event {
        let name = try name()
        skipSpace()
        guard skip(">") else { throw error("an end tag without an end") }
        guard open.popLast() == name else { throw error("an end tag without its start") }
        return .end(name: name)
    }

    private mutating func name() throws(XMLError) -> String {
        let start = position
        while let byte = peek, Self.isNameByte(byte, isFirst: position == start) { position += 1 }
        guard position > start else { throw error("a name was expected") }
        return String(decoding: bytes[start..<position], as: UTF8.self)
    }

    private mutating func attributeValue() throws(XMLError) -> String {
        guard let quote = peek, quote == UInt8(ascii: "\"") || quote == UInt8(ascii: "'") else {
            throw error("an attribute's value without quotes")
        }
        position += 1
        var value: [UInt8] = []
        while let byte = peek, byte != quote {
            switch byte {
            case UInt8(ascii: "<"): throw error("< in an attribute")
            case UInt8(ascii: "&"): value += try reference()
            case 0x0D where bytes.indices.contains(position + 1) && bytes[position + 1] == 0x0A: advance()
            default:
                value.append(Self.isSpace(byte) ? UInt8(ascii: " ") : byte)
                advance()
            }
        }
        guard peek != nil else { throw error("an attribute's value without an end") }
        position += 1
        return String(decoding: value, as: UTF8.self)
    }

    /// Reads the characters up to the next tag.
    private mutating func text() throws(XMLError) -> String {
        var value = ""
        while let byte = peek, byte != UInt8(ascii: "<") {
            if byte == UInt8(ascii: "&") {
                guard !open.isEmpty else { throw error("text outside the root element") }
                value += String(decoding: try reference(), as: UTF8.self)
                continue
            }
            let start = position
            while let byte = peek, byte != UInt8(ascii: "<"), byte != UInt8(ascii: "&") { advance() }
            value += Self.withPlainLineEnds(bytes[start..<position])
        }
        return value
    }

    /// Reads `&name;` or `&#number;` and returns its replacement.
    private mutating func reference() throws(XMLError) -> [UInt8] {
        let start = position + 1
        guard let end = bytes[start...].prefix(12).firstIndex(of: UInt8(ascii: ";")) else {
            throw error("& without a reference")
        }
        let name = String(decoding: bytes[start..<end], as: UTF8.self)
        position = end + 1
        switch name {
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "amp": return [UInt8(ascii: "&")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default: break
        }
        let isHexadecimal = name.hasPrefix("#x")
        let digits = name.dropFirst(isHexadecimal ? 2 : 1)
        guard name.hasPrefix("#"), digits.first?.isHexDigit == true,
            let number = UInt32(digits, radix: isHexadecimal ? 16 : 10), let scalar = Unicode.Scalar(number),
            number >= 0x20 || [0x09, 0x0A, 0x0D].contains(number), number != 0xFFFE, number != 0xFFFF
        else { throw error("a reference to something that is not there") }
        return Array(String(Character(scalar)).utf8)
    }

    private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

    private mutating func advance() {
        if bytes[position] == 0x0A { currentLine += 1 }
        position += 1
    }

    /// Skips `text`, which contains no line end, if it comes next.
    private mutating func skip(_ text: StaticString) -> Bool {
        let isNext = text.withUTF8Buffer { bytes[position...].starts(with: $0) }
        if isNext { position += text.utf8CodeUnitCount }
        return isNext
    }

    private mutating func skipThrough(_ text: StaticString, _ reason: String) throws(XMLError) {
        while !skip(text) {
            guard peek != nil else { throw error(reason) }
            advance()
        }
    }

    /// Skips white space and returns whether there was any.
    @discardableResult private mutating func skipSpace() -> Bool {
        let start = position
        while let byte = peek, Self.isSpace(byte) { advance() }
        return position > start
    }

    private func error(_ reason: String) -> XMLError { XMLError(line: line, reason: reason) }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D }

    private static func isNameByte(_ byte: UInt8, isFirst: Bool) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "_"),
            UInt8(ascii: ":"), 0x80...:
            true
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."): !isFirst
        default: false
        }
    }

    /// Normalises line ends to line feeds (XML 1.0, 2.11).
    private static func withPlainLineEnds(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(0x0D) else { return String(decoding: bytes, as: UTF8.self) }
        var plain: [UInt8] = []
        var isAfterReturn = false
        for byte in bytes {
            if byte != 0x0A || !isAfterReturn { plain.append(byte == 0x0D ? 0x0A : byte) }
            isAfterReturn = byte == 0x0D
        }
        return String(decoding: plain, as: UTF8.self)
    }
}

/// An error in an XML document, with its line.
public struct XMLError: Error, Equatable, CustomStringConvertible {
    /// The line, counted from 1.
    public var line: Int
    /// The problem.
    public var reason: String

    public init(line: Int, reason: String) {
        self.line = line
        self.reason = reason
    }

    public var description: String { "line \(line): \(reason)" }
}
