internal import ClairoCore
internal import ClairoTestSupport
internal import Foundation
internal import Synchronization
internal import Testing

@testable internal import ClairoAPI

@Suite struct AccessTests {
    private let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func eachTokenIdentifiesItsOwnerAndOtherTextIdentifiesNoOne() throws {
        let list = try TokenList(
            lines: [
                "# tokens", "", " first-token-0123456789 ", "studio: second-token-012345678",
                "studio:third-token-0123456789",
            ], name: "tokens")
        let first = try #require(list.caller(token: "first-token-0123456789"))
        let second = try #require(list.caller(token: "second-token-012345678"))
        #expect(second == list.caller(token: "third-token-0123456789"))
        #expect(first != second)
        for token in ["", "first-token-012345678", "first-token-01234567890", "studio", "# tokens"] {
            #expect(list.caller(token: Substring(token)) == nil)
        }
        #expect(!first.owner.contains("first-token"))
    }

    @Test(arguments: [[], ["# nothing"], ["two words"], ["name:"], ["tökén-with-accents"]])
    func aFileWithoutValidTokensIsAConfigurationError(lines: [String]) {
        let error = #expect(throws: ClairoError.self) { _ = try TokenList(lines: lines, name: "tokens") }
        #expect(error?.exitCode == .configuration)
    }

    /// As Notepad writes it.
    @Test func aTokenFileMayHaveWindowsLineEndsAndAByteOrderMark() throws {
        let path = try scratch.write(
            "\u{FEFF}alice:first-token-0123456789\r\nbob:second-token-012345678\r\n", to: "tokens")
        let list = try TokenList(path: path)
        #expect(list.caller(token: "first-token-0123456789")?.owner == "name:alice")
        #expect(list.caller(token: "second-token-012345678")?.owner == "name:bob")
    }

    @Test func aTokenFileReadableByOthersCausesAWarning() throws {
        let path = try scratch.write("first-token-0123456789\n", to: "tokens")
        try FileManager.default.setAttributes([.posixPermissions: 0o644], ofItemAtPath: path)
        #expect(try TokenList(path: path).warnings.contains { $0.contains("chmod 600") })
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(try TokenList(path: path).warnings.isEmpty)
    }

    @Test func aFingerprintIsValidForItsCallerOnly() {
        let (one, two) = (Caller(owner: "name:one"), Caller(owner: "name:two"))
        let fingerprint = one.fingerprint(.resumable)
        #expect(fingerprint.count == 64)
        #expect(fingerprint != one.fingerprint(.resumable))
        #expect(one.purpose(ofFingerprint: fingerprint) == .resumable)
        #expect(two.purpose(ofFingerprint: fingerprint) == nil)
        #expect(one.purpose(ofFingerprint: "") == nil)
    }

