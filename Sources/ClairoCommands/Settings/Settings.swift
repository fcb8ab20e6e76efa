internal import ClairoCore
internal import ClairoStorage
internal import Configuration
internal import Foundation

/// The effective settings and where each came from: flag > environment > configuration file > default.
///
/// A setting has one name everywhere: `--raw-store` on the command line, `CLAIRO_RAW_STORE` in the environment and
/// `raw-store:` in the file.
struct Settings: Sendable {
    /// The settings.
    enum Key: String, CaseIterable, Sendable {
        case rawStore = "raw-store"
        case outputStore = "output-store"
        case cacheControl = "cache-control"
        case playlistCacheControl = "playlist-cache-control"
        case playlistCompression = "playlist-compression"
        case database
        case databasePassword = "database-password"
        case databasePasswordFile = "database-password-file"
        case queue
        case kafkaConfig = "kafka-config"
        case profiles
        case tenantWeights = "tenant-weights"
        case listen
        case tokenFile = "token-file"
        case publicURL = "public-url"
        case allowOrigin = "allow-origin"
        case masterKeyFile = "master-key-file"
        case gcInterval = "gc-interval"
        case gcOlderThan = "gc-older-than"
        case gcDeadLetters = "gc-dead-letters"
        case gcDeadLetterBytes = "gc-dead-letter-bytes"
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
        case ecsOutputRole = "ecs-output-role"

        var isSecret: Bool { self == .databasePassword || self == .webhookSecret }

        var meaning: String {
            switch self {
            case .rawStore: "the store for uploaded sources"
            case .outputStore: "the store for renditions"
            case .cacheControl: "Cache-Control of segments, MP4 files and images in S3"
            case .playlistCacheControl: "Cache-Control of playlists and manifests in S3"
            case .playlistCompression: "compression of playlists in S3"
            case .database: "the metadata database"
            case .databasePassword: "password of the database, if the URL has none"
            case .databasePasswordFile: "file with the password of the database"
            case .queue: "the message queue"
            case .kafkaConfig: "file of librdkafka properties"
            case .profiles: "file of profiles (named transcode settings)"
            case .tenantWeights: "weights of tenants for fair scheduling"
            case .listen: "address that clairo serve listens on"
            case .tokenFile: "file of tokens that clairo serve accepts"
            case .publicURL: "URL that clients of clairo serve use"
            case .allowOrigin: "origins whose web pages may use clairo serve"
            case .masterKeyFile: "file with the secret that keys of encrypted output derive from"
            case .gcInterval: "how often obsolete data is removed"
            case .gcOlderThan: "how long segments of failed jobs, replaced outputs and old rows are kept"
            case .gcDeadLetters: "largest number of dead letters"
            case .gcDeadLetterBytes: "largest total size of dead letters"
            case .dockerImage: "image of tasks' containers"
            case .dockerSocket: "socket of the Docker daemon"
            case .dockerFolder: "folder for the sockets to tasks' containers"
            case .dockerMemory: "memory of a task's container, in MiB"
            case .dockerCPUs: "CPUs of a task's container"
            case .webhookURL: "URL that is called when the state of a job changes"
            case .webhookSecret: "secret that webhooks are signed with"
            case .webhookSecretFile: "file with the webhook secret"
            case .ecsCluster: "the ECS cluster"
            case .ecsTaskDefinition: "the ECS task definition"
            case .ecsContainer: "container of the task definition that runs Clairo"
            case .ecsSubnets: "subnets of ECS tasks"
            case .ecsSecurityGroups: "security groups of ECS tasks"
            case .ecsCapacityProvider: "capacity providers of ECS tasks"
            case .ecsAssignPublicIP: "whether ECS tasks get public IP addresses"
            case .ecsExchange: "store for documents between workers and ECS tasks"
            case .ecsOutputRole: "role that workers narrow to one job for each ECS task"
            }
        }

        /// The value without secrets.
        func masked(_ value: String) -> String {
            if isSecret { return "***" }
            if self == .webhookURL { return MaskedURL.origin(value) + "/***" }
            // NAME@sha256:DIGEST is not a URL with a user name.
            return self == .dockerImage ? value : MaskedURL.text(value, hidesUser: self != .database)
        }

        var environmentName: String { "CLAIRO_" + rawValue.uppercased().replacing("-", with: "_") }
    }

    /// The origin of a value.
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

