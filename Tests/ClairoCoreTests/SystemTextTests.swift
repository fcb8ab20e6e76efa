import ClairoCore
import Foundation
import Testing

/// Names of files are bytes. They stay the same bytes between the command line and the system.
@Suite struct SystemTextTests {
    static let latin1 = Array("caf".utf8) + [0xE9] + Array(".mp4".utf8)

    @Test(arguments: [
        Array("café 日本 🎬.mp4".utf8), latin1, [], [0xFF], [0x80, 0x81], [0xC3], [0xE2, 0x82], [0xED, 0xA0, 0x80],
        [0xF4, 0x90, 0x80, 0x80], [0xC0, 0xAF], [UInt8](0x80...0xFF),
        // The encoding of an escape itself, in valid UTF-8.
        Array("\u{10FEE9}\u{10FE80}\u{10FF00}".utf8),
    ])
    func everyNameGivesItsOwnBytesBack(bytes: [UInt8]) {
        let text = SystemText.string(bytes)
        #expect(SystemText.bytes(text) == bytes)
        SystemText.withCString(text) { pointer in
            #expect(UnsafeBufferPointer(start: pointer, count: bytes.count).map { UInt8(bitPattern: $0) } == bytes)
            #expect(pointer[bytes.count] == 0)
        }
    }

    @Test func differentNamesGiveDifferentTexts() {
        #expect(SystemText.string([0xE9]) != SystemText.string([0xE8]))
        #expect(SystemText.string([0xE9]) != SystemText.string(Array("\u{10FEE9}".utf8)))
    }

    @Test func textThatIsUTF8IsUnchanged() {
        #expect(SystemText.string(Array("Zürich/日本.mp4".utf8)) == "Zürich/日本.mp4")
        #expect(SystemText.repaired("Zürich/日本.mp4") == "Zürich/日本.mp4")
    }

    @Test func repairedTextIsWhatOtherProgramsShow() {
        #expect(SystemText.repaired(SystemText.string(Self.latin1)) == "caf\u{FFFD}.mp4")
        #expect(
            ClairoError.noInput("Cannot read \(SystemText.string(Self.latin1))").message
                == "Cannot read caf\u{FFFD}.mp4")
    }

    @Test func theArgumentsAndVariablesOfThisProcessAreTheUsualOnes() {
        #expect(SystemText.arguments == CommandLine.arguments)
        #expect(SystemText.environment["PATH"] == ProcessInfo.processInfo.environment["PATH"])
    }

    // MARK: Files

    @Test func aFileIsReadUnderAnyName() throws {
        let folder = NSTemporaryDirectory() + "clairo-system-text-\(UUID().uuidString)"
        let inner = folder + "/" + SystemText.string([0xFE]) + "/x"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        #expect(!SystemFile.exists(inner))
        #expect(SystemFile.makeFolder(inner))
        #expect(SystemFile.makeFolder(inner))
        #expect(SystemFile.isFolder(inner))
        let file = inner + "/" + SystemText.string(Self.latin1)
        let descriptor = SystemText.withCString(file) { open($0, O_CREAT | O_WRONLY | O_CLOEXEC, 0o600) }
        try #require(descriptor >= 0)
        _ = write(descriptor, "abc", 3)
        close(descriptor)
        #expect(SystemFile.contents(file) == Data("abc".utf8))
        #expect(SystemFile.contents(file, limit: 2) == Data("ab".utf8))
        #expect(SystemFile.isReadable(file) && !SystemFile.isFolder(file))
        #expect(SystemFile.resolved(inner + "/../x/./" + SystemText.string(Self.latin1)) == SystemFile.resolved(file))
        #expect(SystemFile.contents(folder + "/none") == nil)
        #expect(!SystemFile.makeFolder(file))
        // FileManager cannot remove it.
        SystemText.withCString(file) { _ = unlink($0) }
        for path in [inner, folder + "/" + SystemText.string([0xFE])] { SystemText.withCString(path) { _ = rmdir($0) } }
        #expect(!SystemFile.exists(inner))
    }

    @Test(arguments: [
        ("/", "/"), ("//", "/"), ("//srv/x", "/srv/x"), ("///srv//x/", "/srv/x"), ("/srv/x", "/srv/x"),
        ("//.local/share", "/.local/share"), ("/\u{301}/x", "/\u{301}/x"),
    ])
    func anAbsolutePathHasSingleSlashes(path: String, absolute: String) {
        #expect(SystemFile.absolute(path) == absolute)
    }

    @Test func aRelativePathBeginsInTheCurrentFolder() {
        #expect(SystemFile.absolute("a/b") == FileManager.default.currentDirectoryPath + "/a/b")
    }
}
