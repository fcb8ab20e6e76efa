import ClairoCore
import Testing

@Suite struct XMLReaderTests {
    private static func events(_ text: String) throws -> [XMLReader.Event] {
        var reader = try XMLReader(text.utf8)
        var events: [XMLReader.Event] = []
        while let event = try reader.next() { events.append(event) }
        return events
    }

    private static func error(_ text: String) -> XMLError? {
        do {
            _ = try events(text)
            return nil
        } catch { return error as? XMLError }
    }

    @Test func elementsAttributesAndTextAreReportedInOrder() throws {
        let text = """
            \u{FEFF}<?xml version="1.0" encoding="UTF-8"?>
            <!-- a comment - with a dash -->
            <s3:List xmlns:s3='urn:x' empty = ""><Key>a&amp;b&#x20AC;&#233;<![CDATA[<&]]>c</Key><Last
              one="1"/></s3:List >
            <?done?>

            """
        #expect(
            try Self.events(text) == [
                .start(name: "s3:List", attributes: ["xmlns:s3": "urn:x", "empty": ""]),
                .start(name: "Key", attributes: [:]), .text("a&b€é"), .text("<&"), .text("c"), .end(name: "Key"),
                .start(name: "Last", attributes: ["one": "1"]), .end(name: "Last"), .end(name: "s3:List"),
            ])
    }

    @Test func lineEndsAreLineFeedsInTextAndSpacesInAttributes() throws {
        #expect(
            try Self.events("<a b=\"1\r\n2\t3&#10;4\">x\r\ny\rz\n&#13;</a>") == [
                .start(name: "a", attributes: ["b": "1 2 3\n4"]), .text("x\ny\nz\n\r"), .end(name: "a"),
            ])
    }

    @Test func eventsHaveTheLineWhereTheyBegin() throws {
        var reader = try XMLReader("<a\n>\n<b/>\n\n</a>".utf8)
        var lines: [Int] = []
        while try reader.next() != nil { lines.append(reader.line) }
        #expect(lines == [1, 2, 3, 3, 3, 5])
    }

    @Test(arguments: [
        "", "  ", "x", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a/>x", "<a/>&amp;", "<1/>", "< a/>", "<a", "<a b>",
        "<a b=c/>", "<a b=\"1\"c=\"2\"/>", "<a b=\"1\" b=\"2\"/>", "<a b=\"<\"/>", "<a b=\"1/>", "<a>&x;</a>",
        "<a>&</a>", "<a>&#0;</a>", "<a>&#x1F;</a>", "<a>&#xD800;</a>", "<a>&#xFFFF;</a>", "<a>&#-1;</a>",
        "<a>&#x110000;</a>", "<a>&#+65;</a>", "<a><!-- x -- y --></a>", "<a><!-- x</a>", "<a><?x</a>",
        "<a><![CDATA[x</a>",
        "<![CDATA[x]]><a/>", "<!DOCTYPE a><a/>", "<a><!ENTITY b \"c\"></a>", "<a>\u{1}</a>", "<a>\u{0}</a>",
    ])
    func malformedXMLIsAnError(text: String) {
        #expect(Self.error(text) != nil)
    }

    @Test func errorsHaveALineAndAReason() {
        #expect(Self.error("<a>\n<b>\n</c></a>")?.description == "line 3: an end tag without its start")
        #expect(Self.error("<a>\n\u{2}")?.description == "line 2: a control character")
        let deep = String(repeating: "<a>", count: XMLReader.maximumDepth + 1)
        #expect(Self.error(deep)?.reason == "elements nested too deep")
        #expect(throws: XMLError(line: 1, reason: "not UTF-8")) { try XMLReader([0x3C, 0x61, 0xFF]) }
    }
}