    @Test func aBucketEmptiesAndRefills() throws {
        let time = Mutex(Duration.zero)
        let limiter = RateLimiter(perSecond: 2, burst: 3) { time.withLock { $0 } }
        for _ in 0..<3 { #expect(limiter.admit("a") == nil) }
        #expect(limiter.admit("a") == 0.5)
        #expect(limiter.admit("b") == nil)
        time.withLock { $0 += .milliseconds(500) }
        #expect(limiter.admit("a") == nil)
        #expect(limiter.admit("a") != nil)
        time.withLock { $0 += .seconds(3600) }
        for _ in 0..<3 { #expect(limiter.admit("a") == nil) }
        #expect(limiter.admit("a") != nil)
    }

    @Test func onlyTimeSpentWaitingMakesASenderSlow() {
        var meter = IngressMeter(minimum: MinimumRate(constant: 1000), window: .seconds(30))
        // A fast sender, and a store that takes ten minutes per piece.
        for minute in 0..<10 {
            meter.beginWait(at: .seconds(minute * 600))
            meter.endWait(at: .seconds(minute * 600) + .milliseconds(1), bytes: 10)
        }
        meter.check(at: .seconds(6000))
        #expect(!meter.isTooSlow)
        // A sender below the minimum rate during the window.
        meter.beginWait(at: .seconds(6000))
        meter.check(at: .seconds(6029))
        #expect(!meter.isTooSlow)
        meter.check(at: .seconds(6030))
        #expect(meter.isTooSlow)
    }

    @Test func aSenderAtTheRateIsNotSlow() {
        var meter = IngressMeter(minimum: MinimumRate(constant: 1000), window: .seconds(30))
        for second in 0..<300 {
            meter.beginWait(at: .seconds(second))
            meter.endWait(at: .seconds(second + 1), bytes: 1001)
        }
        #expect(!meter.isTooSlow)
        for second in 300..<400 {
            meter.beginWait(at: .seconds(second))
            meter.endWait(at: .seconds(second + 1), bytes: 900)
        }
        #expect(meter.isTooSlow)
    }

    @Test func theMinimumRateRisesWithTheTimeOfWaiting() {
        let rate = MinimumRate.standard
        let kibibytes = [0, 299, 300, 899, 900, 86_400].map { rate.bytesPerSecond(after: $0) >> 10 }
        #expect(kibibytes == [8, 8, 12, 12, 16, 16])
        var meter = IngressMeter(minimum: rate, window: .seconds(30))
        // 12 kB/s are enough for five minutes only.
        var second = 0
        while !meter.isTooSlow, second < 1000 {
            meter.beginWait(at: .seconds(second))
            second += 1
            meter.endWait(at: .seconds(second), bytes: 12_000)
        }
        #expect(second == 300)
    }

    @Test func theRecentRateFollowsTheSender() {
        var meter = IngressMeter(minimum: .standard, window: .seconds(30))
        meter.beginWait(at: .seconds(0))
        #expect(meter.recentRate(at: .seconds(4)) == nil)
        for second in 0..<20 {
            meter.beginWait(at: .seconds(second))
            meter.endWait(at: .seconds(second + 1), bytes: 100_000)
        }
        #expect(meter.recentRate(at: .seconds(20)) ?? 0 > 90_000)
        // The store takes an hour. That is not the sender's time.
        meter.beginWait(at: .seconds(3600))
        #expect(meter.silence(at: .seconds(3603)) == .seconds(3))
        #expect(meter.recentRate(at: .seconds(3603)) ?? 0 > 50_000)
        #expect(meter.recentRate(at: .seconds(3611)) ?? 1 == 0)
        meter.endWait(at: .seconds(3612), bytes: 1)
        #expect(meter.silence(at: .seconds(3613)) == .zero)
    }

    @Test(.timeLimit(.minutes(1))) func twoTasksUseAValueInTurns() async {
        let handover = Handover(0)
        let value = await handover.take()
        #expect(handover.takeIfFree() == nil)
        async let next = handover.take()
        handover.giveBack(value + 1)
        #expect(await next == 1)
        handover.giveBack(2)
        #expect(handover.takeIfFree() == 2)
    }

    @Test(arguments: [
        ("127.0.0.1:8080", "127.0.0.1", 8080, true), ("[::1]:80", "::1", 80, true), (":9000", "0.0.0.0", 9000, false),
        ("9000", "127.0.0.1", 9000, true), ("0.0.0.0:0", "0.0.0.0", 0, false),
        ("127.example.com.net:1", "127.example.com.net", 1, false), ("localhost:1", "localhost", 1, true),
    ])
    func listenAddressesAreParsed(text: String, host: String, port: Int, isLoopback: Bool) throws {
        var options = ServerOptions()
        try options.listen(on: text)
        #expect((options.host, options.port) == (host, port))
        #expect(options.isLoopback == isLoopback)
        let error = Result { () throws(ClairoError) in try options.check() }
        #expect((try? error.get()) != nil || !isLoopback)
    }

    @Test func listeningOnAllAddressesWithoutTokensMustBeAllowedExplicitly() throws {
        var options = ServerOptions()
        try options.listen(on: "0.0.0.0:8080")
        let error = #expect(throws: ClairoError.self) { try options.check() }
        #expect(error?.exitCode == .configuration)
        options.allowsAnonymous = true
        try options.check()
    }

    @Test(arguments: ["", "x", "1:2:x", "127.0.0.1:70000", "127.0.0.1:"])
    func anInvalidAddressIsAUsageError(text: String) {
        var options = ServerOptions()
        #expect(throws: ClairoError.self) { try options.listen(on: text) }
    }
}
