internal import ArgumentParser
internal import ClairoCore
internal import ClairoPipeline
internal import Foundation

/// `clairo dlq`: lists, shows and redrives dead letters.
struct DLQCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dlq",
        abstract: "List, show and redrive dead letters.",
        discussion: """
            Messages that cannot be read, and tasks that failed too often, are kept as dead letters, with the reason and \
            everything needed to reproduce the error. They are also sent to the topic TOPIC.dlq.

              clairo dlq list
              clairo dlq show 019ab2c4-…
              clairo dlq redrive --all
            """,
        subcommands: [DLQListCommand.self, DLQShowCommand.self, DLQRedriveCommand.self])
}

struct DLQListCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(commandName: "list", abstract: "List dead letters, newest first.")

    @Option(help: "List only this topic, such as clairo.tasks.") var topic: String?
    @Option(help: ArgumentHelp("Largest number of dead letters to list.", valueName: "count")) var limit = 50
    @Flag(help: "Include dead letters that were redriven.") var all = false
    @Flag(help: "Print JSON.") var json = false
    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    func run(_ environment: CommandEnvironment) async throws {
        let services = Services(try await serviceOptions.settings(environment), environment)
        try await services.withMetadata { metadata in
            let letters = try await services.deadLetters(metadata).list(topic: topic, all: all, limit: max(limit, 0))
            if json {
                let list = DeadLetterList(deadLetters: letters.map(DeadLetterDocument.init))
                environment.output(String(decoding: try JSON.encode(list), as: UTF8.self) + "\n")
            } else if letters.isEmpty {
                environment.output("No dead letters.\n")
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
        commandName: "show", abstract: "Print one dead letter as JSON, including its payload.")

    @Argument(help: "Id of the dead letter.") var id: String
    @Flag(help: "Print only the payload, unchanged.") var payload = false
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
            throw .usage("\(text) is not a dead letter's id", advice: "clairo dlq list shows the ids.")
        }
        return id
    }
}

struct DLQRedriveCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "redrive",
        abstract: "Redrive dead letters.",
        discussion: """
            A task's job continues where it failed, as with clairo retry. A message is sent again to the topic that it \
            came from. A dead letter that cannot be redriven is kept, and the reason is printed on stderr; the others are \
            redriven all the same.
            """)

    @Argument(help: "Ids of the dead letters.") var ids: [String] = []
    @Flag(help: "Redrive all dead letters that were not redriven yet.") var all = false
    @Option(help: "With --all: redrive only this topic.") var topic: String?
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
            let operations = try services.deadLetters(metadata)
            var (count, total, failure): (Int, Int, AlreadyReported?) = (0, 0, nil)
            var tried: Set<MessageID> = []
            var batch = all ? try await next(operations, after: tried) : wanted
            while !batch.isEmpty {
                let failed = try await ForEachArgument.run(batch, environment) { id throws(ClairoError) in
                    switch try await operations.redrive(try await operations.letter(id)) {
                    case .redriven: count += 1
                    case .wasRedriven: environment.error("The dead letter \(id) was redriven before\n")
                    case .videoIsGone: environment.error("The video of the dead letter \(id) was deleted\n")
                    }
                }
                failure = failure ?? failed
                tried.formUnion(batch)
                total += batch.count
                batch = all ? try await next(operations, after: tried) : []
            }
            environment.output("redriven \(count) of \(total)\n")
            if let failure { throw failure }
        }
    }
}

extension DLQRedriveCommand {
    /// The number of dead letters in memory at once: each may have 1 MiB.
    private static let batch = 100

    /// Dead letters that were not tried yet. Those that could not be redriven stay in the list.
    private func next(
        _ operations: DeadLetterOperations, after tried: Set<MessageID>
    ) async throws(ClairoError) -> [MessageID] {
        var limit = Self.batch
        while true {
            let found = try await operations.list(topic: topic, all: false, limit: limit).map(\.id)
            let new = found.filter { !tried.contains($0) }
            if !new.isEmpty || found.count < limit { return new }
            limit *= 2
        }
    }
}

/// The output of `clairo dlq list --json`.
struct DeadLetterList: Codable {
    var schema = 1
    var deadLetters: [DeadLetterDocument]
}

/// A dead letter as JSON. The payload is text if possible, otherwise base64.
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
