public import ClairoCore
internal import Foundation
internal import Glibc

/// A local file as a `ByteSource`. Its size is read when it is opened and not again.
public final class FileByteSource: ByteSource {
    private let descriptor: Int32
    /// The size of the file in bytes when it was opened.
    public let size: Int64
    private let path: String
    private let owner: FileOwner

    /// Opens a regular file that a user has named.
    /// - Parameter path: A path as `SystemText`.
    /// - Throws: `noInput` (66) if it does not exist, `noPermission` (77) if it is not readable.
    public convenience init(path: String) throws(ClairoError) { try self.init(path: path, of: .user) }

    init(path: String, of owner: FileOwner) throws(ClairoError) {
        self.path = path
        self.owner = owner
        // Non-blocking: otherwise, opening a named pipe would wait for a writer.
        descriptor = SystemText.withCString(path) { Glibc.open($0, O_RDONLY | O_CLOEXEC | O_NONBLOCK) }
        guard descriptor >= 0 else { throw fileError("Cannot read \(path)", errno, reading: true, of: owner) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw fileError("Cannot read \(path)", code, reading: true, of: owner)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .noInput(
                "\(path) is \(status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "not a regular file")",
                advice: "Use a media file.")
        }
        size = Int64(status.st_size)
    }

    deinit { close(descriptor) }

    public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw fileError("Reading \(path) failed", errno, reading: true, of: owner) }
        }
    }
}

/// Who chose a file's name, and so has to act on an error.
enum FileOwner {
    /// The user of a command.
    case user
    /// A store, whose folder an operator can mend.
    case store
}

/// Maps an `errno` value to an error with an exit code and advice.
func fileError(_ action: String, _ code: Int32, reading: Bool, of owner: FileOwner = .store) -> ClairoError {
    let reason = String(cString: strerror(code))
    let message = "\(action): \(reason)"
    switch code {
    case ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP:
        return reading
            ? .noInput(message, advice: "Check the name.")
            : .refused(message, exitCode: .cannotCreate, advice: "Check the name of the folder.")
    case EACCES, EPERM:
        return owner == .user
            ? .noPermission(message)
            : .refused(message, advice: "Check the owner and the permissions of the store's folder.")
    case EROFS:
        return .refused(
            message, exitCode: .cannotCreate, advice: "Use a folder on a writable file system, or mount it writable.")
    case EISDIR: return .refused(message, exitCode: .cannotCreate)
    case ENOSPC, EDQUOT:
        return ClairoError(
            kind: .capacity, exitCode: .inputOutput, message,
            advice: "Free some space and run the same command again: finished work is kept.")
    case EMFILE, ENFILE: return ClairoError(kind: .capacity, exitCode: .temporary, message)
    default: return .inputOutput(message)
    }
}
