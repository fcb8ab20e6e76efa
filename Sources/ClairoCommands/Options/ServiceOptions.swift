internal import ArgumentParser
internal import ClairoCore

/// The services a command works with, the same for all that need them.
struct ServiceOptions: ParsableArguments {
    @Option(help: ArgumentHelp("The store for uploaded sources: file:DIR or s3://BUCKET/PREFIX.", valueName: "url"))
    var rawStore: String?

    @Option(help: ArgumentHelp("The store for renditions: file:DIR or s3://BUCKET/PREFIX.", valueName: "url"))
    var outputStore: String?

    @Option(
        help: ArgumentHelp(
            "The metadata database: sqlite:FILE or mysql://USER@HOST/NAME. A password comes from \(Settings.Key.databasePassword.environmentName), \(Settings.Key.databasePasswordFile.environmentName) or ~/.my.cnf.",
            valueName: "url"))
    var database: String?

    @Option(
        help: ArgumentHelp(
            "The configuration file, instead of ./clairo.yaml, ~/.config/clairo/clairo.yaml or /etc/clairo/clairo.yaml.",
            valueName: "file"),
        completion: .file(extensions: ["yaml", "yml"]))
    var config: String?

    /// - Parameter own: settings that a command has flags of its own for.
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
