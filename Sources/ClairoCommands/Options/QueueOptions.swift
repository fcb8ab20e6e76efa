internal import ArgumentParser
internal import ClairoCore

/// The queue that messages travel by, for the commands that send or receive them.
struct QueueOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "The queue: kafka://BROKER,BROKER or local: (a table of the metadata database).", valueName: "url"))
    var queue: String?

    @Option(
        name: .customShort("X"),
        help: ArgumentHelp(
            "A property of librdkafka, such as -X security.protocol=SSL; may be repeated.", valueName: "property=value")
    )
    var properties: [String] = []

    @Option(
        help: ArgumentHelp("A file of librdkafka properties, one property=value in a line.", valueName: "file"),
        completion: .file())
    var kafkaConfig: String?

    @Option(
        help: ArgumentHelp("Shares of tenants, such as gold=4,trial=0.5; 1 without it.", valueName: "tenant=weight"))
    var tenantWeights: String?

    @Option(
        help: ArgumentHelp(
            "A YAML file of named settings (profiles), each with preset, quality, heights, formats, segment-seconds.",
            valueName: "file"),
        completion: .file())
    var profiles: String?

    /// The settings that these options are the flags of.
    var flags: [(Settings.Key, String?)] {
        [
            (.queue, queue), (.kafkaConfig, kafkaConfig), (.tenantWeights, tenantWeights), (.profiles, profiles),
        ]
    }
}
