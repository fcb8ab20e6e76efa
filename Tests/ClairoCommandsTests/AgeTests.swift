import Testing

@testable import ClairoCommands

/// Ages and intervals on the command line and in settings.
@Suite struct AgeTests {
    @Test(arguments: [("0s", 0.0), ("90s", 90), ("30m", 1800), ("1.5h", 5400), ("7d", 604_800), ("1w", 604_800)])
    func anAgeIsANumberWithAUnit(_ text: String, seconds: Double) {
        #expect(Age.seconds(text) == seconds)
    }

    @Test(arguments: ["", "7", "0", "d", "-1d", "+1d", "1y", "7 d", "0x1d", "nans", "infs", "1e9w", "soon", "d7"])
    func anythingElseIsRefused(_ text: String) {
        #expect(Age.seconds(text) == nil)
    }
}
