internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo dlq`: what could not be dealt with.
struct DLQCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "Look at dead letters, and try them again.",
        discussion: """
            Messages that nobody understands, and tasks that failed too often, are kept with the reason and all that is \
            needed to see the failure again. They are also sent to TOPIC.dlq for others to watch.

              clairo dlq list
              clairo dlq show 019ab2c4-…
              clairo dlq redrive --all
            """,
        subcommands: [DLQListCommand.self, DLQShowCommand.self, DLQRedriveCommand.self])
}

struct DLQListCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List dead letters, newest first.")

    @Option(help: "Only those of this topic, such as clairo.tasks.") var topic: String?
    @Option(help: ArgumentHelp("At most so many.", valueName: "count")) var limit = 50
    @Flag(help: "Those that were tried again too.") var all = false
    @Flag(help: "Print one JSON object.") var json = false
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let services = Services(try await serviceOptions.settings(environment), environment)
        try await services.withMetadata { metadata in
            let letters = try await services.deadLetters(metadata).list(topic: topic, all: all, limit: max(limit, 0))
            if json {
                let list = DeadLetterList(deadLetters: letters.map(DeadLetterDocument.init))
                environment.output(String(decoding: try JSON.encode(list), as: UTF8.self) + "\n")
            } else if letters.isEmpty {
                environment.output("There are no dead letters.\n")
            } else {
                environment.output(
                    Render.table(
                        ["id", "topic", "since", "attempts", "video", "why"],
                        letters.map {
                            [
                                $0.id.rawValue, $0.topic, String($0.createdAt.description.prefix(19)) + "Z",
                                String($0.attempts), $0.videoID?.rawValue ?? "-",
                                String(Render.printable($0.failure.message).prefix(100)),
                            ]
                        }))
            }
        }
    }
}

struct DLQShowCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "show", abstract: "Print one dead letter whole, its payload included, as JSON.")

    @Argument(help: "The dead letter's id.") var id: String
    @Flag(help: "Print nothing but the payload, byte by byte.") var payload = false
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let services = Services(try await serviceOptions.settings(environment), environment)
        let id = try Self.messageID(id)
        try await services.withMetadata { metadata in
            let letter = try await services.deadLetters(metadata).letter(id)
            if payload {
                try FileHandle.standardOutput.write(contentsOf: letter.payload)
            } else {
                environment.output(
                    String(decoding: try JSON.encode(DeadLetterDocument(letter)), as: UTF8.self) + "\n")
            }
        }
    }

    static func messageID(_ text: String) throws(ClairoError) -> MessageID {
        guard let id = MessageID(text) else {
            throw .usage("\(text) is not a dead letter's id", advice: "clairo dlq list shows those there are.")
        }
        return id
    }
}

struct DLQRedriveCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "redrive",
        abstract: "Try dead letters again.",
        discussion: """
            A task's video is taken up again where it failed, as by clairo retry; a message is sent once more to the topic it \
            came from. One that cannot be tried again stays, with the reason on stderr, and the others are tried all the same.
            """)

    @Argument(help: "Dead letters by their ids.") var ids: [String] = []
    @Flag(help: "All that were not tried again yet.") var all = false
    @Option(help: "With --all: only those of this topic.") var topic: String?
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions
    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    func validate() throws {
        guard ids.isEmpty == all else { throw ValidationError("Give ids, or --all.") }
    }

    func run(_ environment: CommandEnvironment) async throws {
        let settings = try await serviceOptions.settings(environment, own: queueOptions.flags)
        let services = Services(settings, environment)
        var wanted: [MessageID] = []
        for text in ids { wanted.append(try DLQShowCommand.messageID(text)) }
        try await services.withMetadata { [wanted] metadata in
            let desk = try services.deadLetters(metadata)
            let letters = try await all ? desk.list(topic: topic, all: false, limit: 100_000).map(\.id) : wanted
            var count = 0
            let failure = try await ForEachArgument.run(letters, environment) { id throws(ClairoError) in
                switch try await desk.redrive(try await desk.letter(id)) {
                case .redriven: count += 1
                case .wasRedriven: environment.error("The dead letter \(id) was tried again before\n")
                case .videoIsGone: environment.error("The video of the dead letter \(id) was deleted\n")
                }
            }
            environment.output("redriven \(count) of \(letters.count)\n")
            if let failure { throw failure }
        }
    }
}

/// What `clairo dlq list --json` prints.
struct DeadLetterList: Codable {
    var schema = 1
    var deadLetters: [DeadLetterDocument]
}

/// A dead letter for programs: its payload as text where it is text, in base64 where not.
struct DeadLetterDocument: Codable {
    var id: MessageID
    var topic: String
    var partition: Int?
    var offset: Int64?
    var key: String?
    var headers: [String: String]
    var payload: String?
    var payloadBase64: String?
    var failure: Failure
    var attempts: Int
    var videoID: VideoID?
    var createdAt: Timestamp
    var redrivenAt: Timestamp?

    init(_ letter: DeadLetter) {
        id = letter.id
        topic = letter.topic
        (partition, offset, key, headers) = (letter.partition, letter.offset, letter.key, letter.headers)
        payload = String(validating: letter.payload, as: UTF8.self)
        payloadBase64 = payload == nil ? letter.payload.base64EncodedString() : nil
        (failure, attempts, videoID) = (letter.failure, letter.attempts, letter.videoID)
        (createdAt, redrivenAt) = (letter.createdAt, letter.redrivenAt)
    }
}
