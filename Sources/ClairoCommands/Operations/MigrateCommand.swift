internal import ArgumentParser
internal import ClairoCore
internal import Foundation

/// `clairo migrate`: updates the schema of the metadata database.
struct MigrateCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Update the schema of the metadata database.",
        discussion: """
            Run it once before the first use of a MySQL database, and after each update of Clairo. Running it again, or on \
            several machines at once, does no harm. An SQLite database is updated automatically.

              clairo migrate --database mysql://clairo@db.example.com/clairo
              clairo migrate --dry-run
            """)

    @Flag(help: "Only show the versions; exit with 75 if an update is needed.")
    var dryRun = false

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let services = Services(try await serviceOptions.settings(environment), environment)
        try await services.withMetadata(updatesSchema: !dryRun) { metadata in
            let before = try await metadata.schema()
            let applied = dryRun ? [] : try await metadata.migrate()
            let now = try await metadata.schema()
            if json {
                let report = MigrationReport(schema: 1, from: before.database, to: now.database, applied: applied)
                environment.output(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
            } else if applied.isEmpty {
                environment.output("The schema is version \(now.database); this program needs \(now.program).\n")
            } else {
                environment.output(
                    applied.map { "applied \($0)\n" }.joined() + "The schema is version \(now.database).\n")
            }
            if now.database < now.program { throw AlreadyReported(exitCode: .temporary) }
        }
    }
}

/// The output of `clairo migrate --json`.
struct MigrationReport: Codable {
    var schema: Int
    var from: Int
    var to: Int
    var applied: [String]
}
