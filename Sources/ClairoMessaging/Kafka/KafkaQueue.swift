public import ClairoCore
internal import Foundation
internal import RDKafka

/// A message queue on Kafka.
public struct KafkaQueue: MessageQueue {
    private let configuration: KafkaConfiguration
    private let log: (@Sendable (String) -> Void)?
    private let filter = KafkaLogFilter()
    let admin: KafkaAdmin
    private let timeout: Duration

    /// The number of partitions of the task topic, which limits how many consumers receive messages about new tasks.
    /// Any consumer can run any task, and the others poll for tasks.
    private static let taskPartitions = 64
    /// The number of partitions of each other topic.
    private static let partitions = 16
    /// The number of partitions of each topic, as a clause.
    public static let partitionCounts = "\(Topic.tasks) with \(taskPartitions) partitions, others with \(partitions)"

    /// - Parameters:
    ///   - url: `kafka://HOST:PORT,HOST:PORT`.
    ///   - properties: librdkafka properties as `property=value`. They override those of `file`.
    ///   - file: A file of librdkafka properties in kcat's format.
    ///   - clientID: The name of this process for the brokers, unless a property sets `client.id`.
    ///   - timeout: The timeout of requests to the cluster.
    ///   - log: Receives librdkafka's warnings, one of a kind per minute.
    /// - Throws: `configuration` (78) for an invalid URL or property.
    public init(
        url: String, properties: [String] = [], file: String? = nil, clientID: String? = nil,
        timeout: Duration = .seconds(10), log: (@Sendable (String) -> Void)? = nil
    ) throws(ClairoError) {
        guard let brokers = Self.brokers(url) else {
            throw .configuration(
                "\(MaskedURL.text(url, hidesUser: true)) is not a queue URL",
                advice: "Use kafka://BROKER:PORT,BROKER:PORT or local:.")
        }
        do {
            var configuration = try KafkaConfiguration(brokers: brokers)
            if let file {
                try configuration.load(try TextLines.read(file, kind: "file of Kafka properties"), file: file)
            }
            for property in properties { try configuration.set(assignment: property) }
            if let clientID { try configuration.setDefault("client.id", clientID) }
            self.configuration = configuration
            admin = KafkaAdmin(configuration, limit: timeout)
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
        return { line in
            // Syslog level 4 is warning. Less severe lines are meant for developers of librdkafka.
            if line.level <= 4, let text = filter.pass(line) { log("kafka: \(line.facility): \(text)") }
        }
    }

    public func producer() async throws(ClairoError) -> any MessageProducer {
        do throws(KafkaError) {
            return KafkaMessageProducer(producer: try KafkaProducer(configuration, log: handler))
        } catch {
            throw ClairoError(error, doing: "Sending to Kafka", needing: KafkaPermission(operation: .write))
        }
    }

    public func consumer(topics: [String], group: String, inFlight: Int) async throws(ClairoError)
        -> any MessageConsumer
    {
        let permission = KafkaPermission(operation: .read, topics: topics, group: group)
        do throws(KafkaError) {
            let consumer = try KafkaConsumer(
                configuration, group: group, topics: topics, maxInFlight: inFlight, log: handler)
            return KafkaMessageConsumer(consumer, needing: permission)
        } catch {
            throw ClairoError(error, doing: "Receiving from Kafka", needing: permission)
        }
    }

    // MARK: Topics

    /// Those of the topics that do not exist, or that the brokers do not show to this user.
    public func missingTopics(of topics: [String] = Topic.all) async throws(ClairoError) -> [String] {
        do throws(KafkaError) {
            let present = Set(try await admin.topics().map(\.name))
            return topics.filter { !present.contains($0) }
        } catch  where error.category == .timeout {
            throw .unavailable(
                "Listing Kafka topics: no broker answered in time", advice: ClairoError.adviceAboutBrokers)
        } catch {
            throw ClairoError(
                error, doing: "Listing Kafka topics", needing: KafkaPermission(operation: .describe, topics: topics))
        }
    }

    /// Creates those of the topics that do not exist.
    /// - Returns: The created topics.
    /// - Throws: `refused` (77) with the names of all topics that this user may not create.
    @discardableResult
    public func createTopics(_ topics: [String] = Topic.all) async throws(ClairoError) -> [String] {
        // Creating many partitions takes the controller longer than other requests.
        let maker = admin.limited(to: timeout * 3)
        var created: [String] = []
        var denied: (topics: [String], error: KafkaError)?
        for topic in try await missingTopics(of: topics) {
            let partitions = topic == Topic.tasks ? Self.taskPartitions : Self.partitions
            do throws(KafkaError) {
                if try await maker.createTopic(topic, partitions: partitions) { created.append(topic) }
            } catch  where error.category == .unsupported {
                // The brokers may create the topic when it is used.
                continue
            } catch  where error.category == .forbidden {
                denied = ((denied?.topics ?? []) + [topic], denied?.error ?? error)
            } catch {
                throw ClairoError(
                    error, doing: "Creating the topic \(topic)",
                    needing: KafkaPermission(operation: .create, topics: [topic]))
            }
        }
        if let denied {
            throw ClairoError(
                denied.error, doing: "Creating topics in Kafka",
                needing: KafkaPermission(operation: .create, topics: denied.topics))
        }
        return created
    }

    public func prepare(topics: [String]) async throws(ClairoError) { try await createTopics(topics) }

    public func check() async throws(ClairoError) { _ = try await missingTopics() }

    public func lag(of group: String, topic: String) async throws(ClairoError) -> Int {
        do throws(KafkaError) {
            let progress = try await admin.progress(of: group, topics: [topic])
            return Int(progress.reduce(0) { $0 + $1.lag })
        } catch {
            throw ClairoError(
                error, doing: "Reading the lag of \(group) from Kafka",
                needing: KafkaPermission(operation: .describe, topics: [topic], group: group))
        }
    }
}
