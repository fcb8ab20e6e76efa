import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// What commands may do with an output's destination.
@Suite(.sharesMachine) struct OutputDestinationTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func transcode(_ source: URL, _ more: String...) async throws -> ChildProcess.Outcome {
        try await ClairoProcess.run(
            arguments: ["transcode", source.path, "-o", scratch.path("out"), "--preset", "ultrafast"] + more)
    }

    @Test func aFinishedOutputIsNotOverwritten() async throws {
        let source = try await Clip(seconds: 1).make()
        #expect(try await transcode(source).status == 0)
        let before = files(below: scratch.path("out"))
        let again = try await transcode(source)
        #expect(again.status == 73)
        #expect(again.errors.contains("--force"))
        let other = try await transcode(Clip(seconds: 2).make())
        #expect(other.status == 73)
        #expect(files(below: scratch.path("out")) == before)
    }

    @Test func forceReplacesTheWholeOutput() async throws {
        #expect(try await transcode(Clip(seconds: 5).make(), "--segment-seconds", "2").status == 0)
        let old = Set(files(below: scratch.path("out")).keys)
        #expect(try await transcode(Clip(seconds: 1).make(), "--force", "--format", "hls").status == 0)
        let new = Set(files(below: scratch.path("out")).keys)
        #expect(new.isStrictSubset(of: old))
        #expect(!new.contains("manifest.mpd") && !new.contains("video/180p/00002.m4s"))
        #expect(try await ClairoProcess.run("verify", scratch.path("out")).status == 0)
    }

    @Test func aForeignFolderIsRefusedAndNotChanged() async throws {
        try FileManager.default.createDirectory(atPath: scratch.path("out/video"), withIntermediateDirectories: true)
        try scratch.write("mine", to: "out/video/diary.txt")
        let outcome = try await transcode(Clip(seconds: 1).make())
        #expect(outcome.status == 73)
        #expect(outcome.errors.contains("diary.txt"))
        #expect(Array(files(below: scratch.path("out")).keys) == ["video/diary.txt"])
    }

    @Test func forceKeepsForeignFiles() async throws {
        try FileManager.default.createDirectory(atPath: scratch.path("out/notes"), withIntermediateDirectories: true)
        try scratch.write("mine", to: "out/notes/diary.txt")
        try scratch.write("mine", to: "out/README.txt")
        #expect(try await transcode(Clip(seconds: 1).make(), "--force").status == 0)
        #expect(FileManager.default.fileExists(atPath: scratch.path("out/notes/diary.txt")))
        #expect(FileManager.default.fileExists(atPath: scratch.path("out/README.txt")))
    }

    @Test func anUnreadableManifestIsNotDeletedWithoutForce() async throws {
        try FileManager.default.createDirectory(atPath: scratch.path("out"), withIntermediateDirectories: true)
        try scratch.write("{", to: "out/clairo.json")
        #expect(try await transcode(Clip(seconds: 1).make()).status == 73)
        #expect(try String(contentsOfFile: scratch.path("out/clairo.json"), encoding: .utf8) == "{")
        #expect(try await transcode(Clip(seconds: 1).make(), "--force").status == 0)
    }

    @Test func anEmptyFolderIsAccepted() async throws {
        try FileManager.default.createDirectory(atPath: scratch.path("out"), withIntermediateDirectories: true)
        #expect(try await transcode(Clip(seconds: 1).make()).status == 0)
    }

    @Test func twoRunsProduceTheSameBytes() async throws {
        let source = try await Clip(seconds: 3).make()
        #expect(try await transcode(source).status == 0)
        let first = try contents(below: scratch.path("out"))
        #expect(try await transcode(source, "--force", "--jobs", "3", "--memory", "4G").status == 0)
        #expect(try contents(below: scratch.path("out")) == first)
    }

    @Test func aRefusedSourceCreatesNoFolder() async throws {
        try scratch.write("not a film", to: "film.mp4")
        #expect(try await transcode(scratch.url("film.mp4")).status == 65)
        #expect(!FileManager.default.fileExists(atPath: scratch.path("out")))
    }
}
