import ClairoTestSupport
internal import NIOCore
internal import Testing

@testable internal import ClairoAPI

/// A parsed form, independent of how the input was split.
struct ParsedForm: Equatable {
    var parts: [FormPart] = []
    var contents: [[UInt8]] = []

    init(_ pieces: [ArraySlice<UInt8>], contentType: String) throws {
        var parser = try FormParser(contentType: contentType)
        for piece in pieces {
            parser.append(ByteBuffer(bytes: piece))
            while let event = try parser.next() {
                switch event {
                case .partBegan(let part):
                    parts.append(part)
                    contents.append([])
                case .bytes(let bytes): contents[contents.count - 1] += Array(bytes.readableBytesView)
                case .partEnded: break
                }
            }
        }
        try parser.finish()
    }

    init(_ text: String, contentType: String = "multipart/form-data; boundary=B") throws {
        try self.init([Array(text.utf8)[...]], contentType: contentType)
    }
}

@Suite struct FormParserTests {
    /// A form with everything that could be mistaken for a boundary.
    private static let content = Array(
        "\r\n--reference-boundar\r\n--reference-boundarx\r\n-\r\n--\r\r\n\n--reference-boundary\r\n\u{0}\u{1}end\r".utf8
    )
    private static let reference =
        Array("preamble --reference-boundary\r\n--reference-boundary \t\r\n".utf8)
        + Array("Content-Disposition: form-data; name=\"title\"\r\n\r\nA film\r\n--reference-boundary\r\n".utf8)
        + Array("Content-Type: video/mp4\r\ncontent-disposition: form-data;name=file;filename=\"a b.mov\"\r\n\r\n".utf8)
        + content
        + Array("\r\n--reference-boundary\r\nContent-Disposition: form-data; name=empty\r\n\r\n".utf8)
        + Array("\r\n--reference-boundary--\r\nepilogue\r\n--reference-boundary\r\n".utf8)
    private static let contentType = "multipart/form-data; boundary=\"reference-boundary\""

    private func checkReference(_ form: ParsedForm) {
        #expect(form.parts.map(\.name) == ["title", "file", "empty"])
        #expect(form.parts.map(\.fileName) == [nil, "a b.mov", nil])
        #expect(form.contents == [Array("A film".utf8), Self.content, []])
    }

    @Test func aFormIsParsed() throws {
        checkReference(try ParsedForm([Self.reference[...]], contentType: Self.contentType))
    }

    @Test func twoPiecesParseAlikeWhereverTheFormIsSplit() throws {
        for cut in 0...Self.reference.count {
            let pieces = [Self.reference[..<cut], Self.reference[cut...]]
            checkReference(try ParsedForm(pieces, contentType: Self.contentType))
        }
    }

    @Test func singleBytesParseAlike() throws {
        let pieces = Self.reference.indices.map { Self.reference[$0...$0] }
        checkReference(try ParsedForm(pieces, contentType: Self.contentType))
    }

    /// The number of bytes that the parser examines for a form that arrives in pieces of `size` bytes.
    private func examined(_ form: [UInt8], inPiecesOf size: Int) throws -> Int {
        var parser = try FormParser(contentType: Self.contentType)
        for start in stride(from: 0, to: form.count, by: size) {
            parser.append(ByteBuffer(bytes: form[start..<min(form.count, start + size)]))
            while try parser.next() != nil {}
        }
        try parser.finish()
        return parser.examined
    }

    /// Forms whose bytes are expensive to examine more than once: long headers, near-boundaries, many fields.
    private static let costlyForms: [[UInt8]] = {
        func repeated(_ count: Int, _ text: String) -> String { String(repeating: text, count: count) }
        let boundary = "\r\n--reference-boundary"
        let head = "\r\nContent-Disposition: form-data; name=a"
        let longHeaders = repeated(15, "\r\nX: \(repeated(997, "x"))")
        let forms: [String] = [
            repeated(8, "\(boundary)\(head)\(longHeaders)\r\n\r\nvalue"),
            "\(boundary)\(head)\r\n\r\n\(repeated(2000, "\r\n--reference-boundar"))",
            "\(boundary)\(head)\r\n\r\n\(repeated(50_000, "\r"))",
            repeated(300, "\(boundary)\(repeated(120, " "))\(head)\r\n\r\n"),
            "\(repeated(2000, "\r\n--reference"))\(boundary)\(head)\r\n\r\n",
        ]
        return forms.map { Array("\($0)\(boundary)--\r\n".utf8) }
    }()

