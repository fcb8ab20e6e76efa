internal import Foundation

// Requests and replies of the Docker Engine API, as far as they are needed. Source: Docker Engine API v1.41.
//
// Names are those of the API, except that their first letter is lower case. `EngineJSON` converts it.

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

/// The body of `POST /containers/create`.
struct ContainerConfiguration: Encodable {
    var image: String
    var cmd: [String]
    var labels: [String: String]
    var user: String
    var workingDir = "/"
    var hostname = "clairo"
    /// Disabled, because the image's own check is for daemons.
    var healthcheck = Healthcheck()
    var hostConfig: HostConfiguration

    struct Healthcheck: Encodable {
        var test = ["NONE"]
    }
}

struct HostConfiguration: Encodable {
    /// The memory limit in bytes. `memorySwap` limits the sum of memory and swap, so the same value means no swap.
    var memory: Int64
    var memorySwap: Int64
    /// CPUs times 10⁹.
    var nanoCpus: Int64
    var pidsLimit: Int
    var ulimits: [Ulimit]
    /// The mount(8) options of each tmpfs mount, by folder.
    var tmpfs: [String: String]
    var mounts: [Mount]
    var readonlyRootfs = true
    var networkMode = "none"
    /// Disables /dev/shm, which would be writable.
    var ipcMode = "none"
    var capDrop = ["ALL"]
    var securityOpt = ["no-new-privileges"]
    var logConfig = LogConfiguration()
    /// Makes the kernel's OOM killer choose the container before the worker or any other process (proc(5)).
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

    /// The container's log is on the host's disk, so it is limited to two files of this size.
    struct LogConfiguration: Encodable {
        var type = "json-file"
        var config = ["max-size": "256k", "max-file": "2"]
    }
}

/// The reply to `POST /containers/create`.
struct CreatedContainer: Decodable {
    var id: String
}

/// The reply to `POST /containers/{id}/wait`.
struct ContainerExit: Decodable {
    var statusCode: Int
}

/// The reply to `GET /containers/{id}/json`.
struct ContainerDetails: Decodable {
    struct State: Decodable {
        var outOfMemory: Bool
        var exitCode: Int
        var running: Bool

        enum CodingKeys: String, CodingKey {
            // The API's name is OOMKilled.
            case outOfMemory = "oOMKilled"
            case exitCode, running
        }
    }

    var state: State
}

/// An element of the reply to `GET /containers/json`.
struct ListedContainer: Decodable, Equatable {
    var id: String
    /// The names, with a leading slash.
    var names: [String]
    var labels: [String: String]
}

/// The reply to `GET /images/{name}/json`.
struct ImageDetails: Decodable {
    struct Configuration: Decodable {
        struct Nothing: Decodable {}

        /// Folders for which Docker would create a volume on the host.
        var volumes: [String: Nothing]?
    }

    var id: String
    var config: Configuration?
}

/// The reply to `GET /info`.
struct EngineDetails: Decodable {
    var serverVersion: String
    var memoryLimit: Bool?
    var cpuCfsQuota: Bool?
    var pidsLimit: Bool?
    var cpus: Int
    var memory: Int64

    enum CodingKeys: String, CodingKey {
        case serverVersion, memoryLimit, cpuCfsQuota, pidsLimit
        // The API's names are NCPU and MemTotal.
        case cpus = "nCPU"
        case memory = "memTotal"
    }
}

/// The daemon's error message.
struct EngineFailure: Decodable {
    var message: String
}
