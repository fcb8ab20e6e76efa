public import ClairoCore
internal import Foundation
internal import RDKafka

/// A message queue on Kafka.
public struct KafkaQueue: MessageQueue {
    let configuration: KafkaConfiguration
    private let log: (@Sendable (String) -> Void)?
    private let timeout: Duration

    /// The number of partitions of the task topic, which limits how many consumers receive messages about new tasks.
    /// Any consumer can run any task, and the others poll for tasks.
    private static let taskPartitions = 64
    /// The number of partitions of each other topic.
    private static let partitions = 16

    /// - Parameters:
    ///   - url: `kafka://HOST:PORT,HOST:PORT`.
    ///   - properties: librdkafka properties as `property=value`. They override those of `file`.
    ///   - file: A file of librdkafka properties in kcat's format.
    ///   - timeout: The timeout of requests to the cluster.
    ///   - log: Receives librdkafka's warnings.
    /// - Throws: `configuration` (78) for an invalid URL or property.
    public init(
        url: String, properties: [String] = [], file: String? = nil, timeout: Duration = .seconds(10),
        log: (@Sendable (String) -> Void)? = nil
    ) throws(ClairoError) {
        guard let brokers = Self.brokers(url) else {
            throw .configuration(
                "\(MaskedURL.text(url, hidesUser: true)) is not a queue URL",
                advice: "Use kafka://BROKER:PORT,BROKER:PORT or local:.")
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
            self.timeout = timeout
        } catch let error as KafkaError {
            throw .configuration("Kafka: \(error.message)")
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .defect("Kafka: \(error)")
        }
    }

    /// The version of librdkafka.
    public static var libraryVersion: String {
        String(KafkaConfiguration.libraryVersion.split(separator: " ").last ?? "")
    }

    /// A known limitation of the linked librdkafka with these properties, or nil.
    public var warning: String? { configuration.warning }

    /// Whether a URL names a Kafka queue.
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
        // Syslog level 4 is warning. Less severe lines are meant for developers of librdkafka.
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
        let admin = KafkaAdmin(configuration, limit: timeout)
        let present: Set<String>
        do throws(KafkaError) {
            present = Set(try await admin.topics().map(\.name))
        } catch {
            throw ClairoError(error, doing: "Listing Kafka topics")
        }
        // Creating many partitions takes the controller longer than other requests.
        let maker = KafkaAdmin(configuration, limit: timeout * 3)
        for topic in topics where !present.contains(topic) {
            let partitions = topic == Topic.tasks ? Self.taskPartitions : Self.partitions
            do throws(KafkaError) {
                try await maker.createTopic(topic, partitions: partitions)
            } catch  where error.category == .unsupported || error.category == .forbidden {
                // The broker or an operator may create the topic instead. Otherwise, sending and receiving will fail.
                continue
            } catch {
                throw ClairoError(error, doing: "Creating the topic \(topic)")
            }
        }
    }

    public func lag(of group: String, topic: String) async throws(ClairoError) -> Int {
        do throws(KafkaError) {
            let progress = try await KafkaAdmin(configuration, limit: timeout).progress(of: group, topics: [topic])
            return Int(progress.reduce(0) { $0 + $1.lag })
        } catch {
            throw ClairoError(error, doing: "Reading the lag of \(group) from Kafka")
        }
    }

    public func check() async throws(ClairoError) {
        let present: Set<String>
        do throws(KafkaError) {
            present = Set(try await KafkaAdmin(configuration, limit: timeout).topics().map(\.name))
        } catch  where error.category == .timeout {
            throw .unavailable(
                "Listing Kafka topics: no broker answered in time",
                advice: "Check the network and the brokers in the queue setting.")
        } catch {
            throw ClairoError(error, doing: "Listing Kafka topics")
        }
        let missing = Topic.all.filter { !present.contains($0) }
        guard missing.isEmpty else {
            throw .configuration(
                "Kafka has no topic \(missing.joined(separator: ", "))",
                advice: "clairo produce and clairo consume create the topics if they are allowed to.")
        }
    }
}
