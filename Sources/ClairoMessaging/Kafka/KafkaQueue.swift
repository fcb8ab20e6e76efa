public import ClairoCore
internal import Foundation
internal import RDKafka

/// The queue on Kafka.
public struct KafkaQueue: MessageQueue {
    let configuration: KafkaConfiguration
    private let log: (@Sendable (String) -> Void)?
    private let patience: Duration

    /// Tasks wait in so many partitions; a consumer takes from several, and any consumer does any task, so it bounds
    /// nothing but how many consumers hear of new work by themselves instead of asking for it.
    private static let taskPartitions = 64
    private static let partitions = 16

    /// - Parameters:
    ///   - url: `kafka://HOST:PORT,HOST:PORT`.
    ///   - properties: of librdkafka, `property=value` each; they outdo those of `file`.
    ///   - file: properties of librdkafka in kcat's format.
    ///   - patience: how long a question to the cluster may take.
    ///   - log: is given librdkafka's own warnings.
    /// - Throws: `configuration` (78) for a URL or a property that is not valid, in librdkafka's words.
    public init(
        url: String, properties: [String] = [], file: String? = nil, patience: Duration = .seconds(10),
        log: (@Sendable (String) -> Void)? = nil
    ) throws(ClairoError) {
        guard let brokers = Self.brokers(url) else {
            throw .configuration(
                "\(MaskedURL.text(url, hidesUser: true)) is not the URL of a queue",
                advice: "Give kafka://BROKER:PORT,BROKER:PORT or local:.")
        }
        do {
            var configuration = try KafkaConfiguration(brokers: brokers)
            if let file {
                guard let data = FileManager.default.contents(atPath: file) else {
                    throw ClairoError.configuration("The file of Kafka properties \(file) cannot be read")
                }
                try configuration.load(String(decoding: data, as: UTF8.self), file: file)
            }
            for property in properties { try configuration.set(assignment: property) }
            self.configuration = configuration
            self.log = log
            self.patience = patience
        } catch let error as KafkaError {
            throw .configuration("Kafka: \(error.message)")
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .defect("Kafka: \(error)")
        }
    }

    /// Of librdkafka.
    public static var libraryVersion: String {
        String(KafkaConfiguration.libraryVersion.split(separator: " ").last ?? "")
    }

    public static func isURL(_ url: String) -> Bool { url.hasPrefix("kafka://") }

    private static func brokers(_ url: String) -> String? {
        guard isURL(url) else { return nil }
        var rest = url.dropFirst("kafka://".count)
        if rest.hasSuffix("/") { rest.removeLast() }
        guard !rest.isEmpty, !rest.contains("/"), !rest.contains("@"), !rest.contains("?") else { return nil }
        return String(rest)
    }

    private var handler: KafkaLogHandler? {
        guard let log else { return nil }
        // Syslog's levels: what is no warning is for librdkafka's own developers.
        return { line in if line.level <= 4 { log("kafka: \(line.facility): \(line.text)") } }
    }

    public func producer() async throws(ClairoError) -> any MessageProducer {
        do throws(KafkaError) {
            return KafkaMessageProducer(producer: try KafkaProducer(configuration, log: handler))
        } catch {
            throw ClairoError(error, doing: "Sending to Kafka")
        }
    }

    public func consumer(topics: [String], group: String, inFlight: Int) async throws(ClairoError)
        -> any MessageConsumer
    {
        do throws(KafkaError) {
            return KafkaMessageConsumer(
                try KafkaConsumer(
                    configuration, group: group, topics: topics, maxInFlight: inFlight, log: handler))
        } catch {
            throw ClairoError(error, doing: "Receiving from Kafka")
        }
    }

    public func prepare(topics: [String]) async throws(ClairoError) {
        let admin = KafkaAdmin(configuration, limit: patience)
        let present: Set<String>
        do throws(KafkaError) {
            present = Set(try await admin.topics().map(\.name))
        } catch {
            throw ClairoError(error, doing: "Asking Kafka for its topics")
        }
        // A controller has to place and write many partitions.
        let maker = KafkaAdmin(configuration, limit: patience * 3)
        for topic in topics where !present.contains(topic) {
            let partitions = topic == Topic.tasks ? Self.taskPartitions : Self.partitions
            do throws(KafkaError) {
                try await maker.createTopic(topic, partitions: partitions)
            } catch  where error.category == .unsupported || error.category == .forbidden {
                // Such a broker makes topics by itself, or somebody else makes them; sending and receiving will tell.
                continue
            } catch {
                throw ClairoError(error, doing: "Making the topic \(topic)")
            }
        }
    }

    public func lag(of group: String, topic: String) async throws(ClairoError) -> Int {
        do throws(KafkaError) {
            let progress = try await KafkaAdmin(configuration, limit: patience).progress(of: group, topics: [topic])
            return Int(progress.reduce(0) { $0 + $1.lag })
        } catch {
            throw ClairoError(error, doing: "Asking Kafka for the lag of \(group)")
        }
    }

    public func check() async throws(ClairoError) {
        let present: Set<String>
        do throws(KafkaError) {
            present = Set(try await KafkaAdmin(configuration, limit: patience).topics().map(\.name))
        } catch  where error.category == .timeout {
            throw .unavailable(
                "Asking Kafka for its topics: no broker answered in time",
                advice: "Check the brokers in the setting queue, and the network between.")
        } catch {
            throw ClairoError(error, doing: "Asking Kafka for its topics")
        }
        let missing = Topic.all.filter { !present.contains($0) }
        guard missing.isEmpty else {
            throw .configuration(
                "Kafka has no topic \(missing.joined(separator: ", "))",
                advice: "clairo produce and clairo consume make the topics, where they may; or have them made.")
        }
    }
}
