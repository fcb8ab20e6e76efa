public import ClairoCore
public import Foundation
internal import Glibc

/// A store in a folder: keys are paths below it.
///
/// An object is written to a hidden file in the same folder, flushed to disk and then renamed. So readers see the whole
/// object or none, even after a crash.
public struct DirectoryStore: DurableStore {
    /// The folder that keys are relative to.
    public let root: URL

    /// The folder is created with the first object.
    public init(root: URL) { self.root = root }

    /// The store in the folder at `path`, which is `SystemText`.
    public init(path: String) { self.init(root: URL(fileURLWithPath: SystemFile.absolute(path))) }

    private static let temporaryPrefix = ".partial-"
    static let uploadsFolder = ".uploads"

    public func location(of key: ObjectKey) -> ObjectLocation {
        let file = root.standardizedFileURL.appendingPathComponent(key.rawValue)
        return ObjectLocation(bucket: "", key: file.path, url: StoreURL.file(file))
    }

    /// Always returns nil, because a folder has no presigned URLs.
    public func presignedURL(for access: PresignedAccess, expiresIn seconds: Int) throws(ClairoError) -> String? { nil }

    public func check() throws(ClairoError) {
        try makeFolder(root.path)
        guard FileCall.access(root.path, W_OK | X_OK) == 0 else {
            throw fileError("Cannot write to the folder \(root.path)", errno, reading: false)
        }
        // Writes an object, because the disk may be full.
        try checkRoundTrip()
    }

