internal import ArgumentParser
internal import ClairoCore
internal import Foundation

/// `clairo migrate`: brings the database's schema up to date.
struct MigrateCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate",
        abstract: "Bring the metadata database's schema up to date.",
        discussion: """
            To be run once before the first use of a MySQL database and after each update of clairo; running it again, or \
            on several machines at once, does no harm. An SQLite database is kept up to date without it.

              clairo migrate --database mysql://clairo@db.example.com/clairo
              clairo migrate --dry-run
            """)

    @Flag(help: "Only show the versions; exit with 75 where there is something to do.")
    var dryRun = false

    @Flag(help: "Print one JSON object.")
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

/// What `clairo migrate --json` prints.
struct MigrationReport: Codable {
    var schema: Int
    var from: Int
    var to: Int
    var applied: [String]
}
