internal import ArgumentParser
internal import ClairoAPI
internal import ClairoCore
internal import ClairoExecutors
internal import ClairoMedia
internal import ClairoMessaging
internal import ClairoMetadata
internal import Foundation

/// `clairo doctor`: checks every configured service.
struct DoctorCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "doctor",
        abstract: "Check every configured service, and say what is wrong and how to fix it.",
        discussion: """
            Writes, reads and removes small objects in each store, and says what an S3 server refuses; creates missing \
            folders and a missing SQLite file; asks Kafka for the topics, which clairo migrate creates; and tests which \
            parts of the sandbox this system has. If Docker is selected or configured, \
            starts a container of the image. If an ECS cluster is set, checks it and the task definition. Exits with the \
            code of the first error.

              clairo doctor
              clairo doctor --raw-store s3://videos/raw --json
              clairo doctor --queue kafka://broker1,broker2
              clairo doctor --executor docker --docker-image clairo
            """)

    @Flag(help: "Print JSON.")
    var json = false

    @OptionGroup(title: "Services") var serviceOptions: ServiceOptions

    @OptionGroup(title: "Output in S3") var deliveryOptions: DeliveryOptions

    @OptionGroup(title: "Queue") var queueOptions: QueueOptions

    @Option(help: "Also check what this executor needs.") var executor: ExecutorKind = .process

    @OptionGroup(title: "Server") var listenOptions: ListenOptions

    @OptionGroup(title: "Upkeep") var upkeepOptions: UpkeepOptions

    @OptionGroup(title: "Docker") var dockerOptions: DockerOptions

    @OptionGroup(title: "Amazon ECS") var ecsOptions: ECSOptions

    /// The machine's memory, and the share of each task for the default concurrency.
    private static var memory: String {
        let (total, tasks) = (MachineMemory.bytes, WorkOptions.defaultSlots)
        let share = ProcessLimits.memory(of: total, tasks: tasks)
        return "\(Render.bytes(total)); \(Render.bytes(share)) for each of \(tasks) tasks at once"
    }

    /// - Returns: What the service has refused and Clairo does without, or nil.
    private static func check(_ store: any DurableStore) async throws -> String? {
        try await onDedicatedThread(name: "doctor") {
            try store.check()
            try store.checkRoundTrip()
            try store.checkUpload()
            let limitations = store.limitations
            return limitations.isEmpty ? nil : "the server refuses " + limitations.joined(separator: "; ")
        }
    }

    func run(_ environment: CommandEnvironment) async throws {
        let flags =
            queueOptions.flags + deliveryOptions.flags + listenOptions.flags + upkeepOptions.flags + dockerOptions.flags
            + ecsOptions.flags
        let services = Services(
            try await serviceOptions.settings(environment, own: flags), environment,
            kafkaProperties: queueOptions.properties)
        let settings = services.settings
        var report = DoctorReport(schema: 1, generator: TranscodeJob.generator, checks: [])
        await report.note("settings", "profiles, tenant weights, webhook, upkeep, listen, tokens") {
            _ = try (services.profiles(), services.policy(), services.webhook(), services.upkeepOptions())
            try ServerOptions(settings).checkTokens()
        }
        await report.note("libraries", TranscodeJob.libraries + ", librdkafka \(KafkaQueue.libraryVersion)") {
            try MediaTaskEngine.loadLibraries()
        }
        for (name, key, open) in [
            ("raw store", Settings.Key.rawStore, services.rawStore),
            ("output store", .outputStore, services.outputStore),
        ] {
            var warning: String?
            await report.note(name, MaskedURL.text(settings[key], hidesUser: true)) {
                warning = try await Self.check(try open())
            }
            if let warning { report.warn(warning) }
        }
        var metadata: (any MetadataStore)?
        var transport = DatabaseTransport.local
        await report.note("database", orElse: MetadataDatabase.maskedURL(settings[.database])) {
            let store = try await services.openMetadata()
            metadata = store
            try await store.check()
            transport = try await store.transport()
            return MetadataDatabase.maskedURL(settings[.database]) + (transport.words.map { "; \($0)" } ?? "")
        }
        if let warning = transport.warning { report.warn(warning) }
        var missingTopics: [String] = []
        await report.note("queue", MaskedURL.text(settings[.queue], hidesUser: true)) {
            if let kafka = try services.kafkaQueue() { return missingTopics = try await kafka.missingTopics() }
            guard let metadata else {
                throw ClairoError.unavailable("The queue is a table of the database, which cannot be opened")
            }
            try await services.queue(metadata).check()
        }
        if !missingTopics.isEmpty {
            report.warn(
                "topics do not exist yet, or this user may not see them: \(missingTopics.joined(separator: ", ")). "
                    + "clairo migrate creates them (\(KafkaQueue.partitionCounts)).")
        }
        // Ignores errors, because the check above reports them.
        if let warning = (try? services.kafkaQueue())?.warning { report.warn(warning) }
        await metadata?.close()
        await report.note("sandbox", orElse: "tasks of consume and run") {
            let sandbox = try await ProcessExecutor(sandbox: .auto).sandboxReport()
            return sandbox.layers + (sandbox.isComplete ? "" : "; missing: \(sandbox.missing)")
        }
        if executor == .docker || services.namesDocker {
            await report.note("docker", orElse: MaskedURL.text(services.dockerSocket, hidesUser: true)) {
                let docker = try await services.dockerExecutor(limits: InputLimits(), sandbox: .auto).check()
                return "version \(docker.version), image \(docker.image.prefix(19))"
                    + "; in its containers: \(docker.sandbox.layers)"
                    + (docker.missing.map { "; missing: \($0)" } ?? "")
            }
        }
        await report.note("memory", Self.memory) {}
        if executor == .ecs || settings.value(.ecsCluster) != nil {
            await report.note("ecs", orElse: settings[.ecsCluster]) { try await services.ecsExecutor().check() }
        }
        if json {
            environment.output(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
        } else {
            environment.output("\(TranscodeJob.generator)\n" + report.text)
        }
        if let failed = report.checks.compactMap(\.error).first {
            throw AlreadyReported(exitCode: ClairoError.ExitCode(rawValue: failed.exitCode) ?? .software)
        }
    }
}

