import ClairoCore
import Testing

@Suite struct DecodingDamageTests {
    @Test(arguments: [(0, 0), (1, 0), (10, 3), (200, 4), (1000, 20)])
    func aFewErrorsAreOnlyAWarning(frames: Int, errors: Int) throws {
        let damage = DecodingDamage(frames: frames, errors: errors)
        #expect(!damage.isTooMuch)
        let warning = try damage.warning(source: "a.mp4", allowPartial: false)
        let message = "the decoder reported \(errors) errors in \(frames) frames"
        #expect(warning?.message == (errors > 0 ? message : nil))
        #expect(warning == nil || warning?.code == .damaged)
    }

    @Test(arguments: [(0, 4), (100, 4), (1000, 21)])
    func moreThanOneDamagedFrameInFiftyIsRefusedUnlessPartialOutputIsAllowed(frames: Int, errors: Int) throws {
        let damage = DecodingDamage(frames: frames, errors: errors)
        #expect(damage.isTooMuch)
        #expect {
            try damage.warning(source: "a.mp4", allowPartial: false)
        } throws: { ($0 as? ClairoError)?.kind == .badInput && "\($0)".contains("a.mp4 is damaged") }
        #expect(try damage.warning(source: "a.mp4", allowPartial: true) != nil)
    }
}
