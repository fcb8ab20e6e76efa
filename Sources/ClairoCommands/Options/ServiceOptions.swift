internal import ArgumentParser
internal import ClairoCore

/// The services that a command uses.
struct ServiceOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Store for uploaded sources: file:DIR or s3://BUCKET/PREFIX (default: raw in the data directory).",
            valueName: "url"))
    var rawStore: String?

    @Option(
        help: ArgumentHelp(
            "Store for renditions: file:DIR or s3://BUCKET/PREFIX (default: output in the data directory).",
            valueName: "url"))
    var outputStore: String?

    @Option(
        help: ArgumentHelp(
            "Metadata database: sqlite:FILE or mysql://USER@HOST/NAME (default: clairo.db in the data directory). The password comes from \(Settings.Key.databasePassword.environmentName), \(Settings.Key.databasePasswordFile.environmentName) or ~/.my.cnf.",
            valueName: "url"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "Configuration file (default: the first of ./clairo.yaml, ~/.config/clairo/clairo.yaml, /etc/clairo/clairo.yaml).",
            valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    /// - Parameter own: The settings that only some commands have options for.
    func settings(
        _ environment: CommandEnvironment, own: [(Settings.Key, String?)] = []
    ) async throws(ClairoError) -> Settings {
        let flags: [(Settings.Key, String?)] =
            [(.rawStore, rawStore), (.outputStore, outputStore), (.database, database)] + own
        return try await Settings(
            flags: Dictionary(uniqueKeysWithValues: flags.compactMap { key, value in value.map { (key, $0) } }),
            configFile: config, environment: environment.variables)
    }
}
