import ClairoCore
import Foundation
import Testing

@Suite struct MediaWarningTests {
    private func decoded(_ json: String) throws -> [MediaWarning] {
        try JSONDecoder().decode([MediaWarning].self, from: Data(json.utf8))
    }

    @Test func aWarningIsAnObject() throws {
        let warnings = [
            MediaWarning(.trackUnused, "stream 3 is not used", advice: "Give it as a file."),
            MediaWarning(.clockBreak, "the clock restarts"),
        ]
        let data = try JSON.encode(warnings, pretty: false)
        #expect(
            String(decoding: data, as: UTF8.self)
                == #"[{"advice":"Give it as a file.","code":"track-unused","message":"stream 3 is not used"},"#
                + #"{"code":"clock-break","message":"the clock restarts"}]"#)
        #expect(try JSONDecoder().decode([MediaWarning].self, from: data) == warnings)
    }

    /// Plans and manifests of older versions contain strings.
    @Test func aStringIsAWarningOfNoKnownKind() throws {
        #expect(try decoded(#"["no audio"]"#) == [MediaWarning(.other, "no audio")])
    }

    @Test func anUnknownCodeIsAWarningOfNoKnownKind() throws {
        let json = #"[{"code":"later","message":"m","advice":"a"}]"#
        #expect(try decoded(json) == [MediaWarning(.other, "m", advice: "a")])
    }

    @Test(arguments: ["[7]", "[null]", "[{}]", #"[{"code":"damaged"}]"#, #"[{"message":"m"}]"#])
    func anythingElseIsRefused(json: String) {
        #expect(throws: DecodingError.self) { try decoded(json) }
    }

    @Test func theTextForPeopleHasTheAdvice() {
        #expect(MediaWarning(.damaged, "it is damaged").description == "it is damaged")
        #expect(MediaWarning(.damaged, "it is damaged", advice: "Look.").description == "it is damaged. Look.")
    }

    // MARK: Bounds

    private func numbered(_ numbers: Range<Int>) -> [MediaWarning] { numbers.map { MediaWarning(.other, "\($0)") } }

    @Test func duplicatesAreRemovedInOrder() {
        let other = MediaWarning(.damaged, "0")
        #expect((numbered(0..<2) + [other] + numbered(0..<3)).bounded() == numbered(0..<2) + [other] + numbered(2..<3))
    }

    @Test func theLastOfTooManyWarningsSaysHowManyAreMissing() {
        #expect(numbered(0..<100).bounded() == numbered(0..<100))
        let bounded = numbered(0..<150).bounded()
        #expect(bounded.count == 100)
        #expect(Array(bounded.dropLast()) == numbered(0..<99))
        #expect(bounded.last?.message == "at least 51 more warnings are not listed")
        #expect(bounded.bounded() == bounded)
        #expect(numbered(0..<2).bounded(to: 1).map(\.message) == ["at least 2 more warnings are not listed"])
    }

    @Test func longTextsAreCut() {
        let text = String(repeating: "ü", count: 501)
        let warning = [MediaWarning(.other, text, advice: text)].bounded()[0]
        #expect(warning.message == String(repeating: "ü", count: 499) + "…")
        #expect(warning.advice == warning.message)
        #expect([warning].bounded() == [warning])
    }
}