    /// The data directory: `$CLAIRO_HOME`, else `$XDG_DATA_HOME/clairo`, else `~/.local/share/clairo`. An absolute path
    /// that begins with one slash, so that URLs can be made of it (HOME=/ in containers without a passwd entry).
    let home: String
    /// The configuration file that was read.
    let file: String?
    /// Warnings about environment variables that are almost named like a setting.
    let hints: [String]
    private let values: [Key: (value: String, origin: Origin)]

    func value(_ key: Key) -> String? { values[key]?.value }

    func origin(_ key: Key) -> Origin { values[key]?.origin ?? .unset }

    /// A value that has a default.
    subscript(_ key: Key) -> String { value(key) ?? "" }

    /// - Parameters:
    ///   - flags: The values from the command line.
    ///   - configFile: A file that must exist; nil to search the default locations.
    /// - Throws: `configuration` (78) for a file that cannot be read or names a setting that does not exist.
    init(flags: [Key: String], configFile: String?, environment: [String: String]) async throws(ClairoError) {
        let home = try Self.home(environment)
        let file = try Self.file(named: configFile, environment)
        func provider(_ name: String, _ values: [Key: String]) -> InMemoryProvider {
            InMemoryProvider(
                name: name,
                values: Dictionary(
                    uniqueKeysWithValues: values.map { key, value in
                        (AbsoluteConfigKey([key.rawValue]), ConfigValue(.string(value), isSecret: key.isSecret))
                    }))
        }
        let fileValues = if let file { try SettingsFile.read(file) } else { [Key: String]() }
        let environmentProvider = EnvironmentVariablesProvider(environmentVariables: environment).prefixKeys(
            with: "clairo")
        let defaults: [Key: String] = [
            .rawStore: "file:" + SystemFile.absolute(home + "/raw"),
            .outputStore: "file:" + SystemFile.absolute(home + "/output"),
            .database: "sqlite:" + SystemFile.absolute(home + "/clairo.db"),
            .cacheControl: ObjectDelivery.defaultCacheControl,
            .playlistCacheControl: ObjectDelivery.defaultPlaylistCacheControl,
            .playlistCompression: ObjectDelivery.Compression.gzip.rawValue,
            .queue: "local:", .listen: "127.0.0.1:8080", .ecsContainer: "clairo", .gcInterval: "5m", .gcOlderThan: "7d",
            .gcDeadLetters: "100000", .gcDeadLetterBytes: "1073741824",
        ]
        let sources: [(provider: any ConfigProvider, origin: (Key) -> Origin)] = [
            (provider("flags", flags), { .flag("--\($0.rawValue)") }),
            (environmentProvider, { .environment($0.environmentName) }),
            (provider("file", fileValues), { _ in .file(file ?? "") }),
        ]
        var values: [Key: (value: String, origin: Origin)] = [:]
        for key in Key.allCases {
            for (provider, origin) in sources {
                let reader = ConfigReader(provider: provider)
                // An empty variable counts as not set.
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
        hints = Misspelling.find(in: environment.keys).map {
            "\($0.name) is not a setting; did you mean \($0.setting)?"
        }
    }

    private static func home(_ environment: [String: String]) throws(ClairoError) -> String {
        if let home = environment["CLAIRO_HOME"], !home.isEmpty { return SystemFile.absolute(home) }
        // The XDG specification requires ignoring relative paths.
        if let data = environment["XDG_DATA_HOME"], data.hasPrefix("/") { return SystemFile.absolute(data + "/clairo") }
        guard let home = environment["HOME"], !home.isEmpty else {
            throw .configuration("No home directory for the data", advice: "Set CLAIRO_HOME to a folder.")
        }
        return SystemFile.absolute(home + "/.local/share/clairo")
    }

    private static func file(named name: String?, _ environment: [String: String]) throws(ClairoError) -> String? {
        if let name = name ?? environment["CLAIRO_CONFIG"], !name.isEmpty {
            guard SystemFile.isReadable(name) else {
                throw .configuration(
                    "The configuration file \(name) cannot be read", advice: "Check --config or CLAIRO_CONFIG.")
            }
            return name
        }
        let folder =
            environment["XDG_CONFIG_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
            ?? environment["HOME"].map { $0 + "/.config" }
        let usual = ["clairo.yaml"] + (folder.map { ["\($0)/clairo/clairo.yaml"] } ?? []) + ["/etc/clairo/clairo.yaml"]
        return usual.first(where: SystemFile.exists)
    }
}
