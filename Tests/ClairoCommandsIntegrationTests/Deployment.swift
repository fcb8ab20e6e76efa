import ClairoCore
import ClairoMetadata
import ClairoStorage
import ClairoTestSupport
import Foundation
import Testing

/// The services that a test runs the binary with.
struct Deployment: Sendable {
    enum Kind: String, Sendable, CaseIterable, CustomTestStringConvertible {
        /// Nothing configured: a folder and SQLite.
        case zeroService
        /// A bucket and MySQL: `rclone serve s3`, which checks signatures, and MariaDB.
        case s3AndMySQL

        var testDescription: String { rawValue }

        /// The deployments whose servers are installed.
        static var available: [Kind] { allCases.filter(\.isAvailable) }

        var isAvailable: Bool {
            self == .zeroService || (S3Server.isInstalled(.rclone) && MariaDBServer.isInstalled)
        }
    }

    let kind: Kind
    /// Variables that configure the binary for these services.
    let environment: [String: String]
    let rawStoreURL: String
    let databaseURL: String

    /// - Parameter ownDatabase: A database server of this test, which it may restart.
    static func make(
        _ kind: Kind, in scratch: Scratch, ownDatabase: MariaDBServer? = nil
    ) async throws -> Deployment {
        switch kind {
        case .zeroService:
            let home = scratch.path("home")
            return Deployment(
                kind: kind, environment: ["CLAIRO_HOME": home, "HOME": scratch.path], rawStoreURL: "file:\(home)/raw",
                databaseURL: "sqlite:\(home)/clairo.db")
        case .s3AndMySQL:
            let server = try await S3Server.shared(.rclone)
            let bucket = try await server.makeBucket()
            let database: MariaDBServer
            if let ownDatabase { database = ownDatabase } else { database = try await MariaDBServer.shared }
            let name = try await database.makeDatabase().name
            let site = Deployment(
                kind: kind,
                environment: server.environment.merging([
                    "CLAIRO_RAW_STORE": "s3://\(bucket)/raw", "CLAIRO_OUTPUT_STORE": "s3://\(bucket)/output",
                    "CLAIRO_DATABASE": database.url(name, password: nil),
                    "CLAIRO_DATABASE_PASSWORD": MariaDBServer.password, "CLAIRO_HOME": scratch.path("home"),
                    "HOME": scratch.path,
                ]) { $1 }, rawStoreURL: "s3://\(bucket)/raw", databaseURL: database.url(name, password: nil))
            // In this process, which is a second faster than `clairo migrate`.
            let store = try await MetadataDatabase.open(url: database.url(name), environment: [:])
            _ = try await store.migrate()
            await store.close()
            return site
        }
    }

    func clairo(_ arguments: String..., more: [String: String] = [:]) async throws -> ChildProcess.Outcome {
        try await ClairoProcess.run(arguments: arguments, environment: environment.merging(more) { $1 })
    }

    func rawStore() throws -> any DurableStore { try StoreURL.open(rawStoreURL, environment: environment) }

    /// Reads the database through a separate connection.
    func inspect<R: Sendable>(_ body: (any MetadataStore) async throws -> R) async throws -> R {
        let store = try await MetadataDatabase.open(url: databaseURL, environment: environment)
        do {
            let result = try await body(store)
            await store.close()
            return result
        } catch {
            await store.close()
            throw error
        }
    }

    /// The numbers that must agree after an upload, however often it was interrupted.
    struct Counts: Equatable {
        var videos: Int
        var messages: Int
        var objects: Int
        var openUploads: Int
    }

    func counts() async throws -> Counts {
        let (videos, messages) = try await inspect { store in
            (try await store.videos(VideoFilter(limit: 1000)).count, try await store.unsentMessages())
        }
        let raw = try rawStore()
        let (objects, uploads) = try await onDedicatedThread(name: "counts") {
            (try raw.list(prefix: "").count, try raw.openUploads(prefix: "").count)
        }
        return Counts(videos: videos, messages: messages, objects: objects, openUploads: uploads)
    }
}

extension Clip {
    /// The clip, padded to `bytes` bytes: an MP4 may end with free space (ISO/IEC 14496-12, 8.1.2).
    func make(paddedTo bytes: Int, as file: URL) async throws -> URL {
        var data = try Data(contentsOf: try await make())
        let free = bytes - data.count
        data.append(contentsOf: (0..<4).map { UInt8(truncatingIfNeeded: free >> (24 - 8 * $0)) })
        data.append(contentsOf: Array("free".utf8))
        // Not constant, so that swapped parts are detected.
        data.append(MemoryMedia.noise(bytes - data.count))
        try data.write(to: file)
        return file
    }
}
