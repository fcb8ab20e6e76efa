import ClairoCore
import ClairoTestSupport
import Foundation
import Glibc
import Testing

@testable import ClairoStorage

@Suite struct DirectoryStoreTests {
    private static func files(_ folder: URL) -> [String] {
        (FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []).sorted()
    }

    private static func failure(_ body: () throws -> Void) -> ClairoError? {
        do {
            try body()
            return nil
        } catch { return error as? ClairoError }
    }

    @Test func theFolderIsCreatedWithTheFirstObject() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder.appending(path: "a/b"))
            #expect(try store.list(prefix: "").isEmpty)
            #expect(try store.size(of: "x") == nil)
            #expect(Self.files(folder) == [])
            try store.put(Data([1]), at: "c/x")
            #expect(Self.files(folder) == ["a", "a/b", "a/b/c", "a/b/c/x"])
        }
    }

    @Test func anUnfinishedObjectIsHiddenAndDeletedAfterAnError() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            #expect(throws: ClairoError.cancelled) {
                try store.put(at: "v/x.mp4") { write in
                    try write(Data([1, 2, 3]))
                    let names = Self.files(folder).filter { $0 != "v" }
                    #expect(names.count == 1)
                    #expect(names.first?.hasPrefix("v/.partial-x.mp4-") == true)
                    throw ClairoError.cancelled
                }
            }
            #expect(Self.files(folder).filter { $0 != "v" }.isEmpty)
        }
    }

    @Test func leftoversOfAKilledWriterAreInvisibleAndCanBeRemoved() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            try store.put(Data([1]), at: "v/1")
            try Data([2]).write(to: folder.appending(path: "v/.partial-2-6F9619FF-8B86-D011-B42D-00C04FC964FF"))
            try Data([2]).write(to: folder.appending(path: ".partial-3-6F9619FF-8B86-D011-B42D-00C04FC964FF"))
            try Data([2]).write(to: folder.appending(path: ".partial-download"))
            #expect(try store.list(prefix: "") == ["v/1"])
            try store.removePartialObjects()
            // A foreign file with a similar name is kept.
            #expect(Self.files(folder) == [".partial-download", "v", "v/1"])
            try DirectoryStore(root: folder.appending(path: "none")).removePartialObjects()
        }
    }

    @Test func leftoversAreRemovedByPrefixAndAge() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            let name = ".partial-2-6F9619FF-8B86-D011-B42D-00C04FC964FF"
            for place in ["v/1/deep", "v/2"] {
                let parent = folder.appending(path: place)
                try FileManager.default.createDirectory(at: parent, withIntermediateDirectories: true)
                try Data([1, 2, 3]).write(to: parent.appending(path: name))
            }
            let unrecorded = folder.appending(path: ".uploads/6f9619ff-8b86-d011-b42d-00c04fc964ff")
            try FileManager.default.createDirectory(at: unrecorded, withIntermediateDirectories: true)
            _ = try store.beginUpload(at: "v/3", partSize: 5 << 20)
            #expect(try store.removePartialObjects(olderThanSeconds: 3600).objects == 0)
            let all = try store.removePartialObjects(isDryRun: true)
            #expect(all == StoreUsage(objects: 3, bytes: 6))
            #expect(try store.removePartialObjects(prefix: "v/1/") == StoreUsage(objects: 1, bytes: 3))
            #expect(!FileManager.default.fileExists(atPath: folder.path + "/v/1"), "nor its empty folders")
            #expect(try store.removePartialObjects() == StoreUsage(objects: 2, bytes: 3))
            #expect(!FileManager.default.fileExists(atPath: unrecorded.path))
            #expect(try store.openUploads(prefix: "").count == 1)
            #expect(try store.removePartialObjects(prefix: "../").objects == 0)
        }
    }

    @Test func aWriterWhosePartialFileWasRemovedMayTryAgain() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            let failure = Self.failure {
                try store.put(at: "v/x") { write in
                    try write(Data([1]))
                    #expect(try store.removePartialObjects().objects == 1)
                }
            }
            #expect(failure?.kind == .transient, "\(String(describing: failure))")
            try store.put(Data([1]), at: "v/x")
            #expect(try store.get("v/x") == Data([1]))
        }
    }

    @Test(arguments: ["../x", "a/../x", "/etc/x", "", "/", "a//b", "a/", ".", "..", "a/.", "a\u{0}b"])
    func aKeyThatIsNotAPlainPathIsRefused(key: String) throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder.appending(path: "out"))
            let key = ObjectKey(key)
            #expect(Self.failure { try store.put(Data([1]), at: key) }?.kind == .defect)
            #expect(Self.failure { try store.put(at: key) { _ in } }?.kind == .defect)
            #expect(Self.failure { _ = try store.get(key) }?.kind == .defect)
            #expect(Self.failure { _ = try store.open(key) }?.kind == .defect)
            #expect(Self.failure { _ = try store.size(of: key) }?.kind == .defect)
            #expect(Self.failure { try store.delete(key) }?.kind == .defect)
            #expect(Self.files(folder) == [])
        }
    }

    @Test func emptyFoldersAreRemovedWithTheirLastObject() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            try store.put(Data(), at: "a/b/c")
            try store.put(Data(), at: "a/d")
            try store.delete("a/b/c")
            #expect(Self.files(folder) == ["a", "a/d"])
            try store.delete("a/d")
            #expect(Self.files(folder) == [])
            #expect(FileManager.default.fileExists(atPath: folder.path))
        }
    }

    @Test func anObjectBelowAFileCannotBeCreated() throws {
        try withFolder { folder in
            try Data([1]).write(to: folder.appending(path: "out"))
            for key: ObjectKey in ["x", "v/x", "v/w/x"] {
                let error = Self.failure {
                    try DirectoryStore(root: folder.appending(path: "out")).put(Data(), at: key)
                }
                #expect(error?.exitCode == .cannotCreate)
                #expect(error?.message.contains("out") == true)
            }
            #expect(try Data(contentsOf: folder.appending(path: "out")) == Data([1]))
        }
    }

    @Test func anObjectInPlaceOfAFolderCannotBeCreated() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            try store.put(Data([1]), at: "v/x")
            #expect(Self.failure { try store.put(Data(), at: "v") }?.exitCode == .cannotCreate)
            #expect(Self.files(folder) == ["v", "v/x"])
        }
    }

    @Test func anUnwritableFolderIsAPermissionError() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            try store.put(Data([1]), at: "x")
            chmod(folder.path, 0o555)
            defer { chmod(folder.path, 0o755) }
            try Unprivileged.onThisThread { () throws in
                #expect(Self.failure { try store.put(Data(), at: "y") }?.exitCode == .noPermission)
                #expect(Self.failure { try store.put(Data(), at: "v/y") }?.exitCode == .noPermission)
                #expect(Self.failure { try store.delete("x") }?.exitCode == .noPermission)
                #expect(try store.get("x") == Data([1]))
            }
        }
    }

    /// Without root's rights, whose file accesses are never denied.
    @Test func aFolderThatDeniesAccessRefuses() throws {
        try withFolder { folder in
            let store = DirectoryStore(root: folder)
            try store.put(Data([1]), at: "x")
            chmod(folder.appending(path: "x").path, 0)
            chmod(folder.path, 0o555)
            defer { chmod(folder.path, 0o755) }
            Unprivileged.onThisThread {
                for error in [
                    Self.failure { try store.put(Data(), at: "y") }, Self.failure { _ = try store.get("x") },
                    Self.failure { _ = try store.open("x") }, Self.failure { try store.delete("x") },
                ] {
                    #expect(error?.kind == .refused && error?.exitCode == .noPermission, "\(String(describing: error))")
                }
                // A file that a user named is an error of the call.
                let path = folder.appending(path: "x").path
                #expect(Self.failure { _ = try FileByteSource(path: path) }?.kind == .usage)
            }
        }
    }

    @Test func errorsHaveTheKindOfTheirCause() {
        for (code, kind, exit) in [
            (EACCES, ClairoError.Kind.refused, ClairoError.ExitCode.noPermission), (EPERM, .refused, .noPermission),
            (EROFS, .refused, .cannotCreate), (ENOENT, .refused, .cannotCreate), (ENOSPC, .capacity, .inputOutput),
            (EDQUOT, .capacity, .inputOutput), (EMFILE, .capacity, .temporary), (EIO, .transient, .inputOutput),
            (ESTALE, .transient, .inputOutput),
        ] {
            let error = fileError("Cannot write x", code, reading: false)
            #expect(error.kind == kind && error.exitCode == exit, "\(error)")
        }
    }

    @Test func aDeletedSourceDiffersFromAStoreThatIsNotMounted() throws {
        try withFolder { folder in
            let root = folder.appending(path: "raw")
            let store = DirectoryStore(root: root)
            let (first, second) = (VideoID.make(), VideoID.make())
            for id in [first, second] { try store.put(Data([1]), at: OutputLayout.source(of: id)) }
            let place = store.location(of: OutputLayout.source(of: first))
            #expect(try DirectoryStore.openSource(place).size == 1)
            try store.delete(OutputLayout.source(of: first))
            let deleted = Self.failure { _ = try DirectoryStore.openSource(place) }
            #expect(deleted?.kind == .usage && deleted?.exitCode == .noInput)
            try FileManager.default.moveItem(at: root, to: folder.appending(path: "elsewhere"))
            for isEmpty in [false, true] {
                // A mount point without its disk is an empty folder.
                if isEmpty { try FileManager.default.createDirectory(at: root, withIntermediateDirectories: true) }
                let error = Self.failure { _ = try DirectoryStore.openSource(place) }
                #expect(error?.kind == .refused && error?.exitCode == .configuration, "\(String(describing: error))")
            }
        }
    }

    @Test func rootCannotWriteToAKernelFileSystem() {
        let error = Self.failure { try DirectoryStore(root: URL(filePath: "/proc/clairo")).put(Data(), at: "x") }
        #expect([.cannotCreate, .noPermission].contains(error?.exitCode))
    }

    @Test func writersOfOneKeyDoNotDisturbEachOther() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "clairo-storage-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = DirectoryStore(root: folder)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for value in UInt8(0)..<16 {
                group.addTask {
                    for _ in 0..<10 { try store.put(Data(repeating: value, count: 5000), at: "v/x") }
                }
            }
            try await group.waitForAll()
        }
        let data = try store.get("v/x")
        #expect(data.count == 5000)
        #expect(Set(data).count == 1)
        #expect(Self.files(folder) == ["v", "v/x"])
    }
}