    @Test func theCostIsLinearInTheLengthOfTheForm() throws {
        for form in Self.costlyForms {
            for size in [1, 2, 7, 4096, form.count] {
                #expect(try examined(form, inPiecesOf: size) <= 3 * form.count, "\(form.count) bytes by \(size)")
            }
        }
    }

    @Test func randomPiecesParseAlike() throws {
        for seed in 0..<100 as Range<UInt64> { try checkRandomPieces(seed: seed) }
    }

    private func checkRandomPieces(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var pieces: [ArraySlice<UInt8>] = []
        var start = 0
        while start < Self.reference.count {
            let end = min(Self.reference.count, start + Int.random(in: 1...40, using: &random))
            pieces.append(Self.reference[start..<end])
            start = end
        }
        checkReference(try ParsedForm(pieces, contentType: Self.contentType))
    }

    /// Damaged forms are refused or read, never crash, and give the same result in pieces as in one.
    @Test func damagedFormsParseAlikeInPiecesAndAsAWhole() throws {
        for seed in 0..<500 as Range<UInt64> { try checkDamaged(seed: seed) }
    }

    private func checkDamaged(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var bytes = Self.reference
        for _ in 0..<Int.random(in: 1...4, using: &random) {
            let place = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[place] = UInt8.random(in: .min ... .max, using: &random)
            case 1: bytes.remove(at: place)
            case 2: bytes.insert(Array("\r\n-:;\"=".utf8).randomElement(using: &random) ?? 13, at: place)
            default: bytes.removeLast(min(bytes.count - 1, Int.random(in: 0..<30, using: &random)))
            }
        }
        let whole = Result { try ParsedForm([bytes[...]], contentType: Self.contentType) }
        let single = Result { try ParsedForm(bytes.indices.map { bytes[$0...$0] }, contentType: Self.contentType) }
        switch (whole, single) {
        case (.success(let one), .success(let two)): #expect(one == two)
        case (.failure, .failure): break
        default: Issue.record("seed \(seed), whole: \(whole), in single bytes: \(single)")
        }
    }

    @Test func eachPieceIsPassedOnAsSoonAsItArrives() throws {
        var parser = try FormParser(contentType: "multipart/form-data; boundary=B")
        parser.append(ByteBuffer(string: "--B\r\nContent-Disposition: form-data; name=file\r\n\r\n"))
        _ = try parser.next()
        for _ in 0..<100 {
            parser.append(ByteBuffer(repeating: 65, count: 1000))
            #expect(try parser.next() == .bytes(ByteBuffer(repeating: 65, count: 1000)))
            #expect(try parser.next() == nil)
        }
    }

    @Test(arguments: [
        "multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"a",
        "multipart/form-data; boundary=\"a \"", "multipart/form-data; boundary=ä",
        "multipart/form-data; boundary=a; boundary=b",
        "multipart/form-data; boundary=\(String(repeating: "b", count: 71))", "",
    ])
    func anInvalidBoundaryIsRefused(contentType: String) {
        #expect(throws: FormParser.Failure.self) { _ = try FormParser(contentType: contentType) }
    }

    private static let head = "--B\r\nContent-Disposition: form-data; name=a\r\n"

    @Test(arguments: [
        "", "no boundary at all", "--B", "--B\r\n", "\(head)\r\nvalue", "\(head)\r\nvalue\r\n--B\r\n",
        "\(head)\r\nvalue\r\n--B-", "\(head)\r\nvalue\n--B--\n", "--B\r\n\r\nno headers\r\n--B--\r\n",
        "--BB\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--BB--\r\n",
        "--B\r\nContent-Type: text/plain\r\n\r\nno name\r\n--B--\r\n",
        "--B\r\nContent-Disposition: form-data\r\n\r\n\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=\"\"\r\n\r\n\r\n--B--",
        "--B\r\nContent-Disposition: attachment; name=a\r\n\r\n\r\n--B--",
        "--B\r\nContent-Disposition: form-data; name=\"a\r\n\r\n\r\n--B--",
        "\(head)Content-Disposition: form-data; name=b\r\n\r\n\r\n--B--", "\(head) folded: line\r\n\r\n\r\n--B--",
        "\(head)no colon\r\n\r\n\r\n--B--", "\(head)X: \u{0}\r\n\r\n\r\n--B--", "\(head)X: a\rb\r\n\r\n\r\n--B--",
        "--B\(String(repeating: " ", count: 200))\r\n",
        "\(head)X: \(String(repeating: "x", count: 20_000))\r\n\r\n\r\n--B--",
        head + String(repeating: "X: y\r\n", count: 40) + "\r\n\r\n--B--",
    ])
    func aMalformedFormIsRefused(text: String) {
        #expect(throws: FormParser.Failure.self) { _ = try ParsedForm(text) }
    }

    @Test(arguments: [
        (#"filename="plain.mov""#, "plain.mov"), (#"filename=plain.mov"#, "plain.mov"), (#"filename="""#, ""),
        (#"filename="a \"b\" c.mov""#, #"a "b" c.mov"#), (#"filename="a%22b.mov""#, #"a"b.mov"#),
        (#"filename="a%0D%0Ab.mov""#, "a\r\nb.mov"), (#"filename="%2e%2e.mov""#, "%2e%2e.mov"),
        (#"filename="C:\films\a.mov""#, #"C:\films\a.mov"#), (#"filename="a;b=c.mov""#, "a;b=c.mov"),
        (#"filename="Füße 足.mov""#, "Füße 足.mov"),
        (#"filename="fallback.mov"; filename*=UTF-8''F%C3%BC%20%E8%B6%B3.mov"#, "Fü 足.mov"),
        (#"filename="fallback.mov"; filename*=UTF-8''%C3"#, "fallback.mov"),
        (#"filename="fallback.mov"; filename*=ISO-8859-1''%FC"#, "fallback.mov"),
    ])
    func aFileNameIsDecoded(parameter: String, name: String) throws {
        let form = try ParsedForm(
            "--B\r\nContent-Disposition: form-data; name=\"file\"; \(parameter)\r\n\r\n\r\n--B--\r\n")
        #expect(form.parts == [FormPart(name: "file", fileName: name)])
    }

    @Test func aFileNameInLatin1IsDecoded() throws {
        let bytes =
            Array("--B\r\nContent-Disposition: form-data; name=file; filename=\"F".utf8) + [0xFC]
            + Array(".mov\"\r\n\r\n\r\n--B--".utf8)
        let form = try ParsedForm([bytes[...]], contentType: "multipart/form-data; boundary=B")
        #expect(form.parts.first?.fileName == "Fü.mov")
    }

    @Test(
        arguments: [
            ("a b.mov", "a b.mov"), ("../../etc/passwd", "passwd"), (#"C:\films\a.mov"#, "a.mov"), ("..", nil),
            ("", nil),
            ("/", nil), ("a\r\nb\u{0}\u{1B}[31m.mov", "ab[31m.mov"), ("%2e%2e%2f.mov", "%2e%2e%2f.mov"),
            ("\u{202E}vom.a", "vom.a"), (String(repeating: "ä", count: 300), String(repeating: "ä", count: 300)),
        ] as [(String, String?)])
    func aFileNameLosesFoldersAndControlCharacters(given: String, kept: String?) {
        #expect(FileName.cleaned(given) == kept)
    }
}
