internal import ClairoCore
internal import Glibc

/// System calls with paths as `SystemText`. They return what the calls return, and set `errno`.
enum FileCall {
    static func open(_ path: String, _ flags: Int32, _ mode: mode_t = 0) -> Int32 {
        SystemText.withCString(path) { Glibc.open($0, flags, mode) }
    }

    static func access(_ path: String, _ mode: Int32) -> Int32 {
        SystemText.withCString(path) { Glibc.access($0, mode) }
    }

    static func link(_ path: String, _ target: String) -> Int32 {
        SystemText.withCString(path) { path in SystemText.withCString(target) { Glibc.link(path, $0) } }
    }

    static func rename(_ path: String, _ target: String) -> Int32 {
        SystemText.withCString(path) { path in SystemText.withCString(target) { Glibc.rename(path, $0) } }
    }

    @discardableResult
    static func unlink(_ path: String) -> Int32 { SystemText.withCString(path) { Glibc.unlink($0) } }

    @discardableResult
    static func rmdir(_ path: String) -> Int32 { SystemText.withCString(path) { Glibc.rmdir($0) } }

    static func mkdir(_ path: String, _ mode: mode_t) -> Int32 {
        SystemText.withCString(path) { Glibc.mkdir($0, mode) }
    }

    static func truncate(_ path: String, _ length: off_t) -> Int32 {
        SystemText.withCString(path) { Glibc.truncate($0, length) }
    }

    /// stat(2); nil sets `errno`.
    static func status(of path: String) -> stat? {
        var status = stat()
        return SystemText.withCString(path) { stat($0, &status) } == 0 ? status : nil
    }

    /// lstat(2); nil sets `errno`.
    static func linkStatus(of path: String) -> stat? {
        var status = stat()
        return SystemText.withCString(path) { lstat($0, &status) } == 0 ? status : nil
    }

    /// The names in a folder with what they name, without `.` and `..`. Nil if the folder cannot be read.
    static func entries(_ path: String) -> [(name: String, status: stat)]? {
        guard let directory = SystemText.withCString(path, { opendir($0) }) else { return nil }
        defer { closedir(directory) }
        var entries: [(String, stat)] = []
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: Int(NAME_MAX) + 1) { SystemText.string($0) }
            }
            guard name != ".", name != "..", let status = linkStatus(of: path + "/" + name) else { continue }
            entries.append((name, status))
        }
        return entries
    }
}

extension Timestamp {
    /// The modification time of a file.
    init(modified status: stat) {
        self.init(microseconds: Int64(status.st_mtim.tv_sec) * 1_000_000 + Int64(status.st_mtim.tv_nsec) / 1000)
    }
}