@Suite struct FileByteSourceTests {
    private static func read(_ source: FileByteSource, at offset: Int64, count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let read = try bytes.withUnsafeMutableBytes { try source.read(at: offset, into: $0) }
        return Array(bytes.prefix(read))
    }

    private static func code(opening path: String) -> ClairoError.ExitCode? {
        do {
            _ = try FileByteSource(path: path)
            return nil
        } catch { return error.exitCode }
    }

    @Test func aFileIsReadAtAnyOffset() throws {
        try withFolder { folder in
            let path = folder.appending(path: "a b ü.bin").path
            try Data(0..<100).write(to: URL(filePath: path))
            let source = try FileByteSource(path: path)
            #expect(source.size == 100)
            #expect(try Self.read(source, at: 10, count: 5) == [10, 11, 12, 13, 14])
            #expect(try Self.read(source, at: 95, count: 50) == [95, 96, 97, 98, 99])
            #expect(try Self.read(source, at: 0, count: 2) == [0, 1])
            #expect(try Self.read(source, at: 100, count: 5).isEmpty)
            #expect(try Self.read(source, at: .max - 10, count: 5).isEmpty)
            #expect(throws: ClairoError.self) { try Self.read(source, at: -1, count: 5) }
        }
    }

    @Test func anEmptyFileHasNoBytes() throws {
        try withFolder { folder in
            let path = folder.appending(path: "empty").path
            try Data().write(to: URL(filePath: path))
            let source = try FileByteSource(path: path)
            #expect(source.size == 0)
            #expect(try Self.read(source, at: 0, count: 5).isEmpty)
        }
    }