extension DatabaseTransport {
    /// How the connection is protected; nil without a connection.
    fileprivate var words: String? {
        switch self {
        case .local: nil
        case .socket: "Unix socket"
        case .plain: "not encrypted"
        case .encrypted(let version, let verifiesCertificate):
            "encrypted with \(version), certificate \(verifiesCertificate ? "verified" : "not verified")"
        }
    }

    fileprivate var warning: String? {
        switch self {
        case .plain: "others on the network can read and change what is sent; set ssl-mode=VERIFY_IDENTITY"
        case .encrypted(_, verifiesCertificate: false):
            "the server may be another than the one that is meant; set ssl-mode=VERIFY_IDENTITY, and ssl-ca if needed"
        case .local, .socket, .encrypted: nil
        }
    }
}

/// The output of `clairo doctor --json`.
struct DoctorReport: Codable {
    struct Check: Codable {
        var name: String
        /// The checked item.
        var subject: String
        var error: ErrorDocument.Content?
        /// A restriction that may cause failures elsewhere, or the cause of this failure.
        var warning: String?
    }

    var schema: Int
    var generator: String
    var checks: [Check]

    mutating func note(_ name: String, _ subject: String, _ body: () async throws -> Void) async {
        do {
            try await body()
            checks.append(Check(name: name, subject: subject))
        } catch let error as ClairoError {
            checks.append(Check(name: name, subject: subject, error: .init(error)))
        } catch {
            checks.append(Check(name: name, subject: subject, error: .init(.defect("\(error)"))))
        }
    }

    /// - Parameters:
    ///   - subject: The subject to show if the check fails.
    ///   - body: Runs the check and returns the subject.
    mutating func note(_ name: String, orElse subject: String, _ body: () async throws -> String) async {
        var subject = subject
        var failure: (any Error)?
        do { subject = try await body() } catch { failure = error }
        await note(name, subject) { if let failure { throw failure } }
    }

    /// Adds a warning to the last check.
    mutating func warn(_ text: String) {
        guard let last = checks.indices.last else { return }
        checks[last].warning = [checks[last].warning, text].compactMap(\.self).joined(separator: " ")
    }

    var text: String {
        checks.map { check in
            let warning = check.warning.map { "      warning: \($0)\n" } ?? ""
            guard let error = check.error else { return "ok    \(check.name): \(check.subject)\n" + warning }
            return "FAIL  \(check.name): \(check.subject)\n      \(Render.printable(error.message))\n"
                + (error.advice.map { "      \($0)\n" } ?? "") + warning
        }.joined()
    }
}
