public import Foundation
internal import Glibc
internal import Synchronization

/// A temporary folder for a test, removed when the fixture is released.
///
/// Keep it in a property of the suite: Swift Testing creates a suite instance per test and releases it afterwards.
/// Closures passed to `onCleanup` run in reverse order before the folder is removed.
public final class Scratch: Sendable {
    public let url: URL
    private let cleanups = Mutex<[@Sendable () -> Void]>([])

    /// The folder of this test run, removed at its end. It holds files shared between tests.
    static let root: String = {
        atexit { try? FileManager.default.removeItem(atPath: Scratch.root) }
        return NSTemporaryDirectory() + "clairo-tests-\(ProcessInfo.processInfo.processIdentifier)"
    }()

    public init() throws {
        url = URL(fileURLWithPath: Self.root).appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        for cleanup in cleanups.withLock({ $0 }).reversed() { cleanup() }
        try? FileManager.default.removeItem(at: url)
    }

    public func onCleanup(_ body: @escaping @Sendable () -> Void) { cleanups.withLock { $0.append(body) } }

    public var path: String { url.path }

    /// The path of `name` in the folder.
    public func path(_ name: String) -> String { url.path + "/" + name }

    public func url(_ name: String) -> URL { URL(fileURLWithPath: path(name)) }

    /// Writes a file and returns its path.
    @discardableResult
    public func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: url(name))
        return path(name)
    }
}

/// Identifies a version of a file: the same inode and modification time mean that it was not rewritten.
public struct FileIdentity: Hashable, Sendable {
    public var inode: UInt64
    public var modified: Date
    public var bytes: Int64
}

/// All regular files below a folder, by relative path.
public func files(below folder: String) -> [String: FileIdentity] {
    var found: [String: FileIdentity] = [:]
    guard let names = FileManager.default.enumerator(atPath: folder) else { return found }
    for case let name as String in names {
        guard let attributes = try? FileManager.default.attributesOfItem(atPath: folder + "/" + name),
            attributes[.type] as? FileAttributeType == .typeRegular,
            let inode = attributes[.systemFileNumber] as? NSNumber,
            let modified = attributes[.modificationDate] as? Date,
            let bytes = attributes[.size] as? NSNumber
        else { continue }
        found[name] = FileIdentity(inode: inode.uint64Value, modified: modified, bytes: bytes.int64Value)
    }
    return found
}

/// The contents of all regular files below a folder, by relative path.
public func contents(below folder: String) throws -> [String: Data] {
    var contents: [String: Data] = [:]
    for name in files(below: folder).keys {
        contents[name] = try Data(contentsOf: URL(fileURLWithPath: folder + "/" + name))
    }
    return contents
}
