import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// A run that was stopped in any way resumes, and gives the same result as an uninterrupted run.
@Suite(.sharesMachine) struct ResumeTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    /// Ten segments in three rungs and audio: long enough to be stopped midway.
    static let clip = Clip(seconds: 20)
    static let options = ["--heights", "180,144,96", "--segment-seconds", "2", "--preset", "veryfast"]

    private func start(_ source: URL, into folder: String, _ more: String...) throws -> ChildProcess {
        try ClairoProcess.start(
            ["transcode", source.path, "-o", scratch.path(folder)] + Self.options + ["--progress", "json"] + more)
    }

    private static func finished(_ folder: String) -> [String: FileIdentity] {
        files(below: folder).filter { name, _ in
            name.hasSuffix(".m4s") && !(name as NSString).lastPathComponent.hasPrefix(".")
        }
    }

    /// The result of an uninterrupted run, made once.
    private static let unbroken = Task {
        let scratch = try Scratch()
        let outcome = try await ClairoProcess.run(
            arguments: ["transcode", clip.make().path, "-o", scratch.path("out")] + options)
        #expect(outcome.status == 0, "\(outcome)")
        return try contents(below: scratch.path("out"))
    }

    @Test(arguments: [1, 2] as [UInt64])
    func aJobKilledAtAnyMomentResumesWithTheSameResult(seed: UInt64) async throws {
        let source = try await Self.clip.make()
        let expected = try await Self.unbroken.value
        let out = scratch.path("out")
        var generator = SeededGenerator(seed: seed)
        var kills = 0
        // Each round is killed a few finished segments later than the previous one, then twice while playlists and
        // files are written.
        for _ in 0..<5 {
            let before = Self.finished(out)
            let wanted = before.count + Int.random(in: 0...12, using: &generator)
            let process = try start(source, into: "out")
            let wasReached = await process.wait {
                FileManager.default.fileExists(atPath: out + "/clairo.json") && Self.finished(out).count >= wanted
            }
            process.send(SIGKILL)
            let outcome = try await process.outcome()
            if wasReached, outcome.signal == SIGKILL { kills += 1 }
            let after = Self.finished(out)
            for (name, identity) in before { #expect(after[name] == identity, "\(name) was made again") }
            if outcome.status == 0 { break }
        }
        for landmark in ["/mp4/144p.mp4", "/manifest.mpd"]
        where !FileManager.default.fileExists(atPath: out + "/master.m3u8") {
            let process = try start(source, into: "out")
            _ = await process.wait { FileManager.default.fileExists(atPath: out + landmark) }
            process.send(SIGKILL)
            if try await process.outcome().signal == SIGKILL { kills += 1 }
        }
        #expect(kills >= 2)
        let before = Self.finished(out)
        if !FileManager.default.fileExists(atPath: out + "/master.m3u8") {
            let last = try await start(source, into: "out").outcome()
            #expect(last.status == 0, "\(last)")
            #expect(last.errors.contains("Continuing: \(before.count)") || last.errors.contains("Continuing: "))
        }
        let after = Self.finished(out)
        for (name, identity) in before { #expect(after[name] == identity, "\(name) was made again") }
        let made = try contents(below: out)
        #expect(made.keys.sorted() == expected.keys.sorted())
        #expect(made.filter { expected[$0.key] != $0.value }.keys.sorted() == [])
    }

    @Test func theMasterPlaylistIsWrittenLast() async throws {
        let process = try start(try await Self.clip.make(), into: "out")
        let out = scratch.path("out")
        let sawEarlyMaster = await process.wait {
            let hasMaster = FileManager.default.fileExists(atPath: out + "/master.m3u8")
            guard hasMaster, let data = FileManager.default.contents(atPath: out + "/clairo.json"),
                let manifest = try? JSONDecoder().decode(OutputManifest.self, from: data)
            else { return false }
            return manifest.state != .complete
        }
        #expect(!sawEarlyMaster)
        #expect(try await process.outcome().status == 0)
    }

    @Test(arguments: [(SIGINT, Int32(130)), (SIGTERM, Int32(143))])
    func aSignalStopsAJobPromptlyAndItResumes(signal: Int32, status: Int32) async throws {
        let source = try await Self.clip.make()
        let out = scratch.path("out")
        let process = try start(source, into: "out")
        #expect(await process.wait { Self.finished(out).count >= 4 })
        let clock = ContinuousClock()
        let sent = clock.now
        process.send(signal)
        let outcome = try await process.outcome()
        #expect(outcome.status == status, "\(outcome)")
        #expect(outcome.signal == nil)
        // The documented limit of one second applies to an idle machine; concurrent tests leave this one little of it.
        #expect(sent.duration(to: clock.now) < .seconds(10))
        #expect(outcome.errors.contains("Run the same command again"))
        #expect(!FileManager.default.fileExists(atPath: out + "/master.m3u8"))
        let kept = Self.finished(out)
        #expect(kept.count >= 4)
        let again = try await start(source, into: "out").outcome()
        #expect(again.status == 0)
        #expect(again.errors.contains("Continuing"))
        let after = Self.finished(out)
        for (name, identity) in kept { #expect(after[name] == identity, "\(name) was made again") }
        #expect(try contents(below: out) == (await Self.unbroken.value))
    }

    @Test func aSignalStopsTheVerification() async throws {
        let process = try start(try await Self.clip.make(), into: "out")
        let out = scratch.path("out")
        #expect(await process.wait { FileManager.default.fileExists(atPath: out + "/video/96p/playlist.m3u8") })
        process.send(SIGINT)
        let outcome = try await process.outcome()
        #expect([0, 130].contains(outcome.status))
        #expect(FileManager.default.fileExists(atPath: out + "/master.m3u8") == (outcome.status == 0))
    }

    /// Stops a run midway, so that there is something to resume or to discard.
    private func interrupt(_ source: URL) async throws {
        let process = try start(source, into: "out")
        let out = scratch.path("out")
        #expect(await process.wait { Self.finished(out).count >= 3 })
        process.send(SIGKILL)
        #expect(try await process.outcome().signal == SIGKILL)
    }

    @Test func aChangedOptionStartsOverAndReportsIt() async throws {
        let source = try await Self.clip.make()
        try await interrupt(source)
        let kept = Self.finished(scratch.path("out"))
        let outcome = try await start(source, into: "out", "--quality", "30").outcome()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("Starting over: --quality changed"), "\(outcome.errors)")
        let after = Self.finished(scratch.path("out"))
        for (name, identity) in kept { #expect(after[name] != identity, "\(name) was kept") }
    }

    @Test func aChangedSourceStartsOverAndReportsIt() async throws {
        try await interrupt(try await Self.clip.make())
        let other = try await Clip(seconds: 3).make()
        let outcome = try await start(other, into: "out").outcome()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("Starting over: the source has changed"), "\(outcome.errors)")
        #expect(try await ClairoProcess.run("verify", scratch.path("out")).status == 0)
    }

    @Test func aJobResumesWithARenamedSourceAndOtherResources() async throws {
        let source = try await Self.clip.make()
        try await interrupt(source)
        let kept = Self.finished(scratch.path("out"))
        let renamed = scratch.url("another name.mp4")
        try FileManager.default.copyItem(at: source, to: renamed)
        let outcome = try await start(renamed, into: "out", "--jobs", "1", "--memory", "3G").outcome()
        #expect(outcome.status == 0)
        #expect(outcome.errors.contains("Continuing"), "\(outcome.errors)")
        let after = Self.finished(scratch.path("out"))
        for (name, identity) in kept { #expect(after[name] == identity, "\(name) was made again") }
    }

    @Test func leftoversOfAKilledWriterAreRemoved() async throws {
        let source = try await Self.clip.make()
        try await interrupt(source)
        try scratch.write(
            "half a segment", to: "out/video/180p/.partial-00009.m4s-6F9619FF-8B86-D011-B42D-00C04FC964FF")
        #expect(try await start(source, into: "out").outcome().status == 0)
        #expect(try contents(below: scratch.path("out")) == (await Self.unbroken.value))
    }

    @Test(.enabled(if: SmallDisk.isPossible, "a small file system can only be mounted by root"))
    func aFullDiskIsReportedAndTheJobResumesWhenThereIsSpace() async throws {
        let source = try await Self.clip.make()
        let disk = try await SmallDisk(scratch, kilobytes: 300)
        let full = try await start(source, into: "disk/out").outcome()
        #expect(full.status == 74, "\(full)")
        #expect(full.errors.contains("No space left on device"))
        #expect(full.errors.contains("Free some space and run the same command again"))
        let kept = Self.finished(scratch.path("disk/out"))
        #expect(!kept.isEmpty)
        try await disk.resize(kilobytes: 100_000)
        let again = try await start(source, into: "disk/out").outcome()
        #expect(again.status == 0, "\(again)")
        let after = Self.finished(scratch.path("disk/out"))
        for (name, identity) in kept { #expect(after[name] == identity, "\(name) was made again") }
        #expect(try contents(below: scratch.path("disk/out")) == (await Self.unbroken.value))
    }
}
