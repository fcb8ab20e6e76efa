internal import ArgumentParser
internal import ClairoCore
internal import Foundation

/// `clairo config`: shows the effective settings.
struct ConfigCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "config",
        abstract: "Show the effective settings and where each came from.",
        discussion: """
            A flag overrides the environment, which overrides the configuration file, which overrides the default. Secrets \
            are masked. The flags are those that other commands take for settings.

              clairo config
              clairo config --queue kafka://broker1,broker2
              CLAIRO_RAW_STORE=s3://videos/raw clairo config --json
            """)

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Output in S3") var deliveryOptions: DeliveryOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    @OptionGroup(title: "Server") var listenOptions: ListenOptions

    @OptionGroup(title: "Upkeep") var upkeepOptions: UpkeepOptions

    @OptionGroup(title: "Docker") var dockerOptions: DockerOptions

    @OptionGroup(title: "Amazon ECS") var ecsOptions: ECSOptions

    func run(_ environment: CommandEnvironment) async throws {
        let flags =
            queueOptions.flags + deliveryOptions.flags + listenOptions.flags + upkeepOptions.flags + dockerOptions.flags
            + ecsOptions.flags
        let settings = try await serviceOptions.settings(environment, own: flags)
        for hint in settings.hints { environment.warn(hint) }
        let rows = Settings.Key.allCases.map { key in
            ConfigReport.Row(
                name: key.rawValue,
                value: settings.value(key).map(key.masked),
                origin: settings.origin(key).description, environment: key.environmentName, meaning: key.meaning)
        }
        if json {
            let report = ConfigReport(schema: 1, home: settings.home, file: settings.file, settings: rows)
            environment.output(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
        } else {
            environment.output(
                "data directory      \(settings.home)\nconfiguration file  \(settings.file ?? "none")\n\n"
                    + Render.table(
                        ["setting", "value", "from", "what it is"],
                        rows.map { [$0.name, $0.value ?? "-", $0.origin, $0.meaning] }))
        }
    }
}

/// The output of `clairo config --json`.
struct ConfigReport: Codable {
    struct Row: Codable {
        var name: String
        var value: String?
        var origin: String
        var environment: String
        var meaning: String
    }

    var schema: Int
    var home: String
    var file: String?
    var settings: [Row]
}
