internal import CLinux
internal import Glibc

/// Text of the operating system as a `String`: arguments, environment variables and names of files.
///
/// On Linux, such text is any bytes except NUL, and Swift's own functions replace what is not UTF-8. Then a file with
/// such a name cannot be opened. Here, each byte outside of valid UTF-8 becomes one scalar of a private range, and
/// `withCString` turns it back into the byte. So a path is a `String` everywhere between the command line and the
/// system call.
///
/// Users and other programs get `repaired` text, with U+FFFD. `ClairoError` and the output of commands repair by
/// themselves; names that are recorded are repaired where they are taken from a path.
public enum SystemText {
    /// The byte 0x80 is U+10FE80, 0xFF is U+10FEFF: the end of the last private plane, where text has nothing.
    private static let base: UInt32 = 0x10FE00
    private static let escapes: ClosedRange<UInt32> = base + 0x80...base + 0xFF

    /// Converts bytes of the system. The conversion is exact: each of an escape's own bytes is escaped too.
    public static func string(_ bytes: [UInt8]) -> String {
        if let text = String(validating: bytes, as: UTF8.self), !hasEscapes(text) { return text }
        var text = String.UnicodeScalarView()
        func escape(_ bytes: some Sequence<UInt8>) {
            for byte in bytes {
                // Parts of an escape's own encoding are 0x80 or more, like every byte that is not valid UTF-8.
                if let scalar = Unicode.Scalar(base + UInt32(byte)) { text.append(scalar) }
            }
        }
        var parser = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        var index = 0
        while true {
            switch parser.parseScalar(from: &input) {
            case .valid(let encoded):
                let scalar = Unicode.UTF8.decode(encoded)
                if escapes.contains(scalar.value) { escape(encoded) } else { text.append(scalar) }
                index += encoded.count
            case .error(let length):
                escape(bytes[index..<index + length])
                index += length
            case .emptyInput: return String(text)
            }
        }
    }

    /// The bytes for the system.
    public static func bytes(_ text: String) -> [UInt8] {
        guard hasEscapes(text) else { return Array(text.utf8) }
        return text.unicodeScalars.flatMap { scalar in
            escapes.contains(scalar.value) ? [UInt8(scalar.value - base)] : Array(UTF8.encode(scalar) ?? .init())
        }
    }

    /// Calls `body` with the bytes for the system and a NUL after them.
    public static func withCString<R>(_ text: String, _ body: (UnsafePointer<CChar>) throws -> R) rethrows -> R {
        guard hasEscapes(text) else { return try text.withCString(body) }
        let characters = (bytes(text) + [0]).map { CChar(bitPattern: $0) }
        return try characters.withUnsafeBufferPointer { buffer in
            guard let address = buffer.baseAddress else { return try "".withCString(body) }
            return try body(address)
        }
    }

    /// The text for users and other programs: what is not UTF-8 is replaced by U+FFFD.
    public static func repaired(_ text: String) -> String {
        hasEscapes(text) ? String(decoding: bytes(text), as: UTF8.self) : text
    }

    private static func hasEscapes(_ text: String) -> Bool {
        // The first byte of U+100000 and later.
        text.utf8.contains(0xF4) && text.unicodeScalars.contains { escapes.contains($0.value) }
    }

    // MARK: This process

    /// The arguments of this process, with the program's name first.
    public static var arguments: [String] {
        (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0].map { string(bytes(of: $0)) } }
    }

    /// The environment variables of this process.
    public static var environment: [String: String] {
        var variables: [String: String] = [:]
        var next = clairo_environment()
        while let entry = next?.pointee {
            let bytes = bytes(of: entry)
            if let end = bytes.firstIndex(of: UInt8(ascii: "=")) {
                let name = string(Array(bytes[..<end]))
                // As getenv(3), which finds the first of two variables with the same name.
                if variables[name] == nil { variables[name] = string(Array(bytes[(end + 1)...])) }
            }
            next = next?.advanced(by: 1)
        }
        return variables
    }

    /// Converts a C string of the system.
    public static func string(_ pointer: UnsafePointer<CChar>) -> String { string(bytes(of: pointer)) }

    private static func bytes(of pointer: UnsafePointer<CChar>) -> [UInt8] {
        UnsafeBufferPointer(start: pointer, count: strlen(pointer)).map { UInt8(bitPattern: $0) }
    }
}
