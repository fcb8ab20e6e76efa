internal import ClairoCore
internal import Configuration
internal import Foundation
internal import SystemPackage

/// The effective settings and where each came from: flag > environment > configuration file > default.
///
/// A setting has one name everywhere: `--raw-store` on the command line, `CLAIRO_RAW_STORE` in the environment and
/// `raw-store:` in the file.
struct Settings: Sendable {
    /// A setting that exists.
    enum Key: String, CaseIterable, Sendable {
        case rawStore = "raw-store"
        case outputStore = "output-store"
        case database
        case databasePassword = "database-password"
        case databasePasswordFile = "database-password-file"
        case queue
        case kafkaConfig = "kafka-config"
        case profiles
        case tenantWeights = "tenant-weights"
        case listen
        case tokenFile = "token-file"
        case dockerImage = "docker-image"
        case dockerSocket = "docker-socket"
        case dockerFolder = "docker-folder"
        case dockerMemory = "docker-memory"
        case dockerCPUs = "docker-cpus"
        case webhookURL = "webhook-url"
        case webhookSecret = "webhook-secret"
        case webhookSecretFile = "webhook-secret-file"
        case ecsCluster = "ecs-cluster"
        case ecsTaskDefinition = "ecs-task-definition"
        case ecsContainer = "ecs-container"
        case ecsSubnets = "ecs-subnets"
        case ecsSecurityGroups = "ecs-security-groups"
        case ecsCapacityProvider = "ecs-capacity-provider"
        case ecsAssignPublicIP = "ecs-assign-public-ip"
        case ecsExchange = "ecs-exchange"

        var isSecret: Bool { self == .databasePassword || self == .webhookSecret }

        var meaning: String {
            switch self {
            case .rawStore: "where uploaded sources are kept"
            case .outputStore: "where renditions are kept"
            case .database: "the metadata database"
            case .databasePassword: "its password, where the URL has none"
            case .databasePasswordFile: "a file that holds the password"
            case .queue: "what messages travel by"
            case .kafkaConfig: "a file of librdkafka properties"
            case .profiles: "a file of named settings for processing"
            case .tenantWeights: "shares of tenants in the work"
            case .listen: "where clairo serve listens"
            case .tokenFile: "the tokens that clairo serve lets in"
            case .dockerImage: "the image that --executor docker runs tasks in"
            case .dockerSocket: "the Docker daemon's socket"
            case .dockerFolder: "where sockets to tasks' containers are"
            case .dockerMemory: "MiB of memory of a task's container"
            case .dockerCPUs: "CPUs of a task's container"
            case .webhookURL: "who is told what has become of a job"
            case .webhookSecret: "what that is signed with"
            case .webhookSecretFile: "a file that holds the secret"
            case .ecsCluster: "the ECS cluster that tasks run in"
            case .ecsTaskDefinition: "what they run there"
            case .ecsContainer: "its container with Clairo"
            case .ecsSubnets: "the subnets that they run in"
            case .ecsSecurityGroups: "their security groups"
            case .ecsCapacityProvider: "who gives them machines"
            case .ecsAssignPublicIP: "whether they get public addresses"
            case .ecsExchange: "where workers and their tasks on ECS exchange documents"
            }
        }

        /// A value as it may be shown.
        func masked(_ value: String) -> String {
            if isSecret { return "***" }
            if self == .webhookURL { return MaskedURL.origin(value) + "/***" }
            // NAME@sha256:DIGEST is no address with a user.
            return self == .dockerImage ? value : MaskedURL.text(value, hidesUser: self != .database)
        }

        var environmentName: String { "CLAIRO_" + rawValue.uppercased().replacing("-", with: "_") }
    }

    /// Where a value came from, in words.
    enum Origin: Sendable, Hashable, CustomStringConvertible {
        case flag(String)
        case environment(String)
        case file(String)
        case `default`
        case unset

        var description: String {
            switch self {
            case .flag(let name): name
            case .environment(let name): name
            case .file(let path): path
            case .default: "default"
            case .unset: "not set"
            }
        }
    }

