import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// A cluster from its first use on: its topics, and users without permissions.
@Suite(.mostlyWaits) struct KafkaSetupTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func clairo(_ queue: String, _ arguments: String...) async throws -> ChildProcess.Outcome {
        try await ClairoProcess.run(
            arguments: arguments,
            environment: [
                "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path, "CLAIRO_QUEUE": "kafka://\(queue)",
            ])
    }

    @Test func migrateCreatesTheTopicsOnce() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        _ = try await cluster.makeTopic(Topic.uploads)
        let controller = try KafkaController(of: cluster)
        let dry = try await clairo(controller.brokers, "migrate", "--dry-run")
        #expect(dry.status == 75, "\(dry)")
        #expect(controller.orders.isEmpty)
        let first = try await clairo(controller.brokers, "migrate")
        #expect(first.status == 0, "\(first)")
        #expect(first.text.hasSuffix(Topic.all.dropFirst().map { "created the topic \($0)\n" }.joined()), "\(first)")
        #expect(controller.orders.map(\.name) == Array(Topic.all.dropFirst()))
        let second = try await clairo(controller.brokers, "migrate", "--json")
        #expect(second.status == 0, "\(second)")
        let report = try #require(try JSONSerialization.jsonObject(with: second.output) as? [String: Any])
        #expect(report["topics"] as? [String] == [])
        #expect(controller.orders.count == Topic.all.count - 1)
    }

    @Test func aUserWhoMayNotCreateTopicsIsToldByMigrateAndProduce() async throws {
        let controller = try KafkaController(of: try await KafkaCluster.start(brokers: 1))
        controller.refuse(.init(.topicAuthorizationFailed, "Authorization failed."))
        let migrated = try await clairo(controller.brokers, "migrate")
        #expect(migrated.status == 77, "\(migrated)")
        #expect(migrated.text.contains("The schema is version"), "the update of the database is done: \(migrated)")
        let produced = try await clairo(controller.brokers, "produce", "--once")
        #expect(produced.status == 77, "\(produced)")
        for outcome in [migrated, produced] {
            #expect(outcome.errors.contains("may not create the topics clairo.uploads, "), "\(outcome)")
            #expect(outcome.errors.contains("CREATE"), "\(outcome)")
        }
    }

    @Test func aRelayThatMayNotWriteSaysSoAndDeliversLater() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        for topic in Topic.all { _ = try await cluster.makeTopic(topic) }
        let clip = try await Clip(seconds: 1).make()
        let upload = try await clairo(cluster.brokers, "upload", clip.path, "--progress", "none")
        #expect(upload.status == 0, "\(upload)")
        try await cluster.fail(.produce, Array(repeating: .topicAuthorizationFailed, count: 100))
        let denied = try await clairo(cluster.brokers, "produce", "--once")
        #expect(denied.status == 77, "\(denied)")
        #expect(denied.errors.contains("may not write to the topic clairo.uploads"), "\(denied)")
        #expect(denied.errors.contains("Grant WRITE"), "\(denied)")
        try await cluster.forgetFailures(.produce)
        // The message is due again after about a second.
        try await eventually {
            let text = try await clairo(cluster.brokers, "produce", "--once").text
            return text.hasPrefix("delivered ") && !text.hasPrefix("delivered 0")
        }
    }
}
