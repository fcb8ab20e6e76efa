internal import ClairoCore
internal import Foundation
internal import Glibc
internal import Synchronization

/// Where a worker keeps the sockets of its containers, and by which every worker knows whose containers belong to nobody.
///
/// ```
/// FOLDER/id                  a name for the folder: the label `clairo.folder` of all containers of its workers
/// FOLDER/<worker>.lock       locked while that worker lives (flock(2)): the kernel lets go of it however it ends
/// FOLDER/<worker>/<name>/    what a container finds at /work
/// ```
///
/// Any number of workers may use one folder, in containers too if it is mounted there. A container is an orphan when the worker
/// of its label `clairo.worker` lives no more; whose folder is another one is not for us to judge.
final class DockerWorkFolder: Sendable {
    static let folderLabel = "clairo.folder"
    static let workerLabel = "clairo.worker"

    let identifier: String
    let worker: String
    private let folder: String
    private let lock: Int32
    /// Containers that are in use.
    private let names = Mutex<Set<String>>([])

    /// - Throws: `cannotCreate` (73) where the folder cannot be made.
    init(_ folder: String) throws(ClairoError) {
        self.folder = folder
        do {
            // Nobody else gets in: whoever reaches a socket could pass for the task.
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
            identifier = try Self.identifier(of: folder)
        } catch {
            throw .cannotCreate(
                "The folder \(folder) for the Docker executor cannot be made",
                advice: "Name another with --docker-folder.")
        }
        worker = Self.random()
        let path = "\(folder)/\(worker)"
        // Under another name until it is locked: nobody is to find it open and take us for gone.
        lock = open("\(path).new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard lock >= 0, flock(lock, LOCK_EX | LOCK_NB) == 0, mkdir(path, 0o700) == 0,
            rename("\(path).new", "\(path).lock") == 0
        else {
            throw .cannotCreate(
                "The folder \(folder) for the Docker executor cannot be used: \(String(cString: strerror(errno)))",
                advice: "Name another with --docker-folder, on a disk of this machine.")
        }
    }

    deinit {
        Self.remove(worker, in: folder)
        if lock >= 0 { close(lock) }
    }

    // MARK: Containers of this worker

    /// A name for a container and the folder that it finds at /work, until `leave`.
    func enter() throws(ClairoError) -> (name: String, folder: String) {
        let name = "clairo-\(worker)-\(Self.random())"
        let path = "\(folder)/\(worker)/\(name)"
        // In the container it is another user's. What is above keeps everybody else out.
        guard mkdir(path, 0o755) == 0, chmod(path, 0o755) == 0 else {
            throw .capacity("No folder for a task can be made in \(folder): \(String(cString: strerror(errno)))")
        }
        names.withLock { _ = $0.insert(name) }
        return (name, path)
    }

    func leave(_ name: String) {
        names.withLock { _ = $0.remove(name) }
        try? FileManager.default.removeItem(atPath: "\(folder)/\(worker)/\(name)")
    }

    var labels: [String: String] { [Self.folderLabel: identifier, Self.workerLabel: worker] }

    // MARK: Containers of nobody

    /// Those of workers that are gone, and those of this one that it could not remove.
    /// - Parameter containers: of this folder, as they were before this call.
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

    /// Removes what workers that are gone have left in the folder.
    func tidy() {
        for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] where name.hasSuffix(".lock") {
            let owner = String(name.dropLast(".lock".count))
            if owner != worker, !Self.lives(owner, in: folder) { Self.remove(owner, in: folder) }
        }
    }

    /// Whether a worker holds its lock. One that has not got as far has no container either.
    private static func lives(_ worker: String, in folder: String) -> Bool {
        // A label is only what it says: it is to name nothing elsewhere.
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

    /// The folder's name, which the first to ask makes up.
    private static func identifier(of folder: String) throws -> String {
        let path = folder + "/id"
        if let known = FileManager.default.contents(atPath: path), !known.isEmpty {
            return String(decoding: known, as: UTF8.self)
        }
        let made = "\(path).\(random())"
        try Data((random() + random()).utf8).write(to: URL(fileURLWithPath: made))
        // Whole or not at all, and the first wins.
        _ = link(made, path)
        unlink(made)
        return String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
    }

    private static func random() -> String {
        let digits = String(UInt64.random(in: 0...UInt64.max), radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}
