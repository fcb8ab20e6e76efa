internal import ArgumentParser
internal import ClairoCore
internal import ClairoMessaging
internal import Foundation

/// `clairo migrate`: updates the schema of the metadata database, and creates missing Kafka topics.
struct MigrateCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Update the schema of the metadata database, and create missing Kafka topics.",
        discussion: """
            Run it once before the first use of a MySQL database or a Kafka cluster, and after each update of Clairo. \
            Running it again, or on several machines at once, does no harm. An SQLite database is updated automatically.

              clairo migrate --database mysql://clairo@db.example.com/clairo
              clairo migrate --queue kafka://broker1,broker2
              clairo migrate --dry-run
            """)

    @Flag(help: "Only show the versions of the schema; exit with 75 if an update is needed.")
    var dryRun = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    func run(_ environment: CommandEnvironment) async throws {
        let services = Services(
            try await serviceOptions.settings(environment, own: queueOptions.flags), environment,
            kafkaProperties: queueOptions.properties)
        var report = MigrationReport(schema: 1, from: 0, to: 0, applied: [])
        let program = try await services.withMetadata(updatesSchema: !dryRun) { metadata in
            report.from = try await metadata.schema().database
            if !dryRun { report.applied = try await metadata.migrate() }
            let now = try await metadata.schema()
            report.to = now.database
            return now.program
        }
        if !json { environment.output(text(report, program: program)) }
        var failure: (any Error)?
        // A health check may call the dry run, so that needs no broker.
        if !dryRun {
            do { report.topics = try await services.kafkaQueue()?.createTopics() } catch { failure = error }
        }
        if json {
            environment.output(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
        } else {
            environment.output((report.topics ?? []).map { "created the topic \($0)\n" }.joined())
        }
        if let failure { throw failure }
        if report.to < program { throw AlreadyReported(exitCode: .temporary) }
    }

    private func text(_ report: MigrationReport, program: Int) -> String {
        report.applied.isEmpty
            ? "The schema is version \(report.to); this program needs \(program).\n"
            : report.applied.map { "applied \($0)\n" }.joined() + "The schema is version \(report.to).\n"
    }
}

/// The output of `clairo migrate --json`.
struct MigrationReport: Codable {
    var schema: Int
    var from: Int
    var to: Int
    var applied: [String]
    /// The topics that were created. Nil if the queue is not Kafka.
    var topics: [String]?
}
