internal import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// The folder of the containers' sockets. Its lock files show which workers are alive, and so which containers are
/// orphans.
///
/// ```
/// FOLDER/id                  the folder's id: the label `clairo.folder` of all containers of its workers
/// FOLDER/<worker>.lock       locked while the worker lives (flock(2)); the kernel releases it on any exit
/// FOLDER/<worker>/<name>/    mounted at /work in the container
/// ```
///
/// Any number of workers may share a folder, including workers in containers that mount it. A container is an orphan if
/// the worker in its label `clairo.worker` is dead. Containers of other folders are ignored.
final class DockerWorkFolder: Sendable {
    static let folderLabel = "clairo.folder"
    static let workerLabel = "clairo.worker"

    let identifier: String
    let worker: String
    private let folder: String
    private let lock: Int32
    /// The names of this worker's current containers.
    private let names = Mutex<Set<String>>([])

    /// - Throws: `cannotCreate` (73) if the folder cannot be created.
    init(_ folder: String) throws(ClairoError) {
        self.folder = folder
        do {
            // Private, because any process that can connect to a socket could impersonate the task.
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            identifier = try Self.identifier(of: folder)
        } catch {
            throw .cannotCreate(
                "The folder \(folder) for the Docker executor cannot be created",
                advice: "Set another with --docker-folder.")
        }
        worker = Self.random()
        let path = "\(folder)/\(worker)"
        // The lock file is renamed once it is locked. Otherwise another worker could see it unlocked and consider this
        // worker dead.
        lock = open("\(path).new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0, mkdir(path, 0o700) == 0,
            rename("\(path).new", "\(path).lock") == 0
        else {
            throw .cannotCreate(
                "The folder \(folder) for the Docker executor cannot be used: \(String(cString: strerror(errno)))",
                advice: "Set another with --docker-folder, on a local disk.")
        }
    }

    deinit {
        Self.remove(worker, in: folder)
        if lock >= 0 { close(lock) }
    }

    // MARK: Containers of this worker

    /// Creates a container's name and the folder that is mounted at /work. Call `leave` when the container has been
    /// removed.
    func enter() throws(ClairoError) -> (name: String, folder: String) {
        let name = "clairo-\(worker)-\(Self.random())"
        let path = "\(folder)/\(worker)/\(name)"
        // Readable by all, because the container runs as another user. The parent folder keeps other users out.
        guard mkdir(path, 0o755) == 0, chmod(path, 0o755) == 0 else {
            throw .capacity("Cannot create a folder for a task in \(folder): \(String(cString: strerror(errno)))")
        }
        names.withLock { _ = $0.insert(name) }
        return (name, path)
    }

    func leave(_ name: String) {
        names.withLock { _ = $0.remove(name) }
        try? FileManager.default.removeItem(atPath: "\(folder)/\(worker)/\(name)")
    }

    var labels: [String: String] { [Self.folderLabel: identifier, Self.workerLabel: worker] }

    // MARK: Orphans

    /// Returns the containers of dead workers and those that this worker failed to remove.
    /// - Parameter containers: The folder's containers, in a list made before this call.
    func orphans(among containers: [ListedContainer]) -> [ListedContainer] {
        let used = names.withLock { $0 }
        var known: [String: Bool] = [:]
        return containers.filter { container in
            guard let owner = container.labels[Self.workerLabel] else { return false }
            if owner == worker { return !container.names.contains { used.contains(String($0.dropFirst())) } }
            let lives = known[owner] ?? Self.lives(owner, in: folder)
            known[owner] = lives
            return !lives
        }
    }

    /// Removes the folders and locks of dead workers.
    func tidy() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasSuffix(".lock") {
            let owner = String(name.dropLast(".lock".count))
            if owner != worker, !Self.lives(owner, in: folder) { Self.remove(owner, in: folder) }
        }
    }

    /// Whether a worker holds its lock. A worker without a lock has no container yet.
    private static func lives(_ worker: String, in folder: String) -> Bool {
        // Labels are untrusted, and the name must not lead to a path elsewhere.
        guard worker.allSatisfy({ $0.isHexDigit }) else { return true }
        let descriptor = open("\(folder)/\(worker).lock", O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else { return errno != ENOENT }
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) != 0
    }

    private static func remove(_ worker: String, in folder: String) {
        try? FileManager.default.removeItem(atPath: "\(folder)/\(worker)")
        unlink("\(folder)/\(worker).lock")
    }

    /// The folder's id. The first worker creates it.
    private static func identifier(of folder: String) throws -> String {
        let path = folder + "/id"
        if let known = FileManager.default.contents(atPath: path), !known.isEmpty {
            return String(decoding: known, as: UTF8.self)
        }
        let made = "\(path).\(random())"
        try Data((random() + random()).utf8).write(to: URL(fileURLWithPath: made))
        // link(2) is atomic, so all workers use the id of the first.
        _ = link(made, path)
        unlink(made)
        return String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    private static func random() -> String {
        let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
