internal import Foundation

// What is said to the Docker Engine and what it answers, as far as tasks need it. Source: Docker Engine API v1.41.
//
// Names are those of the API but for their first letter, which `EngineJSON` changes.

enum EngineJSON {
    static func encode(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.keyEncodingStrategy = .custom { path in Key(path.last?.stringValue ?? "", first: { $0.uppercased() }) }
        return try encoder.encode(value)
    }

    static func decode<T: Decodable>(_ type: T.Type, from data: Data) throws -> T {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .custom { path in Key(path.last?.stringValue ?? "", first: { $0.lowercased() }) }
        return try decoder.decode(type, from: data)
    }

    private struct Key: CodingKey {
        var stringValue: String
        var intValue: Int? { nil }

        init(_ name: String, first: (String) -> String) {
            stringValue = first(String(name.prefix(1))) + name.dropFirst()
        }

        init(stringValue: String) { self.stringValue = stringValue }

        init?(intValue: Int) { nil }
    }
}

/// Body of `POST /containers/create`.
struct ContainerConfiguration: Encodable {
    var image: String
    var cmd: [String]
    var labels: [String: String]
    var user: String
    var workingDir = "/"
    var hostname = "clairo"
    /// The image's own check is for daemons.
    var healthcheck = Healthcheck()
    var hostConfig: HostConfiguration

    struct Healthcheck: Encodable {
        var test = ["NONE"]
    }
}

struct HostConfiguration: Encodable {
    /// Bytes. Swap is counted in `memorySwap`, so the same number there means none.
    var memory: Int64
    var memorySwap: Int64
    /// CPUs times 10⁹.
    var nanoCpus: Int64
    var pidsLimit: Int
    var ulimits: [Ulimit]
    /// Options of mount(8) by folders.
    var tmpfs: [String: String]
    var mounts: [Mount]
    var readonlyRootfs = true
    var networkMode = "none"
    /// No /dev/shm, which could be written to.
    var ipcMode = "none"
    var capDrop = ["ALL"]
    var securityOpt = ["no-new-privileges"]
    var logConfig = LogConfiguration()
    /// The kernel is to end it before the worker or anything else (proc(5)).
    var oomScoreAdj = 1000

    struct Ulimit: Encodable {
        var name: String
        var soft: Int
        var hard: Int
    }

    struct Mount: Encodable {
        var type = "bind"
        var source: String
        var target: String
        var readOnly = true
        var bindOptions = BindOptions()
    }

    struct BindOptions: Encodable {
        var propagation = "rprivate"
    }

    /// What a container says lies on the host's disk: two files of this size at most.
    struct LogConfiguration: Encodable {
        var type = "json-file"
        var config = ["max-size": "256k", "max-file": "2"]
    }
}

/// Answer of `POST /containers/create`.
struct CreatedContainer: Decodable {
    var id: String
}

/// Answer of `POST /containers/{id}/wait`.
struct ContainerExit: Decodable {
    var statusCode: Int
}

/// Answer of `GET /containers/{id}/json`.
struct ContainerDetails: Decodable {
    struct State: Decodable {
        var outOfMemory: Bool
        var exitCode: Int
        var running: Bool

        enum CodingKeys: String, CodingKey {
            // OOMKilled
            case outOfMemory = "oOMKilled"
            case exitCode, running
        }
    }

    var state: State
}

/// An element of the answer of `GET /containers/json`.
struct ListedContainer: Decodable, Equatable {
    var id: String
    /// Behind a slash.
    var names: [String]
    var labels: [String: String]
}

/// Answer of `GET /images/{name}/json`.
struct ImageDetails: Decodable {
    struct Configuration: Decodable {
        struct Nothing: Decodable {}

        /// Folders for which Docker would make a volume on the host.
        var volumes: [String: Nothing]?
    }

    var id: String
    var config: Configuration?
}

/// Answer of `GET /info`.
struct EngineDetails: Decodable {
    var serverVersion: String
    var memoryLimit: Bool?
    var cpuCfsQuota: Bool?
    var pidsLimit: Bool?
    var cpus: Int
    var memory: Int64

    enum CodingKeys: String, CodingKey {
        case serverVersion, memoryLimit, cpuCfsQuota, pidsLimit
        // NCPU, MemTotal
        case cpus = "nCPU"
        case memory = "memTotal"
    }
}

/// The daemon's words for what went wrong.
struct EngineFailure: Decodable {
    var message: String
}
