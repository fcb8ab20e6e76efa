internal import ClairoCore
internal import Foundation
internal import Testing

/// A real Prometheus that scrapes the given targets and keeps its data in the test's folder.
public struct PrometheusServer: Sendable {
    public static var isInstalled: Bool {
        TestTools.path(of: "prometheus") != nil && TestTools.path(of: "promtool") != nil
    }

    public let url: String
    private let process: ChildProcess

    public struct Refused: Error, CustomStringConvertible {
        public var query: String
        public var answer: String
        public var description: String { "\(query): \(answer)" }
    }

    /// - Parameters:
    ///   - targets: `host:port` lists by job name.
    ///   - rules: Rule files.
    ///   - alertmanager: `host:port` of the Alertmanager.
    public static func start(
        scraping targets: [String: [String]], rules: [String], alertmanager: String? = nil, in scratch: Scratch
    ) async throws -> PrometheusServer {
        let jobs = targets.map { name, addresses in
            "  - job_name: \(name)\n    static_configs: [{targets: [\(addresses.map { "'\($0)'" }.joined(separator: ", "))]}]\n"
        }
        let configuration = try scratch.write(
            """
            global: {scrape_interval: 3s, scrape_timeout: 3s, evaluation_interval: 1s}
            rule_files: [\(rules.map { "'\($0)'" }.joined(separator: ", "))]
            alerting: {alertmanagers: [{static_configs: [{targets: [\(alertmanager.map { "'\($0)'" } ?? "")]}]}]}
            scrape_configs:
            \(jobs.joined())
            """, to: "prometheus.yml")
        let port = try freePort()
        let process = try ChildProcess(
            "prometheus",
            [
                "--config.file=\(configuration)", "--storage.tsdb.path=\(scratch.path("prometheus"))",
                "--web.listen-address=127.0.0.1:\(port)", "--log.level=warn",
            ], deadline: .seconds(900))
        scratch.onCleanup { process.send(SIGKILL) }
        let server = PrometheusServer(url: "http://127.0.0.1:\(port)", process: process)
        try await eventually {
            (try? await HTTPClient.send("GET", "\(server.url)/-/ready"))?.status == 200
        }
        return server
    }

    /// The values of an instant query, by labels.
    public func query(_ expression: String) async throws -> [[String: String]: Double] {
        var allowed = CharacterSet.alphanumerics
        allowed.insert(charactersIn: "-._~")
        let encoded = expression.addingPercentEncoding(withAllowedCharacters: allowed) ?? expression
        let reply = try await HTTPClient.send("GET", "\(url)/api/v1/query?query=\(encoded)")
        guard reply.status == 200, let answer = try? JSONDecoder().decode(Answer.self, from: reply.body),
            answer.status == "success"
        else { throw Refused(query: expression, answer: String(decoding: reply.body, as: UTF8.self)) }
        return Dictionary(
            answer.data.result.map { ($0.metric, Double($0.value.last?.text ?? "") ?? .nan) }
        ) { first, _ in first }
    }

    private struct Answer: Decodable {
        struct Data: Decodable { var result: [Series] }

        struct Series: Decodable {
            var metric: [String: String]
            /// A timestamp and a number as text.
            var value: [Value]
        }

        struct Value: Decodable {
            var text: String?

            init(from decoder: any Decoder) throws { text = try? decoder.singleValueContainer().decode(String.self) }
        }

        var status: String
        var data: Data
    }
}
