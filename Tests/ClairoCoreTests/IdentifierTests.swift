import ClairoCore
import Testing

@Suite struct IdentifierTests {
    static let time = Timestamp(microseconds: 1_795_370_645_123_456)

    @Test func aDerivedIDDependsOnlyOnNameAndTime() {
        let id = VideoID.derived(from: "incoming\nfilm.mp4\netag", at: Self.time)
        // The time as in version 7, followed by bytes 9 to 16 of printf 'incoming\nfilm.mp4\netag' | sha256sum.
        #expect(id.rawValue == "01a2046d-f683-774b-8150-5301469d6cfa")
        #expect(id == VideoID.derived(from: "incoming\nfilm.mp4\netag", at: Self.time))
        #expect(id != VideoID.derived(from: "incoming\nfilm.mp4\nother", at: Self.time))
        #expect(VideoID(id.rawValue) == id)
    }

    @Test func aDerivedIDWithoutATimeConsistsOfTheHash() {
        // printf 'clairo.uploads/0/7' | sha256sum, with version 8 and variant 2.
        #expect(MessageID.derived(from: "clairo.uploads/0/7").rawValue == "f6db0e55-0351-88a4-a6c7-fa1b308472c6")
    }

    @Test func derivedIDsSortByTimeAmongTheOthers() {
        let (before, after) = (Self.time.advanced(bySeconds: -1), Self.time.advanced(bySeconds: 1))
        for name in ["a", "b", "c"] {
            let id = VideoID.derived(from: name, at: Self.time)
            #expect(VideoID.make(at: before) < id && id < VideoID.make(at: after))
        }
    }
}
