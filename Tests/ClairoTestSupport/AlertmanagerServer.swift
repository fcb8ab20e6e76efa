internal import Foundation
internal import Testing

/// A real Alertmanager that forwards Prometheus's alerts without delay.
public struct AlertmanagerServer: Sendable {
    public static var isInstalled: Bool { TestTools.path(of: program) != nil }

    private static let program = "prometheus-alertmanager"

    /// `host:port`.
    public let address: String

    /// An alert as returned by the API.
    public struct Alert: Decodable, Sendable {
        public var labels: [String: String]
        public var annotations: [String: String]
    }

    /// - Parameter webhook: The URL that receives each alert.
    public static func start(webhook: String, in scratch: Scratch) async throws -> AlertmanagerServer {
        let configuration = try scratch.write(
            """
            route: {receiver: test, group_by: ['...'], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
            receivers:
              - name: test
                webhook_configs: [{url: '\(webhook)'}]
            """, to: "alertmanager.yml")
        let port = try freePort()
        let server = AlertmanagerServer(address: "127.0.0.1:\(port)")
        let process = try ChildProcess(
            program,
            [
                "--config.file=\(configuration)", "--storage.path=\(scratch.path("alertmanager"))",
                "--web.listen-address=\(server.address)", "--cluster.listen-address=", "--log.level=warn",
            ], deadline: .seconds(900))
        scratch.onCleanup { process.send(SIGKILL) }
        try await eventually {
            (try? await HTTPClient.send("GET", "http://\(server.address)/-/ready"))?.status == 200
        }
        return server
    }

    /// The alerts that are firing.
    public func alerts() async throws -> [Alert] {
        let reply = try await HTTPClient.send("GET", "http://\(address)/api/v2/alerts?active=true")
        return try JSONDecoder().decode([Alert].self, from: reply.body)
    }
}

/// A port that is currently free, for programs that do not report the port they chose.
func freePort() throws -> UInt16 {
    let server = try LocalServer(folder: "/nonexistent")
    defer { server.stop() }
    return server.port
}
