import ClairoCore
import Foundation
import Testing

/// Files of lines, as editors of every system write them.
@Suite struct TextLinesTests {
    private func lines(_ bytes: some Sequence<UInt8>) throws -> [String] {
        try TextLines.split(Data(bytes), name: "The file f")
    }

    @Test(arguments: [
        ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\r\n", ["a"]), ("a\r", ["a"]), ("\n", [""]), ("\r\n\r\n", ["", ""]),
        ("a\nb\r\nc\rd", ["a", "b", "c", "d"]), ("a\n\rb", ["a", "", "b"]), (" a \n", [" a "]),
        ("# security\r\nsecurity.protocol=SSL\r\n", ["# security", "security.protocol=SSL"]),
        ("Schlüssel=🎬\r\n", ["Schlüssel=🎬"]), ("a\u{2028}b\u{0B}c", ["a\u{2028}b\u{0B}c"]),
    ])
    func aLineEndsWithLFOrCRLFOrCR(text: String, expected: [String]) throws {
        #expect(try lines(text.utf8) == expected)
        #expect(try lines([0xEF, 0xBB, 0xBF] + text.utf8) == expected, "with a byte order mark")
    }

    @Test(arguments: [
        Array("a\nsecret\u{0}\n".utf8), Array("a\n".utf8) + [0x73, 0xFF], Array("a\n".utf8) + [0xC3],
    ])
    func bytesThatAreNotTextAreAnErrorThatNamesTheLine(bytes: [UInt8]) throws {
        let error = try #require(throws: ClairoError.self) { try lines(bytes) }
        #expect(error.exitCode == .configuration)
        #expect(error.message == "The file f is not text in UTF-8: line 2")
    }

    /// As Notepad writes it with the encoding "Unicode".
    @Test func utf16IsRefused() throws {
        let error = try #require(throws: ClairoError.self) { try lines([0xFF, 0xFE, 0x61, 0, 0x0D, 0, 0x0A, 0]) }
        #expect(error.advice == "Save it as UTF-8.")
    }

    @Test func aFileIsReadUpToALimit() throws {
        #expect(try lines(Array(repeating: 0x61, count: TextLines.largestFile)).count == 1)
        let error = try #require(throws: ClairoError.self) {
            try lines(Array(repeating: 0x61, count: TextLines.largestFile + 1))
        }
        #expect(error.message == "The file f is larger than 1 MiB")
        // Without an end.
        let endless = try #require(throws: ClairoError.self) { try TextLines.read("/dev/zero", kind: "token file") }
        #expect(endless.message == "The token file /dev/zero is larger than 1 MiB")
    }

    @Test func theNameOfTheFileMayBeAnyBytes() throws {
        let path = SystemText.string(Array("/tmp/clairo-lines-\(UUID())-".utf8) + [0xE9])
        let descriptor = SystemText.withCString(path) { open($0, O_CREAT | O_WRONLY | O_CLOEXEC, 0o640) }
        defer { _ = SystemText.withCString(path) { unlink($0) } }
        try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).write(contentsOf: Data("secret\n".utf8))
        #expect(try TextLines.secret(in: path, kind: "file") == "secret")
        #expect(SystemFile.isShared(path))
    }

    @Test(arguments: ["/no/such/file", "/"])
    func aFileThatCannotBeReadIsAConfigurationError(path: String) throws {
        let error = try #require(throws: ClairoError.self) { try TextLines.read(path, kind: "token file") }
        #expect(error.exitCode == .configuration)
        #expect(error.message == "The token file \(path) cannot be read")
    }

    @Test(arguments: [
        ("secret", "secret"), ("secret\n", "secret"), ("secret\r\n", "secret"), ("\nsecret\n\n", "secret"),
        ("\u{FEFF}two words \r\n", "two words "), ("", nil), ("\r\n", nil), ("one\ntwo\n", nil),
    ])
    func aSecretIsTheOnlyLineOfItsFile(content: String, secret: String?) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "clairo-lines-\(UUID())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let file = folder.appending(path: "secret")
        try Data(content.utf8).write(to: file)
        if let secret {
            #expect(try TextLines.secret(in: file.path, kind: "file") == secret)
        } else {
            let error = try #require(throws: ClairoError.self) {
                try TextLines.secret(in: file.path, kind: "file")
            }
            #expect(error.exitCode == .configuration)
            #expect(!error.description.contains("two"))
        }
    }
}
