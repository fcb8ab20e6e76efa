public import Foundation
internal import Glibc

/// Local files by their path as `SystemText`. Foundation's functions cannot open a path that is not UTF-8.
public enum SystemFile {
    /// The content of a file, a pipe or a device; nil if it cannot be read.
    /// - Parameter limit: The maximum number of bytes to read.
    public static func contents(_ path: String, limit: Int = .max) -> Data? {
        let descriptor = SystemText.withCString(path) { open($0, O_RDONLY | O_CLOEXEC) }
        guard descriptor >= 0 else { return nil }
        let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
        // An empty file gives nil.
        do { return try handle.read(upToCount: limit) ?? Data() } catch { return nil }
    }

    /// Whether this process may read the file.
    public static func isReadable(_ path: String) -> Bool { SystemText.withCString(path) { access($0, R_OK) } == 0 }

    /// Whether users other than the owner may access the file; false if it does not exist.
    public static func isShared(_ path: String) -> Bool { status(path).map { $0.st_mode & 0o077 != 0 } ?? false }

    /// Whether the path names anything.
    public static func exists(_ path: String) -> Bool { status(path) != nil }

    /// Whether the path names a folder, or a link to one.
    public static func isFolder(_ path: String) -> Bool { status(path).map { $0.st_mode & S_IFMT == S_IFDIR } ?? false }

    /// stat(2); nil sets `errno`.
    static func status(_ path: String) -> stat? {
        var status = stat()
        return SystemText.withCString(path) { stat($0, &status) } == 0 ? status : nil
    }

    /// Creates a folder and the folders above it, unless it exists.
    /// - Returns: Whether it exists now; otherwise, `errno` is set.
    public static func makeFolder(_ path: String) -> Bool {
        if isFolder(path) { return true }
        let parent = (path as NSString).deletingLastPathComponent
        if !parent.isEmpty, parent != path, !makeFolder(parent) { return false }
        if SystemText.withCString(path, { mkdir($0, 0o777) }) == 0 { return true }
        // Another process may have created it meanwhile.
        let code = errno
        if code == EEXIST, isFolder(path) { return true }
        errno = code == EEXIST ? ENOTDIR : code
        return false
    }

    /// The path from the root, with single slashes and none at its end.
    ///
    /// Several slashes mean the same as one on Linux, but not in a URL, where a host follows two, nor in a comparison of
    /// paths.
    public static func absolute(_ path: String) -> String {
        // By bytes, because a combining character after a slash would hide it.
        let slash = UInt8(ascii: "/")
        let whole = path.utf8.first == slash ? path : currentFolder + "/" + path
        return "/" + whole.utf8.split(separator: slash).map { String(Substring($0)) }.joined(separator: "/")
    }

    private static var currentFolder: String {
        guard let buffer = getcwd(nil, 0) else { return "" }
        defer { free(buffer) }
        return SystemText.string(UnsafePointer(buffer))
    }

    /// The path without symbolic links, or the absolute path if it names nothing.
    public static func resolved(_ path: String) -> String {
        guard let buffer = SystemText.withCString(path, { realpath($0, nil) }) else { return absolute(path) }
        defer { free(buffer) }
        return SystemText.string(UnsafePointer(buffer))
    }
}