    @Test func anOpenFileStaysReadableAfterItIsRemoved() throws {
        try withFolder { folder in
            let path = folder.appending(path: "x").path
            try Data([7]).write(to: URL(filePath: path))
            let source = try FileByteSource(path: path)
            unlink(path)
            #expect(try Self.read(source, at: 0, count: 1) == [7])
        }
    }

    @Test func aPathWithoutARegularFileIsANoInputError() throws {
        try withFolder { folder in
            let pipe = folder.appending(path: "pipe").path
            mkfifo(pipe, 0o600)
            let long = folder.path + "/" + String(repeating: "x", count: 300)
            let paths = [
                folder.path, folder.path + "/none", folder.path + "/none/x", "/dev/null/x", "/dev/null", "/dev/zero",
                pipe,
                long, "",
            ]
            for path in paths { #expect(Self.code(opening: path) == .noInput, "\(path)") }
        }
    }

    @Test func anUnreadableFileIsAPermissionError() throws {
        try withFolder { folder in
            let path = folder.appending(path: "x").path
            try Data([7]).write(to: URL(filePath: path))
            chmod(path, 0)
            Unprivileged.onThisThread { #expect(Self.code(opening: path) == .noPermission) }
        }
    }
}

@Suite struct DirectoryUploadTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    @Test func anInterruptedCompletionCanBeRepeated() throws {
        let store = DirectoryStore(root: scratch.url)
        let upload = try store.beginUpload(at: "a/b", partSize: 4)
        let parts = [
            try store.putPart(Data("abcd".utf8), number: 1, of: upload),
            try store.putPart(Data("e".utf8), number: 2, of: upload),
        ]
        try FileManager.default.createDirectory(at: scratch.url("a"), withIntermediateDirectories: true)
        try FileManager.default.moveItem(
            at: scratch.url(".uploads/\(upload.id)/data"), to: scratch.url("a/b"))
        #expect(try store.complete(upload, parts: parts).size == 5)
        #expect(try store.get("a/b") == Data("abcde".utf8))
        #expect(try store.openUploads(prefix: "").isEmpty)
    }
}
