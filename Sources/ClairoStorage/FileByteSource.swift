public import ClairoCore
internal import Foundation
internal import Glibc

/// A local file as a `ByteSource`. Its size is taken once, on opening.
public final class FileByteSource: ByteSource {
    private let descriptor: Int32
    public let size: Int64
    private let path: String

    /// Opens a regular file for reading.
    /// - Throws: `noInput` (66) where there is none, `noPermission` (77) where it may not be read.
    public init(path: String) throws(ClairoError) {
        self.path = path
        // Without waiting: a named pipe would hold the caller until somebody writes to it.
        descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw fileError("Cannot read \(path)", errno, reading: true) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else {
            let code = errno
            close(descriptor)
            throw fileError("Cannot read \(path)", code, reading: true)
        }
        guard status.st_mode & S_IFMT == S_IFREG else {
            close(descriptor)
            throw .noInput(
                "\(path) is \(status.st_mode & S_IFMT == S_IFDIR ? "a folder" : "not a regular file")",
                advice: "Name a media file.")
        }
        size = Int64(status.st_size)
    }

    deinit { close(descriptor) }

    public func read(at offset: Int64, into buffer: UnsafeMutableRawBufferPointer) throws(ClairoError) -> Int {
        while true {
            let count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(offset))
            if count >= 0 { return count }
            if errno != EINTR { throw fileError("Reading \(path) failed", errno, reading: true) }
        }
    }
}

/// Turns `errno` into an error with the right exit code and, where there is one, a way out.
func fileError(_ action: String, _ code: Int32, reading: Bool) -> ClairoError {
    let reason = String(cString: strerror(code))
    let message = "\(action): \(reason)"
    switch code {
    case ENOENT, ENOTDIR, ENAMETOOLONG, ELOOP:
        return reading
            ? .noInput(message, advice: "Check the name.") : .cannotCreate(message, advice: "Check the folder's name.")
    case EACCES, EPERM: return .noPermission(message)
    case EROFS, EISDIR: return .cannotCreate(message)
    case ENOSPC, EDQUOT:
        return ClairoError(
            kind: .capacity, exitCode: .inputOutput, message,
            advice: "Free some space and run the same command again: what is finished is kept.")
    case EMFILE, ENFILE: return ClairoError(kind: .capacity, exitCode: .temporary, message)
    default: return .inputOutput(message)
    }
}
