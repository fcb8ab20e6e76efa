import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoExecutors

/// How workers on one machine determine which of them are alive.
@Suite struct DockerWorkFolderTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func container(of worker: String, name: String = "x") -> ListedContainer {
        ListedContainer(id: "of \(worker)", names: ["/\(name)"], labels: [DockerWorkFolder.workerLabel: worker])
    }

    @Test func aWorkerIsAliveWhileItHoldsItsFolder() throws {
        let one = try DockerWorkFolder(scratch.path("docker"))
        var other: DockerWorkFolder? = try DockerWorkFolder(scratch.path("docker"))
        let its = [container(of: try #require(other).worker)]
        #expect(one.orphans(among: its) == [])
        other = nil
        #expect(one.orphans(among: its) == its)
    }

    @Test func leftoversOfAKilledWorkerAreRemoved() throws {
        let one = try DockerWorkFolder(scratch.path("docker"))
        let other = try DockerWorkFolder(scratch.path("docker"))
        // As after a kill: the files remain, without the lock.
        try FileManager.default.createDirectory(
            atPath: scratch.path("docker/00dead00/clairo-x"), withIntermediateDirectories: true)
        try scratch.write("", to: "docker/00dead00.lock")
        let its = [container(of: "00dead00")]
        #expect(one.orphans(among: its) == its)
        one.tidy()
        let left = Set(try FileManager.default.contentsOfDirectory(atPath: scratch.path("docker")))
        #expect(left == ["id", one.worker, "\(one.worker).lock", other.worker, "\(other.worker).lock"])
    }

    @Test func containersInUseAndForeignContainersAreNotOrphans() throws {
        let folder = try DockerWorkFolder(scratch.path("docker"))
        let used = try folder.enter().name
        let own = container(of: folder.worker, name: used)
        let foreign = [container(of: "../../etc/passwd"), ListedContainer(id: "x", names: [], labels: [:])]
        #expect(folder.orphans(among: foreign + [own]) == [])
        // A container that could not be removed.
        folder.leave(used)
        #expect(folder.orphans(among: foreign + [own]) == [own])
    }

    @Test func workersThatShareAFolderHaveTheSameIdentifier() throws {
        let folders = try (0..<3).map { _ in try DockerWorkFolder(scratch.path("docker")) }
        #expect(Set(folders.map(\.identifier)).count == 1 && Set(folders.map(\.worker)).count == 3)
        #expect(try DockerWorkFolder(scratch.path("other")).identifier != folders[0].identifier)
    }

    @Test func onlyATasksFolderIsAccessibleToOthers() throws {
        let folder = try DockerWorkFolder(scratch.path("docker"))
        let (name, path) = try folder.enter()
        func mode(_ path: String) throws -> Int? {
            try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
        }
        #expect(try mode(path) == 0o755)
        #expect(try mode(scratch.path("docker")) == 0o700)
        #expect(try mode(scratch.path("docker/\(folder.worker)")) == 0o700)
        folder.leave(name)
        #expect(!FileManager.default.fileExists(atPath: path))
    }

    @Test(.enabled(if: getuid() == 0, "needs root")) func aFolderThatCannotBeCreatedIsReported() throws {
        try scratch.write("", to: "file")
        let error = #expect(throws: ClairoError.self) { try DockerWorkFolder(scratch.path("file/docker")) }
        #expect(error?.exitCode == .cannotCreate && error?.advice?.contains("--docker-folder") == true)
    }
}
