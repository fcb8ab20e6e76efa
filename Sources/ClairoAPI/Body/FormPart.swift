/// The headers of a form field (RFC 7578 section 4.2).
struct FormPart: Equatable {
    /// The maximum number of headers.
    static let mostHeaders = 32

    var name: String
    /// Nil if the field is not a file.
    var fileName: String?

    init(name: String, fileName: String? = nil) {
        self.name = name
        self.fileName = fileName
    }

    /// - Parameter headers: Header lines, separated by CR LF.
    init(headers: [UInt8]) throws(FormParser.Failure) {
        var disposition: String?
        var count = 0
        for line in Self.lines(headers) {
            count += 1
            guard count <= Self.mostHeaders else {
                throw .init("A form field has more than \(Self.mostHeaders) headers")
            }
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                line[..<colon].allSatisfy(HeaderValue.isToken), line.allSatisfy({ $0 >= 32 && $0 != 127 || $0 == 9 })
            else { throw .init("A form field has a malformed header") }
            let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
            guard name == "content-disposition" else { continue }
            guard disposition == nil else { throw .init("A form field has two Content-Disposition headers") }
            disposition = Self.text(line[(colon + 1)...])
        }
        guard let value = disposition.flatMap(HeaderValue.init), value.value == "form-data" else {
            throw .init("A form field has no Content-Disposition: form-data")
        }
        guard let name = value.parameters["name"], !name.isEmpty else { throw .init("A form field has no name") }
        self.name = Self.unescaped(name)
        fileName = value.fileName.map(Self.unescaped)
    }

    private static func lines(_ block: [UInt8]) -> [ArraySlice<UInt8>] {
        var lines: [ArraySlice<UInt8>] = []
        var start = block.startIndex
        var index = start
        while index < block.endIndex {
            if block[index] == 13, index + 1 < block.endIndex, block[index + 1] == 10 {
                if index > start { lines.append(block[start..<index]) }
                index += 2
                start = index
            } else {
                index += 1
            }
        }
        if start < block.endIndex { lines.append(block[start...]) }
        return lines
    }

    /// Decodes UTF-8. Falls back to Latin-1, which old clients send.
    private static func text(_ bytes: ArraySlice<UInt8>) -> String {
        String(validating: bytes, as: UTF8.self)
            ?? String(String.UnicodeScalarView(bytes.map { Unicode.Scalar($0) }))
    }

    /// Decodes the only three escapes that browsers and curl use in names. Source:
    /// https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
    private static func unescaped(_ name: String) -> String {
        name.replacing("%22", with: "\"").replacing("%0D", with: "\r").replacing("%0A", with: "\n")
    }
}
