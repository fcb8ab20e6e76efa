internal import Foundation
internal import Glibc

/// Attempts of an attacker who controls a task process, to check that each of them fails. Each attempt is a plain
/// system call.
enum Escape {
    /// - Parameter target: The name of an attempt, followed after a colon by its argument (a port or a path).
    /// - Returns: One line for each attempt that does not kill the process: its name, and "done" or the error.
    static func `try`(_ target: String) -> [String] {
        let parts = target.split(separator: ":", maxSplits: 1).map(String.init)
        let (name, argument) = (parts.first ?? "", parts.dropFirst().first ?? "")
        let parent = getppid()
        switch name {
        case "files": return files(parent: parent, folder: argument)
        case "memory": return memory()
        case "code": return code()
        case "tcp": return [line("tcp", connectTCP(UInt16(argument) ?? 0))]
        case "unix": return [line("unix", connectUnix(argument))]
        case "fork":
            // A fork bomb, unless it is limited.
            while true { if call(57, 220, 0) < 0 { return [line("fork", -1)] } }
        case "threads": return [threads()]
        case "disk": return [disk()]
        case "execute":
            let arguments: [UnsafeMutablePointer<CChar>?] = [strdup("true"), nil]
            return [line("execute", Int(execv("/bin/true", arguments)))]
        // Signal 0 needs the same permission as SIGKILL (kill(2)), but does no harm if it is permitted.
        case "killParent": return [line("killParent", Int(kill(parent, 0)))]
        case "killAll": return [line("killAll", Int(kill(-1, 0)))]
        // PTRACE_ATTACH
        case "trace": return [line("trace", call(101, 117, 16, Int(parent)))]
        case "ring": return [line("ring", call(425, 425, 1, 0))]
        case "mount": return [line("mount", Int(mount("none", "/tmp", "tmpfs", 0, nil)))]
        // getpid, by its x32 number.
        case "x32": return [line("x32", call(0x4000_0000 | 39, 172))]
        case "undumpable": return [line("undumpable", call(157, 167, 4, 1))]
        default: return ["\(name) is unknown"]
        }
    }

    private static func line(_ what: String, _ result: Int) -> String {
        let code = errno
        return "\(what): " + (result < 0 ? String(cString: strerror(code)) : "done")
    }

    /// syscall(2), by its number on x86-64 and on 64-bit ARM. It is variadic in C.
    private static func call(_ x86: Int, _ arm: Int, _ first: Int = 0, _ second: Int = 0) -> Int {
        #if arch(x86_64)
            let number = x86
        #else
            let number = arm
        #endif
        typealias Call = @convention(c) (Int, Int, Int, Int, Int, Int, Int) -> Int
        // With SIGCHLD, clone behaves like fork.
        let isFork = number == 220
        return unsafeBitCast(dlsym(nil, "syscall"), to: Call.self)(number, isFork ? 17 : first, second, 0, 0, 0, 0)
    }

    /// Opens private files for reading, and files that could fill a disk for writing.
    private static func files(parent: pid_t, folder: String) -> [String] {
        let read = [
            "/etc/passwd", "/etc/shadow", "/proc/\(parent)/environ", "/proc/\(parent)/mem",
            "/proc/\(parent)/cmdline",
            "/proc/\(parent)/fd/0", "/proc/self/environ", "/", "/dev/null",
        ]
        let write = [
            "\(folder)/new", "/tmp/new", "/dev/shm/new", "/var/tmp/new", "/proc/self/oom_score_adj", "new",
        ]
        return read.map { line("read \($0)", Int(open($0, O_RDONLY | O_CLOEXEC))) }
            + write.map { path in
                let result = line("write \(path)", Int(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)))
                unlink(path)
                return result
            }
            + [
                line("mkdir", Int(mkdir("\(folder)/d", 0o700))), line("unlink", Int(unlink("\(folder)/canary"))),
                line("rename", Int(rename("\(folder)/canary", "\(folder)/taken"))),
                line("chmod", Int(chmod("\(folder)/canary", 0o777))),
                line("symlink", Int(symlink("/etc", "\(folder)/link"))),
            ]
    }

    /// Allocates 100 GB in each way that the kernel accounts separately.
    private static func memory() -> [String] {
        let flags = [
            ("private", MAP_PRIVATE), ("shared", MAP_SHARED), ("growing", MAP_PRIVATE | MAP_GROWSDOWN),
            ("unreserved", MAP_PRIVATE | MAP_NORESERVE), ("huge", MAP_PRIVATE | MAP_HUGETLB),
        ]
        return flags.map { name, flags in
            let address = mmap(nil, 100 << 30, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0)
            return line(name, address == MAP_FAILED ? -1 : 0)
        }
    }

    /// Makes written memory executable.
    private static func code() -> [String] {
        let page = mmap(nil, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        let changed = mprotect(page, 4096, PROT_READ | PROT_EXEC)
        let first = line("change", Int(changed))
        let fresh = mmap(nil, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return [first, line("map", fresh == MAP_FAILED ? -1 : 0)]
    }

    private static func connectTCP(_ port: UInt16) -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return -1 }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Int(connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)))
            }
        }
    }

    private static func connectUnix(_ path: String) -> Int {
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return -1 }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        // A leading @ means an abstract name.
        let name = Array(path.utf8).prefix(107)
        withUnsafeMutableBytes(of: &address.sun_path) { bytes in
            bytes.copyBytes(from: name)
            if name.first == UInt8(ascii: "@") { bytes[0] = 0 }
        }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Int(connect(descriptor, $0, socklen_t(2 + name.count)))
            }
        }
    }

    /// Starts processes that start processes, without end. Use it only in a container.
    static func bomb() -> Never { while true { _ = call(57, 220, 0) } }

    /// Fills every writable place.
    private static func disk() -> String {
        var total = 0
        let piece = [UInt8](repeating: 1, count: 1 << 16)
        for folder in ["/tmp", "/work", "/var/lib/clairo", "/dev/shm", "/dev", "/var/tmp", ""] {
            let descriptor = open("\(folder)/filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { continue }
            while true {
                let count = write(descriptor, piece, piece.count)
                guard count > 0 else { break }
                total += count
            }
        }
        return "disk: \(total) bytes"
    }

    /// Starts threads until it is refused.
    private static func threads() -> String {
        for count in 0..<5000 {
            var thread = pthread_t()
            guard pthread_create(&thread, nil, { _ in while true { pause() } }, nil) == 0 else {
                return "threads: \(count)"
            }
        }
        return "threads: done"
    }
}
