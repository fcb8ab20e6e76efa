import CRDKafka
import Testing

@testable import RDKafka

/// Properties with librdkafka's names, and those that cannot be set.
struct ConfigurationTests {
    @Test func anyPropertyOfTheLibraryCanBeSet() throws {
        var configuration = try KafkaConfiguration(brokers: "one:9092,two:9092")
        try configuration.set("security.protocol", "sasl_ssl")
        try configuration.set(assignment: "compression.codec=zstd")
        try configuration.set(assignment: " ssl.ca.location = /etc/a=b ")
        #expect(
            configuration.properties == [
                "bootstrap.servers": "one:9092,two:9092", "security.protocol": "sasl_ssl", "compression.codec": "zstd",
                "ssl.ca.location": "/etc/a=b",
            ])
    }

    @Test func scramWithKafka4NeedsANewerLibrary() throws {
        var configuration = try KafkaConfiguration(brokers: "one:9092")
        try configuration.set("sasl.mechanism", "SCRAM-SHA-512")
        #expect(configuration.warning(libraryVersion: 0x0200_02ff) == nil)
        try configuration.set("security.protocol", "SASL_SSL")
        #expect(configuration.warning(libraryVersion: 0x0200_02ff)?.contains("2.6.1") == true)
        #expect(configuration.warning(libraryVersion: 0x0206_00ff)?.contains("SCRAM-SHA-512") == true)
        #expect(configuration.warning(libraryVersion: 0x0206_01ff) == nil)
        #expect(configuration.warning(libraryVersion: 0x0208_00ff) == nil)
        try configuration.set("sasl.mechanisms", "PLAIN")
        #expect(configuration.warning(libraryVersion: 0x0200_02ff) == nil)
    }

    @Test(arguments: [
        ("no.such.thing", "1", "No such configuration property: \"no.such.thing\""),
        (
            "compression.codec", "rar",
            "Invalid value \"rar\" for configuration property \"compression.codec\""
        ),
        ("session.timeout.ms", "many", "Invalid value for configuration property \"session.timeout.ms\""),
        (
            "session.timeout.ms", "0",
            "Configuration property \"session.timeout.ms\" value 0 is outside allowed range 1..3600000"
        ),
        ("rebalance_cb", "x", "Property \"rebalance_cb\" must be set through dedicated .._set_..() function"),
    ])
    func propertiesRefusedByTheLibraryHaveItsErrorMessage(name: String, value: String, words: String) throws {
        let error = try #require(throws: KafkaError.self) { try KafkaConfiguration().set(name, value, in: ()) }
        #expect(error.message == words)
        #expect(error.category == .configuration)
        #expect(!error.isRetriable)
    }

    @Test(arguments: [
        "enable.auto.commit", "auto.commit.enable", "enable.auto.offset.store", "auto.offset.reset",
        "enable.idempotence", "acks", "request.required.acks", "transactional.id", "partition.assignment.strategy",
        "group.protocol", "group.id", "delivery.report.only.error",
    ])
    func propertiesThatGuaranteesDependOnCannotBeSet(name: String) throws {
        let error = try #require(throws: KafkaError.self) { try KafkaConfiguration().set(name, "true", in: ()) }
        #expect(error.message.hasPrefix("the property \"\(name)\" cannot be set: "))
        #expect(error.category == .configuration)
    }

    @Test func aDeliveryCannotTakeForever() {
        #expect(throws: KafkaError.self) { try KafkaConfiguration().set("message.timeout.ms", "0", in: ()) }
    }

    @Test func aPropertiesFileIsReadAsByKcat() throws {
        var configuration = KafkaConfiguration()
        try configuration.load(
            ["# where", "bootstrap.servers=one:9092", "", "  client.id = worker=7"], file: "kafka.conf")
        #expect(configuration.properties == ["bootstrap.servers": "one:9092", "client.id": "worker=7"])
        let error = try #require(throws: KafkaError.self) {
            var configuration = KafkaConfiguration()
            try configuration.load(["client.id=a", "no.such=1"], file: "kafka.conf")
        }
        #expect(error.message == "kafka.conf, line 2: No such configuration property: \"no.such\"")
    }

    @Test func aDefaultLeavesAPropertyThatWasSet() throws {
        var configuration = KafkaConfiguration()
        try configuration.setDefault("client.id", "clairo")
        #expect(configuration.properties["client.id"] == "clairo")
        try configuration.set("client.id", "mine")
        try configuration.setDefault("client.id", "clairo")
        #expect(configuration.properties["client.id"] == "mine")
    }

    /// A takeover waits for the session of the dead member.
    @Test(arguments: [nil, "45000"])
    func aDeadConsumerIsNoticedWithinTenSecondsUnlessAPropertySaysOtherwise(property: String?) throws {
        var configuration = KafkaConfiguration()
        if let property { try configuration.set("session.timeout.ms", property) }
        let conf = try configuration.conf(defaults: KafkaConsumer.defaults, fixed: [])
        defer { rd_kafka_conf_destroy(conf) }
        func milliseconds(_ name: String) -> Int? {
            var text = [CChar](repeating: 0, count: 32)
            var size = text.count
            guard rd_kafka_conf_get(conf, name, &text, &size) == RD_KAFKA_CONF_OK else { return nil }
            return Int(String(nullTerminated: text))
        }
        let session = try #require(milliseconds("session.timeout.ms"))
        if let property { #expect(session == Int(property)) } else { #expect((6000...10_000).contains(session)) }
        #expect(try #require(milliseconds("heartbeat.interval.ms")) * 3 <= session)
    }

    @Test(arguments: [
        ("sasl.password", true), ("ssl.key.password", true), ("ssl.keystore.password", true), ("ssl.key.pem", true),
        ("ssl.certificate.pem", true), ("ssl.ca.pem", true), ("sasl.oauthbearer.client.secret", true),
        ("sasl.oauthbearer.config", true), ("sasl.oauthbearer.token.endpoint.url", true), ("sasl.username", true),
        ("sasl.jaas.config", true), ("ssl.key.location", false), ("ssl.ca.location", false), ("client.id", false),
        ("security.protocol", false), ("bootstrap.servers", false), ("session.timeout.ms", false),
    ])
    func secretsAreRecognizedByTheirNames(name: String, isSecret: Bool) {
        #expect(KafkaConfiguration.isSecret(name) == isSecret)
    }

    /// Lines of a secret that an editor or a template has broken.
    @Test(arguments: [
        "hunter22", "hunter22 more", "HUNTER22==", "hunter22 x=1", "=hunter22", "sasl.password hunter22",
        "sasl.password:hunter22", "",
    ])
    func aLineThatIsNoPropertyIsNotShown(line: String) throws {
        let error = try #require(throws: KafkaError.self) {
            var configuration = KafkaConfiguration()
            try configuration.set(assignment: line)
        }
        #expect(error.message == "expected property=value, such as security.protocol=SSL")
        #expect(error.category == .configuration)
    }

    @Test func noSecretIsShownAnywhere() throws {
        var configuration = try KafkaConfiguration(brokers: "one:9092")
        let secrets = ["sasl.password", "ssl.key.password", "ssl.keystore.password"]
        for name in secrets { try configuration.set(name, "hunter22") }
        var shown = "\(configuration) \(configuration.masked) \(String(reflecting: configuration))"
        dump(configuration, to: &shown)
        #expect(!shown.contains("hunter22"))
        #expect("\(configuration)".contains("sasl.password=***"))
        try configuration.set("security.protocol", "sasl_plaintext")
        try configuration.set("sasl.mechanisms", "nonesuch")
        // librdkafka validates the whole configuration only when a client is created.
        let error = try #require(throws: KafkaError.self) { _ = try KafkaProducer(configuration) }
        #expect(error.category == .configuration)
        #expect(!"\(error)".contains("hunter22"))
    }
}

extension KafkaConfiguration {
    /// Sets a property of a copy.
    fileprivate func set(_ name: String, _ value: String, in _: Void) throws {
        var copy = self
        try copy.set(name, value)
    }
}