    /// The data directory: `$CLAIRO_HOME`, else `$XDG_DATA_HOME/clairo`, else `~/.local/share/clairo`.
    let home: String
    /// The configuration file that was read.
    let file: String?
    private let values: [Key: (value: String, origin: Origin)]

    func value(_ key: Key) -> String? { values[key]?.value }

    func origin(_ key: Key) -> Origin { values[key]?.origin ?? .unset }

    /// A value that has a default.
    subscript(_ key: Key) -> String { value(key) ?? "" }

    /// - Parameters:
    ///   - flags: what the command line gave.
    ///   - configFile: a file that must be there; nil to look in the usual places.
    /// - Throws: `configuration` (78) for a file that cannot be read or names a setting that does not exist.
    init(flags: [Key: String], configFile: String?, environment: [String: String]) async throws(ClairoError) {
        let home = try Self.home(environment)
        let file = try Self.file(named: configFile, environment)
        let fileProvider =
            if let file { try await Self.provider(for: file) } else {
                InMemoryProvider(values: [:]) as any ConfigProvider
            }
        let environmentProvider = EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(
            with: "clairo")
        let flagValues = Dictionary(
            uniqueKeysWithValues: flags.map {
                (AbsoluteConfigKey([$0.key.rawValue]), ConfigValue(.string($0.value), isSecret: $0.key.isSecret))
            })
        let defaults: [Key: String] = [
            .rawStore: "file:\(home)/raw", .outputStore: "file:\(home)/output", .database: "sqlite:\(home)/clairo.db",
            .queue: "local:", .listen: "127.0.0.1:8080", .ecsContainer: "clairo",
        ]
        let sources: [(provider: any ConfigProvider, origin: (Key) -> Origin)] = [
            (InMemoryProvider(name: "flags", values: flagValues), { .flag("--\($0.rawValue)") }),
            (environmentProvider, { .environment($0.environmentName) }),
            (fileProvider, { _ in .file(file ?? "") }),
        ]
        var values: [Key: (value: String, origin: Origin)] = [:]
        for key in Key.allCases {
            for (provider, origin) in sources {
                let reader = ConfigReader(provider: provider)
                // An empty variable is as good as none.
                guard let value = reader.string(forKey: ConfigKey([key.rawValue]), isSecret: key.isSecret),
                    !value.isEmpty
                else { continue }
                values[key] = (value, origin(key))
                break
            }
            if values[key] == nil, let value = defaults[key] { values[key] = (value, .default) }
        }
        self.home = home
        self.file = file
        self.values = values
    }

    private static func home(_ environment: [String: String]) throws(ClairoError) -> String {
        if let home = environment["CLAIRO_HOME"], !home.isEmpty { return URL(fileURLWithPath: home).path }
        // The XDG specification: a relative path there is to be ignored.
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return data + "/clairo" }
        guard let home = environment["HOME"], !home.isEmpty else {
            throw .configuration("There is no home directory to keep data in", advice: "Set CLAIRO_HOME to a folder.")
        }
        return home + "/.local/share/clairo"
    }

    private static func file(named name: String?, _ environment: [String: String]) throws(ClairoError) -> String? {
        if let name = name ?? environment["CLAIRO_CONFIG"], !name.isEmpty {
            guard FileManager.default.isReadableFile(atPath: name) else {
                throw .configuration(
                    "The configuration file \(name) cannot be read", advice: "Check --config or CLAIRO_CONFIG.")
            }
            return name
        }
        let folder =
            environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? environment["HOME"].map { $0 + "/.config" }
        let usual = ["clairo.yaml"] + (folder.map { ["\($0)/clairo/clairo.yaml"] } ?? []) + ["/etc/clairo/clairo.yaml"]
        return usual.first { FileManager.default.fileExists(atPath: $0) }
    }

    private static func provider(for file: String) async throws(ClairoError) -> any ConfigProvider {
        do {
            // The library takes no document without content.
            guard try SettingsFile.hasSettings(in: file) else { return InMemoryProvider(values: [:]) }
            return try await FileProvider<YAMLSnapshot>(filePath: FilePath(file))
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .configuration("The configuration file \(file) is not valid YAML")
        }
    }
}
