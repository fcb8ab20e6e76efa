public import ClairoCore
public import Foundation
internal import Glibc

/// An `ObjectStore` in a folder: keys are paths below it.
///
/// An object is written beside its place under a hidden name, flushed to disk and then renamed, so that a reader or a
/// crash sees it whole or not at all.
public struct DirectoryStore: ObjectStore {
    public let root: URL

    /// The folder is made when the first object is written.
    public init(root: URL) { self.root = root }

    private static let temporaryPrefix = ".partial-"

    /// The path of an object. A key that would leave the folder is a bug of the caller, never followed.
    private func path(_ key: ObjectKey) throws(ClairoError) -> String {
        let parts = key.rawValue.split(separator: "/", omittingEmptySubsequences: false)
        guard !parts.isEmpty, parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("\0") }) else {
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

    public func put(at key: ObjectKey, writing body: (_ write: (Data) throws(ClairoError) -> Void) throws -> Void)
        throws
    {
        let target = try path(key)
        let folder = (target as NSString).deletingLastPathComponent
        try makeFolder(folder)
        let temporary =
            "\(folder)/\(Self.temporaryPrefix)\((target as NSString).lastPathComponent)-\(UUID().uuidString)"
        let descriptor = Glibc.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        var isOpen = true
        var isFinished = false
        defer {
            if isOpen { close(descriptor) }
            if !isFinished { unlink(temporary) }
        }
        try body { (data: Data) throws(ClairoError) in try Self.writeAll(data, to: descriptor, path: target) }
        guard fdatasync(descriptor) == 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        isOpen = false
        guard close(descriptor) == 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        guard rename(temporary, target) == 0 else { throw fileError("Cannot write \(target)", errno, reading: false) }
        isFinished = true
    }

    private static func writeAll(_ data: Data, to descriptor: Int32, path: String) throws(ClairoError) {
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

    private func makeFolder(_ path: String) throws(ClairoError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        let parent = (path as NSString).deletingLastPathComponent
        if !parent.isEmpty, parent != path { try makeFolder(parent) }
        if mkdir(path, 0o755) != 0, errno != EEXIST {
            throw fileError("Cannot make the folder \(path)", errno, reading: false)
        }
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
            throw .cannotCreate("\(path) is in the way: it is not a folder", advice: "Choose another output with -o.")
        }
    }

    public func get(_ key: ObjectKey) throws(ClairoError) -> Data {
        let source = try FileByteSource(path: try path(key))
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
        try FileByteSource(path: try path(key))
    }

    public func size(of key: ObjectKey) throws(ClairoError) -> Int64? {
        var status = stat()
        let target = try path(key)
        guard stat(target, &status) == 0 else {
            if errno == ENOENT || errno == ENOTDIR { return nil }
            throw fileError("Cannot read \(target)", errno, reading: true)
        }
        return status.st_mode & S_IFMT == S_IFREG ? Int64(status.st_size) : nil
    }

    public func list(prefix: String) throws(ClairoError) -> [ObjectKey] {
        // Only the folder that the prefix lies in has to be walked.
        let parts = prefix.split(separator: "/", omittingEmptySubsequences: false).dropLast()
        // No key has such a part, and the walk must not leave the root.
        guard parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." }) else { return [] }
        let folder = parts.joined(separator: "/")
        var keys: [ObjectKey] = []
        try walk(folder.isEmpty ? root.path : root.path + "/" + folder, key: folder, into: &keys)
        return keys.filter { $0.rawValue.hasPrefix(prefix) }.sorted()
    }

    private func walk(_ path: String, key: String, into keys: inout [ObjectKey]) throws(ClairoError) {
        guard let directory = opendir(path) else {
            if errno == ENOENT || errno == ENOTDIR { return }
            throw fileError("Cannot read the folder \(path)", errno, reading: true)
        }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { String(cString: $0) }
            }
            if name == "." || name == ".." || name.hasPrefix(Self.temporaryPrefix) { continue }
            let childKey = key.isEmpty ? name : key + "/" + name
            let childPath = path + "/" + name
            var status = stat()
            guard lstat(childPath, &status) == 0 else { continue }
            if status.st_mode & S_IFMT == S_IFDIR {
                try walk(childPath, key: childKey, into: &keys)
            } else {
                keys.append(ObjectKey(childKey))
            }
        }
    }

    public func delete(_ key: ObjectKey) throws(ClairoError) {
        let target = try path(key)
        if unlink(target) != 0, errno != ENOENT, errno != ENOTDIR, errno != EISDIR {
            throw fileError("Cannot remove \(target)", errno, reading: false)
        }
        // Folders are not objects: one that has become empty goes with its last object.
        var folder = (target as NSString).deletingLastPathComponent
        while folder.hasPrefix(root.path + "/"), rmdir(folder) == 0 {
            folder = (folder as NSString).deletingLastPathComponent
        }
    }

    /// Removes what a killed writer left behind under hidden names.
    public func removePartialObjects() throws(ClairoError) {
        guard let enumerator = FileManager.default.enumerator(at: root, includingPropertiesForKeys: nil) else { return }
        for case let url as URL in enumerator where Self.isTemporary(url.lastPathComponent) {
            unlink(url.path)
        }
    }

    /// Only names that `put` makes, which end in a UUID.
    private static func isTemporary(_ name: String) -> Bool {
        name.hasPrefix(temporaryPrefix) && UUID(uuidString: String(name.suffix(36))) != nil
    }
}
