import ClairoAPI
import Foundation
import Testing

/// What starts `clairo serve` waits for its shutdown before it kills it.
@Suite struct ShutdownTimeTests {
    private static let deploy = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().appending(path: "Scripts/deploy")

    private static let needed = ServerOptions().shutdownSeconds + ServerOptions.cleanupSeconds

    private func text(_ name: String) throws -> String {
        try String(contentsOf: Self.deploy.appending(path: name), encoding: .utf8)
    }

    @Test func systemdWaitsForTheServer() throws {
        let match = try #require(try text("systemd/clairo-serve.service").firstMatch(of: /TimeoutStopSec=(\d+)/))
        #expect(try #require(Double(match.1)) > Self.needed)
    }

    @Test func dockerWaitsForTheServer() throws {
        let match = try #require(try text("compose.yaml").firstMatch(of: /stop_grace_period: (\d+)s/))
        #expect(try #require(Double(match.1)) > Self.needed)
    }

    @Test func ecsWaitsForTheServer() throws {
        let template = try text("cloudformation.yaml")
        let match = try #require(
            template.firstMatch(of: /clairo serve [^\n]*--shutdown-seconds (\d+)[\s\S]*?StopTimeout: (\d+)/))
        let (given, waits) = (try #require(Double(match.1)), try #require(Double(match.2)))
        #expect(waits > given + ServerOptions.cleanupSeconds)
        // The maximum on Fargate.
        #expect(waits <= 120)
    }
}
