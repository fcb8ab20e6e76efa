import ClairoCore
import ClairoTestSupport
import RDKafka
import Synchronization
import Testing

/// The checks of `clairo doctor`.
@Suite(.mostlyWaits) struct DoctorTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func doctor(_ arguments: String...) async throws -> ChildProcess.Outcome {
        try await ClairoProcess.run(
            arguments: ["doctor"] + arguments, environment: ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path])
    }

    @Test func succeedsWithoutAnyService() async throws {
        let outcome = try await doctor()
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.text.contains("ok    queue: local:\n"))
        #expect(!outcome.text.contains("FAIL") && outcome.errors.isEmpty)
    }

    @Test(.enabled(if: MariaDBServer.isInstalled)) func tellsWhetherTheConnectionToTheDatabaseIsEncrypted() async throws
    {
        let database = try await MariaDBServer.shared.makeDatabase()
        let environment = [
            "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path, "CLAIRO_DATABASE": database.url,
        ]
        let migration = try await ClairoProcess.run(arguments: ["migrate"], environment: environment)
        #expect(migration.status == 0, "\(migration)")
        let outcome = try await ClairoProcess.run(arguments: ["doctor"], environment: environment)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.text.contains("/\(database.name); not encrypted\n      warning: "), "\(outcome)")
        #expect(outcome.text.contains("ssl-mode=VERIFY_IDENTITY"))
    }

    @Test(.enabled(if: SmallDisk.isPossible, "a small file system can only be mounted by root"))
    func reportsAFullDisk() async throws {
        let disk = try await SmallDisk(scratch, kilobytes: 64)
        let command = "mkdir \(disk.path)/raw; cat /dev/zero > \(disk.path)/zeros; true"
        _ = try await ChildProcess("sh", ["-c", command]).outcome()
        let outcome = try await doctor("--raw-store", "file:\(disk.path)/raw")
        #expect(outcome.status == 74, "\(outcome)")
        #expect(outcome.text.contains("FAIL  raw store: "))
    }

    @Test(
        .enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed"),
        arguments: ["PUT", "GET", "DELETE"])
    func reportsAMissingPermissionOnTheBucket(method: String) async throws {
        let s3 = try await S3Server.shared(.rclone)
        let bucket = try await s3.makeBucket()
        let proxy = try FaultProxy(
            to: s3.port,
            [
                .init(.answer(status: 403, code: "AccessDenied"), times: 10) {
                    $0.method == method && $0.path.contains(".clairo-check-")
                }
            ])
        scratch.onCleanup { proxy.stop() }
        let outcome = try await ClairoProcess.run(
            arguments: ["doctor", "--raw-store", "s3://\(bucket)/raw"],
            environment: S3Server.environment(endpoint: proxy.endpoint).merging([
                "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path,
            ]) { $1 })
        #expect(outcome.status == 77, "\(outcome)")
        #expect(outcome.text.contains("FAIL  raw store: s3://\(bucket)/raw"))
    }

    @Test(
        .enabled(if: S3Server.isInstalled(.rclone), "rclone is not installed"),
        arguments: ["x-amz-checksum-mode", "x-amz-mp-object-size", "x-amz-checksum-sha256"])
    func saysWhatAServerRefuses(header: String) async throws {
        let s3 = try await S3Server.shared(.rclone)
        let bucket = try await s3.makeBucket()
        let proxy = try FaultProxy(to: s3.port, [S3Rules.refusing(header), S3Rules.withoutBulkDeletion()])
        scratch.onCleanup { proxy.stop() }
        let outcome = try await ClairoProcess.run(
            arguments: ["doctor", "--raw-store", "s3://\(bucket)/raw"],
            environment: S3Server.environment(endpoint: proxy.endpoint).merging([
                "CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path,
            ]) { $1 })
        #expect(outcome.status == 0, "\(outcome)")
        #expect(
            outcome.text.contains("ok    raw store: s3://\(bucket)/raw\n      warning: the server refuses \(header) ("))
        #expect(outcome.text.contains("; DeleteObjects ("))
    }

    @Test func aLocalQueueFailsWithItsDatabase() async throws {
        let outcome = try await doctor("--database", "postgres://host/db")
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.text.contains("FAIL  database: ") && outcome.text.contains("FAIL  queue: local:"))
    }

    @Test func reportsAnUnreachableBrokerInOneLine() async throws {
        let outcome = try await doctor("--queue", "kafka://127.0.0.1:1")
        #expect(outcome.status == 69, "\(outcome)")
        let lines = outcome.text.split(separator: "\n")
        let index = try #require(lines.firstIndex(of: "FAIL  queue: kafka://127.0.0.1:1"))
        #expect(lines[index + 1].contains("127.0.0.1:1") && lines[index + 1].contains("refused"))
        #expect(outcome.text.contains("ok    database: "))
        #expect(outcome.errors.isEmpty)
    }

    @Test func aNewClusterIsNoErrorButItsMissingTopicsAreNamed() async throws {
        let cluster = try await KafkaCluster.start(brokers: 1)
        let missing = try await doctor("--queue", "kafka://\(cluster.brokers)")
        #expect(missing.status == 0, "\(missing)")
        let line = "ok    queue: kafka://\(cluster.brokers)\n      warning: topics do not exist yet"
        #expect(missing.text.contains(line), "\(missing)")
        #expect(missing.text.contains(Topic.all.joined(separator: ", ")))
        #expect(missing.text.contains("clairo migrate creates them (clairo.tasks with 64 partitions"))
        for topic in Topic.all { _ = try await cluster.makeTopic(topic) }
        let there = try await doctor("--queue", "kafka://\(cluster.brokers)", "--json")
        #expect(there.status == 0, "\(there)")
        #expect(there.text.contains("\"queue\"") && !there.text.contains("clairo.uploads"))
    }

    /// What a broker sees of this process, and what a user sees of a port that ends the connection, as one with TLS does.
    @Test func namesItselfToTheBrokersAndReportsAWrongProtocol() async throws {
        let names = Mutex<Set<String>>([])
        let server = try RawServer { connection in
            // A frame with its size; then API, version and number of the request, and the client's name.
            let size = connection.read(4).reduce(0) { $0 << 8 | Int($1) }
            let frame = [UInt8](connection.read(min(size, 1 << 16)))
            guard frame.count == size, size > 10 else { return }
            let length = Int(frame[8]) << 8 | Int(frame[9])
            names.withLock { _ = $0.insert(String(decoding: frame[10...].prefix(length), as: UTF8.self)) }
        }
        defer { server.stop() }
        let outcome = try await doctor("--queue", "kafka://127.0.0.1:\(server.port)")
        #expect(outcome.status == 69, "\(outcome)")
        let lines = outcome.text.split(separator: "\n")
        let index = try #require(lines.firstIndex(of: "FAIL  queue: kafka://127.0.0.1:\(server.port)"))
        #expect(lines[index + 1].contains("security.protocol"), "\(outcome)")
        #expect(lines[index + 2].contains("Check security.protocol"), "\(outcome)")
        let seen = names.withLock { $0 }
        #expect(!seen.isEmpty)
        #expect(seen.allSatisfy { $0.hasPrefix("clairo-doctor@") && $0.contains("-") }, "\(seen)")
        let named = try await doctor("--queue", "kafka://127.0.0.1:\(server.port)", "-X", "client.id=mine")
        #expect(named.status == 69, "\(named)")
        #expect(names.withLock { $0.contains("mine") })
    }

    @Test func aFileOfKafkaPropertiesMayHaveWindowsLineEnds() async throws {
        let secrets = "sasl.mechanism=PLAIN\r\nsasl.username=me\r\nsasl.password=hunter22\r\n"
        let wrong = try scratch.write("# security\r\n\(secrets)no.such.property=1\r\n", to: "wrong.properties")
        let refused = try await doctor("--queue", "kafka://127.0.0.1:1", "--kafka-config", wrong)
        #expect(refused.status == 78, "\(refused)")
        #expect(refused.text.contains("\(wrong), line 5: No such configuration property: \"no.such.property\""))
        // Without a comment, and with the byte order mark that Windows puts in front.
        let right = try scratch.write("\u{FEFF}security.protocol=SASL_SSL\r\n\(secrets)", to: "right.properties")
        let heeded = try await doctor("--queue", "kafka://127.0.0.1:1", "--kafka-config", right)
        #expect(heeded.status == 69, "\(heeded)")
        #expect(heeded.text.contains("sasl_ssl://127.0.0.1:1"), "\(heeded)")
        for outcome in [refused, heeded] { #expect(!outcome.description.contains("hunter22")) }
    }

    /// librdkafka cannot do it before 2.6.1, and Kafka's error message misleadingly suggests a wrong password.
    @Test func warnsOfALibraryWithoutSCRAMForKafka4() async throws {
        var configuration = try KafkaConfiguration(brokers: "127.0.0.1:1")
        let properties = [
            "security.protocol=sasl_plaintext", "sasl.mechanisms=SCRAM-SHA-256", "sasl.username=me",
            "sasl.password=hunter2",
        ]
        for property in properties { try configuration.set(assignment: property) }
        var arguments = ["--queue", "kafka://127.0.0.1:1"]
        for property in properties { arguments += ["-X", property] }
        let outcome = try await ClairoProcess.run(
            arguments: ["doctor"] + arguments, environment: ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path])
        #expect(outcome.status == 69, "\(outcome)")
        #expect(outcome.text.contains("warning: librdkafka") == (configuration.warning != nil))
        #expect(!outcome.description.contains("hunter2"))
    }

    static let wrong = [
        (["--queue", "kafka://me:hunter2@broker:9092"], "***@broker"),
        (["--queue", "kafka://broker", "-X", "no.such.property=hunter2"], "no.such.property"),
        (["--queue", "kafka://broker", "--kafka-config", "/no/such/file"], "/no/such/file"),
        (["--profiles", "/no/such/file"], "/no/such/file"), (["--tenant-weights", "hunter"], "hunter"),
    ]

    @Test(arguments: [
        (["CLAIRO_LISTEN": "nowhere"], "nowhere"), (["CLAIRO_TOKEN_FILE": "/no/such/file"], "/no/such/file"),
        (["CLAIRO_WEBHOOK_URL": "https://hook"], "no secret"),
    ])
    func reportsSettingsThatWouldStopADaemon(_ settings: [String: String], _ words: String) async throws {
        let outcome = try await ClairoProcess.run(
            arguments: ["doctor"],
            environment: ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path].merging(settings) { $1 })
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.text.contains("FAIL  settings") && outcome.text.contains(words), "\(outcome)")
    }

    @Test(arguments: wrong) func anInvalidSettingIsReportedWithoutItsSecrets(_ arguments: [String], _ words: String)
        async throws
    {
        let outcome = try await ClairoProcess.run(
            arguments: ["doctor"] + arguments, environment: ["CLAIRO_HOME": scratch.path("home"), "HOME": scratch.path])
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.text.contains(words))
        #expect(!outcome.description.contains("hunter2"))
    }
}
