import ClairoTestSupport
import Foundation
import Testing

/// The origins of settings, as shown by `clairo config`.
@Suite(.mostlyWaits) struct SettingsTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private struct Report: Decodable {
        struct Row: Decodable {
            var name: String
            var value: String?
            var origin: String
        }
        var home: String
        var file: String?
        var settings: [Row]

        subscript(_ name: String) -> Row? { settings.first { $0.name == name } }
    }

    private func config(_ arguments: String..., more: [String: String] = [:]) async throws -> Report {
        let outcome = try await ClairoProcess.run(
            arguments: ["config", "--json"] + arguments, in: scratch.path,
            environment: ["HOME": scratch.path, "XDG_DATA_HOME": "", "CLAIRO_HOME": ""].merging(more) { $1 })
        #expect(outcome.status == 0, "\(outcome)")
        return try JSONDecoder().decode(Report.self, from: outcome.output)
    }

    @Test func withoutAnySettingEverythingIsInTheDataDirectory() async throws {
        let report = try await config()
        #expect(report.home == scratch.path(".local/share/clairo"))
        #expect(report.file == nil)
        #expect(report["raw-store"]?.value == "file:\(report.home)/raw")
        #expect(report["database"]?.value == "sqlite:\(report.home)/clairo.db")
        #expect(report["database"]?.origin == "default")
        #expect(try await config(more: ["XDG_DATA_HOME": "/data"]).home == "/data/clairo")
        #expect(try await config(more: ["XDG_DATA_HOME": "/data", "CLAIRO_HOME": "/c"]).home == "/c")
    }

    @Test func flagsPrecedeTheEnvironmentThenTheFileThenTheDefault() async throws {
        try scratch.write(
            "raw-store: file:/from-file\noutput-store: file:/from-file\ndatabase: sqlite:/from-file\n",
            to: "clairo.yaml")
        let report = try await config(
            "--database", "sqlite:/from-flag",
            more: ["CLAIRO_DATABASE": "sqlite:/from-variable", "CLAIRO_OUTPUT_STORE": "file:/from-variable"])
        #expect(report["database"]?.value == "sqlite:/from-flag" && report["database"]?.origin == "--database")
        #expect(report["output-store"]?.value == "file:/from-variable")
        #expect(report["output-store"]?.origin == "CLAIRO_OUTPUT_STORE")
        #expect(report["raw-store"]?.value == "file:/from-file" && report["raw-store"]?.origin == "clairo.yaml")
    }

    @Test func theServersAddressIsASetting() async throws {
        #expect(try await config()["listen"]?.value == "127.0.0.1:8080")
        let server = try ClairoProcess.start(
            ["serve"],
            environment: ["HOME": scratch.path, "CLAIRO_HOME": scratch.path("home"), "CLAIRO_LISTEN": "127.0.0.1:0"])
        #expect(await server.line(on: .messages) { $0.hasPrefix("Listening on http://127.0.0.1:") } != nil)
        server.send(SIGTERM)
        #expect(try await server.outcome().status == 0)
    }

    @Test func theSettingsOfThePipelineAreShownWithTheirOrigins() async throws {
        let bare = try await config()
        #expect(bare["queue"]?.value == "local:" && bare["queue"]?.origin == "default")
        for name in ["kafka-config", "profiles", "tenant-weights", "webhook-url", "webhook-secret"] {
            let row = try #require(bare[name])
            #expect(row.value == nil && row.origin == "not set")
        }
        try scratch.write("tenant-weights: gold=4\nprofiles: /etc/profiles.yaml\n", to: "clairo.yaml")
        let report = try await config(more: ["CLAIRO_QUEUE": "kafka://b1,b2", "CLAIRO_KAFKA_CONFIG": "/etc/kafka.conf"])
        #expect(report["queue"]?.value == "kafka://b1,b2" && report["queue"]?.origin == "CLAIRO_QUEUE")
        #expect(report["kafka-config"]?.value == "/etc/kafka.conf")
        #expect(report["tenant-weights"]?.value == "gold=4" && report["tenant-weights"]?.origin == "clairo.yaml")
        #expect(report["profiles"]?.value == "/etc/profiles.yaml")
    }

    @Test func secretsAreMasked() async throws {
        try scratch.write("database-password: hunter2\n", to: "clairo.yaml")
        let outcome = try await ClairoProcess.run(
            arguments: ["config", "--database", "mysql://me:hunter3@db/clairo"], in: scratch.path,
            environment: [
                "HOME": scratch.path, "CLAIRO_WEBHOOK_SECRET": "hunter4", "CLAIRO_QUEUE": "kafka://me:hunter8@broker",
                "CLAIRO_WEBHOOK_URL": "https://me:hunter5@hooks.example.com/hunter6?token=hunter7",
            ])
        #expect(!outcome.description.contains("hunter"))
        #expect(outcome.text.contains("mysql://me:***@db/clairo"))
        #expect(outcome.text.contains("https://hooks.example.com/***"))
    }

    static let damaged = [
        "raw-stor: file:/x\n", "raw-store: [a, b]\n", "- raw-store\n",
        "raw-store: \"unfinished\ndatabase-password: hunter2\n",
        "just words\n",
    ]

    @Test(arguments: damaged) func anInvalidFileIsRefused(_ text: String) async throws {
        try scratch.write(text, to: "clairo.yaml")
        let outcome = try await ClairoProcess.run(
            arguments: ["status"], in: scratch.path, environment: ["HOME": scratch.path])
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.errors.contains("clairo.yaml"))
        #expect(!outcome.errors.contains("hunter2"))
    }

    @Test(arguments: ["", "\n", "# raw-store: s3://bucket\n", "---\n", "{}\n"])
    func anEmptyFileSetsNothing(_ text: String) async throws {
        try scratch.write(text, to: "clairo.yaml")
        let report = try await config()
        #expect(report.file == "clairo.yaml")
        #expect(report["raw-store"]?.origin == "default")
    }

    @Test func aNamedFileMustExist() async throws {
        let outcome = try await ClairoProcess.run("status", "--config", scratch.path("none.yaml"))
        #expect(outcome.status == 78)
    }

    static let wrong = [
        ("--raw-store", "ftp://host/x"), ("--raw-store", "s3://"), ("--database", "postgres://host/db"),
        ("--database", "sqlite:"),
    ]

    @Test(arguments: wrong) func anInvalidServiceURLIsRefused(_ flag: String, _ url: String) async throws {
        let outcome = try await ClairoProcess.run(
            arguments: ["doctor", flag, url], environment: ["CLAIRO_HOME": scratch.path])
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.text.contains("FAIL"))
    }
}
