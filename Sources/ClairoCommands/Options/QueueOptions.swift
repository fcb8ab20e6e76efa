internal import ArgumentParser
internal import ClairoCore

/// The message queue, for the commands that send or receive messages.
struct QueueOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "Message queue: kafka://BROKER,BROKER, or local: for a table of the metadata database (default: local:).",
            valueName: "url"))
    var queue: String?

    @Option(
        name: .customShort("X"),
        help: ArgumentHelp(
            "Property of librdkafka, such as security.protocol=SSL; may be repeated.", valueName: "property=value")
    )
    var properties: [String] = []

    @Option(
        help: ArgumentHelp("File of librdkafka properties, one property=value per line.", valueName: "file"),
        completion: .file())
    var kafkaConfig: String?

    @Option(
        help: ArgumentHelp(
            "Weights of tenants for fair scheduling, such as gold=4,trial=0.5 (default: 1 each).",
            valueName: "tenant=weight"))
    var tenantWeights: String?

    @Option(
        help: ArgumentHelp(
            "YAML file of profiles, which are named transcode settings; see clairo.yaml(5).",
            valueName: "file"),
        completion: .file())
    var profiles: String?

    /// The values of these options by setting.
    var flags: [(Settings.Key, String?)] {
        [
            (.queue, queue), (.kafkaConfig, kafkaConfig), (.tenantWeights, tenantWeights), (.profiles, profiles),
        ]
    }
}
