internal import ArgumentParser
internal import ClairoCore

/// `clairo key`: prints the keys of a video.
struct KeyCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "key",
        abstract: "Print the keys of an encrypted video.",
        discussion: """
            Prints secrets to standard output, one TRACK KID:KEY a line: the format of --key-file. They derive from the \
            master secret (master-key-file) and are the same on every machine that has it. Needs the database, to check \
            that the video exists.

              clairo key 019ab2c4-… > keys.txt
              clairo verify s3://videos/out/videos/019ab2c4-…/019ab2c5-… --key-file keys.txt
            """)

    @Argument(help: "Id of the video.") var video: String

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment)
        let services = Services(settings, environment)
        guard let secret = try services.masterSecret() else {
            throw ClairoError.configuration(
                "There is no master secret",
                advice: "Set \(Settings.Key.masterKeyFile.environmentName) to the file that the workers use.")
        }
        for id in try VideoArgument.ids([video]) {
            let isKnown = try await services.withMetadata(updatesSchema: false) { try await $0.video(id) != nil }
            guard isKnown else {
                throw ClairoError.noInput("Video \(id) does not exist", advice: "clairo status lists the videos.")
            }
            environment.output(secret.keys(of: id).revealed)
        }
    }
}