    /// Returns the path of an object. A key that points outside the folder is a defect of the caller.
    func path(_ key: ObjectKey) throws(ClairoError) -> String {
        let parts = key.rawValue.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("\0") }),
            parts[0] != Self.uploadsFolder
        else {
            throw .defect("The key \"\(key)\" is not a relative path")
        }
        return root.path + "/" + key.rawValue
    }

    public func put(_ data: Data, at key: ObjectKey) throws(ClairoError) {
        do {
            try put(at: key) { write in try write(data) }
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .inputOutput("Writing \(key) failed: \(error)")
        }
    }

    public func putIfAbsent(_ data: Data, at key: ObjectKey) throws(ClairoError) -> Bool {
        let target = try path(key)
        var isNew = true
        do {
            try write(target, { write in try write(data) }) { (temporary: String) throws(ClairoError) in
                // link(2) fails if the name exists.
                if FileCall.link(temporary, target) != 0 {
                    guard errno == EEXIST else { throw Self.publishingError(target, errno) }
                    isNew = false
                }
                FileCall.unlink(temporary)
            }
        } catch let error as ClairoError {
            throw error
        } catch {
            throw .inputOutput("Writing \(key) failed: \(error)")
        }
        return isNew
    }

    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        let target = try path(key)
        try write(target, body) { (temporary: String) throws(ClairoError) in try Self.move(temporary, to: target) }
    }

    /// Writes a hidden file beside `target` and calls `publish` to move it into place.
    private func write(
        _ target: String, _ body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void,
        publish: (_ temporary: String) throws(ClairoError) -> Void
    ) throws {
        let folder = (target as NSString).deletingLastPathComponent
        let temporary =
            "\(folder)/\(Self.temporaryPrefix)\((target as NSString).lastPathComponent)-\(UUID().uuidString)"
        let descriptor = try inFolder(folder) {
            FileCall.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        }
        guard descriptor >= 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        var isOpen = true
        var isFinished = false
        defer {
            if isOpen { close(descriptor) }
            if !isFinished { FileCall.unlink(temporary) }
        }
        try body { (data: Data) throws(ClairoError) in try Self.writeAll(data, to: descriptor, path: target) }
        guard fdatasync(descriptor) == 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        isOpen = false
        guard close(descriptor) == 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        try publish(temporary)
        isFinished = true
    }

    static func move(_ temporary: String, to target: String) throws(ClairoError) {
        guard FileCall.rename(temporary, target) == 0 else { throw publishingError(target, errno) }
        flushFolder(of: target)
    }

    /// The error of moving a complete file into place. If it is gone, upkeep or a deletion has removed it: that is no
    /// fault of the name or of the store.
    private static func publishingError(_ target: String, _ code: Int32) -> ClairoError {
        code == ENOENT
            ? .temporary("Cannot write \(target): another process removed it while it was written")
            : fileError("Cannot write \(target)", code, reading: false)
    }

    /// Syncs the folder, so that the name survives a power failure. Errors are ignored, because nothing could be done
    /// about them.
    static func flushFolder(of target: String) {
        let folder = FileCall.open((target as NSString).deletingLastPathComponent, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        if folder >= 0 {
            fsync(folder)
            close(folder)
        }
    }

    static func writeAll(_ data: Data, to descriptor: Int32, path: String) throws(ClairoError) {
        let failure = data.withUnsafeBytes { (bytes: UnsafeRawBufferPointer) -> Int32 in
            var done = 0
            while done < bytes.count {
                let written = Glibc.write(descriptor, bytes.baseAddress.map { $0 + done }, bytes.count - done)
                if written >= 0 {
                    done += written
                } else if errno != EINTR {
                    return errno
                }
            }
            return 0
        }
        if failure != 0 { throw fileError("Cannot write \(path)", failure, reading: false) }
    }

    /// Creates a folder, then makes a system call that creates something in it. Retries if another process deletes the
    /// folder in between, as it does after removing the last object in it.
    func inFolder(_ folder: String, _ call: () -> Int32) throws(ClairoError) -> Int32 {
        for _ in 0..<Self.attempts {
            try makeFolder(folder)
            let result = call()
            if result >= 0 || errno != ENOENT { return result }
        }
        return call()
    }

    private static let attempts = 100

    func makeFolder(_ path: String) throws(ClairoError) {
        func isFolder() -> Bool { FileCall.status(of: path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }
        if isFolder() { return }
        let parent = (path as NSString).deletingLastPathComponent
        let hasParent = !parent.isEmpty && parent != path
        let result = hasParent ? try inFolder(parent) { FileCall.mkdir(path, 0o755) } : FileCall.mkdir(path, 0o755)
        if result != 0, errno != EEXIST {
            throw fileError("Cannot create the folder \(path)", errno, reading: false)
        }
        guard isFolder() else {
            throw .refused(
                "\(path) exists and is not a folder", exitCode: .cannotCreate,
                advice: "Use another folder, for example with -o.")
        }
    }

    public func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        let source = try FileByteSource(path: try path(key), of: .store)
        var data = Data(count: Int(source.size))
        var filled = 0
        while filled < data.count {
            let target = filled
            let result = data.withUnsafeMutableBytes { bytes in
                Result { () throws(ClairoError) in
                    try source.read(
                        at: Int64(target), into: UnsafeMutableRawBufferPointer(rebasing: bytes.dropFirst(target)))
                }
            }
            let count = try result.get()
            if count == 0 { break }
            filled += count
        }
        return data.prefix(filled)
    }

    public func open(_ key: ObjectKey) throws(ClairoError) -> any ByteSource {
        try FileByteSource(path: try path(key), of: .store)
    }

    /// Opens the source of a video by its location, whatever the store's folder.
    /// - Throws: `noInput` (66) if the source was deleted, `refused` (78) if the whole folder of videos is missing, as it
    ///   is while its disk is not mounted.
    public static func openSource(_ location: ObjectLocation) throws(ClairoError) -> any ByteSource {
        do throws(ClairoError) {
            return try FileByteSource(path: location.key, of: .store)
        } catch  where error.exitCode == .noInput {
            // A source is below a folder of its video (`OutputLayout.source`).
            let videos = URL(fileURLWithPath: location.key).deletingLastPathComponent().deletingLastPathComponent()
            guard access(videos.path, F_OK) != 0 else { throw error }
            throw .refused(
                "\(error.message); the folder of its store, \(videos.path), does not exist either",
                exitCode: .configuration,
                advice: "Mount the disk of the store, or restore its folder.")
        }
    }

    public func info(of key: ObjectKey) throws(ClairoError) -> ObjectInfo? {
        let target = try path(key)
        guard let status = FileCall.status(of: target) else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw fileError("Cannot read \(target)", errno, reading: true)
        }
        guard status.st_mode & S_IFMT == S_IFREG else { return nil }
        return ObjectInfo(
            key: key, size: Int64(status.st_size),
            etag: "\(status.st_ino)-\(status.st_size)-\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)",
            modified: Timestamp(modified: status))
    }

    public func list(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectKey] {
        try entries(prefix: prefix, after: key, limit: limit).map(\.key)
    }

    public func entries(prefix: String, after key: ObjectKey?, limit: Int) throws(ClairoError) -> [ObjectEntry] {
        guard let folder = Self.folder(ofPrefix: prefix) else { return [] }
        var found: [ObjectEntry] = []
        try walk(folder.isEmpty ? root.path : root.path + "/" + folder, key: folder) { candidate, size in
            guard candidate.rawValue.hasPrefix(prefix), key.map({ $0 < candidate }) ?? true else { return }
            found.append(ObjectEntry(key: candidate, size: size))
        }
        return Array(found.sorted { $0.key < $1.key }.prefix(limit))
    }

    /// The folder that contains all keys with a prefix, relative to the root. Nil if no key has this prefix: such a
    /// folder could lie outside the root.
    private static func folder(ofPrefix prefix: String) -> String? {
        let parts = prefix.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else { return nil }
        return parts.joined(separator: "/")
    }

    public func usage() throws(ClairoError) -> StoreUsage {
        var usage = StoreUsage()
        try walk(root.path, key: "") { _, size in usage.add(bytes: size) }
        return usage
    }

    private func walk(
        _ path: String, key: String, _ body: (ObjectKey, _ size: Int64) -> Void
    ) throws(ClairoError) {
        guard let entries = FileCall.entries(path) else {
            if errno == ENOENT || errno == ENOTDIR { return }
            throw fileError("Cannot read the folder \(path)", errno, reading: true)
        }
        for (name, status) in entries {
            if name.hasPrefix(Self.temporaryPrefix) || (key.isEmpty && name == Self.uploadsFolder) { continue }
            let childKey = key.isEmpty ? name : key + "/" + name
            if status.st_mode & S_IFMT == S_IFDIR {
                try walk(path + "/" + name, key: childKey, body)
            } else {
                body(ObjectKey(childKey), Int64(status.st_size))
            }
        }
    }

    public func delete(_ key: ObjectKey) throws(ClairoError) {
        let target = try path(key)
        if FileCall.unlink(target) != 0, errno != ENOENT, errno != ENOTDIR, errno != EISDIR {
            throw fileError("Cannot remove \(target)", errno, reading: false)
        }
        removeEmptyFolders(above: target)
    }

    /// Deletes folders that have become empty, because folders are not objects.
    private func removeEmptyFolders(above target: String) {
        var folder = (target as NSString).deletingLastPathComponent
        while folder.hasPrefix(root.path + "/"), FileCall.rmdir(folder) == 0 {
            folder = (folder as NSString).deletingLastPathComponent
        }
    }

    /// Deletes the hidden files that killed writers left behind, and uploads that have no record because their writer
    /// was killed while it began them.
    @discardableResult
    public func removePartialObjects(
        prefix: String = "", olderThanSeconds seconds: Double = 0, isDryRun: Bool = false
    ) throws(ClairoError) -> StoreUsage {
        var usage = StoreUsage()
        guard let folder = Self.folder(ofPrefix: prefix) else { return usage }
        let latest = Timestamp.now.advanced(bySeconds: -seconds)
        let partial = partialObjects(in: folder.isEmpty ? root.path : root.path + "/" + folder)
            .filter { $0.modified <= latest }
        for file in partial {
            usage.add(bytes: file.size)
            if !isDryRun, FileCall.unlink(file.path) == 0 { removeEmptyFolders(above: file.path) }
        }
        if prefix.isEmpty { usage += removeUnrecordedUploads(notAfter: latest, isDryRun: isDryRun) }
        return usage
    }

    /// The hidden files of writers in a folder and the folders in it.
    private func partialObjects(in folder: String) -> [(path: String, size: Int64, modified: Timestamp)] {
        (FileCall.entries(folder) ?? []).flatMap { name, status in
            let path = folder + "/" + name
            if status.st_mode & S_IFMT == S_IFDIR { return partialObjects(in: path) }
            return Self.isTemporary(name) ? [(path, Int64(status.st_size), Timestamp(modified: status))] : []
        }
    }

    /// The size and modification time of a file or folder; nil if it does not exist.
    static func file(_ path: String) -> (size: Int64, modified: Timestamp)? {
        FileCall.linkStatus(of: path).map { (Int64($0.st_size), Timestamp(modified: $0)) }
    }

    /// Whether `put` created a file with this name, which ends in a UUID.
    private static func isTemporary(_ name: String) -> Bool {
        name.hasPrefix(temporaryPrefix) && UUID(uuidString: String(name.suffix(36))) != nil
    }
}
