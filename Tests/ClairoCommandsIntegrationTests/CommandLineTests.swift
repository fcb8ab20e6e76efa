import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

@testable import ClairoCommands

/// The command line of the built binary: help, options, exit codes, messages and JSON.
@Suite(.sharesMachine) struct CommandLineTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    // MARK: Help

    static let input = ["--max-pixels", "--max-streams", "--max-duration", "--probe-size"]
    static let settings = [
        "--format", "--codec", "--heights", "--quality", "--preset", "--segment-seconds", "--segments",
        "--chunk-cpu-seconds", "--audio", "--audio-language", "--loudness", "--start",
        "--duration", "--allow-partial", "--copy-compatible",
    ]

    @Test(arguments: [
        ("probe", input + ["--json"]),
        ("plan", input + settings + ["--json"]),
        (
            "transcode",
            input + settings + [
                "--output", "-o", "--jobs", "--memory", "--force", "--verify", "--no-verify", "--json", "--progress",
            ]
        ),
        ("verify", ["--json"]),
    ])
    func helpHasEveryOptionAndAnExample(command: String, options: [String]) async throws {
        let help = try await ClairoProcess.run(command, "--help")
        #expect(help.status == 0)
        for option in options { #expect(help.text.contains("\(option)"), "\(option) is missing") }
        #expect(help.text.contains("\n  clairo \(command) "))
        #expect(help.errors == "")
    }

    @Test func helpNamesEveryCommandAndTheExitCodes() async throws {
        let help = try await ClairoProcess.run("--help")
        for word in ["probe", "plan", "transcode", "verify", "64", "65", "66", "73", "74", "77", "130", "143"] {
            #expect(help.text.contains(word), "\(word) is missing")
        }
        #expect(try await ClairoProcess.run("--version").text.first?.isNumber == true)
    }

    // MARK: Usage errors

    struct WrongCall: CustomTestStringConvertible, Sendable {
        var arguments: [String]
        /// The text that the message must contain.
        var names: String
        var testDescription: String { arguments.joined(separator: " ") }

        init(_ arguments: String..., names: String) {
            self.arguments = arguments
            self.names = names
        }
    }

    @Test(arguments: [
        WrongCall("--codec", "x265", names: "x265"), WrongCall("--codec", "h264,vp9", names: "vp9"),
        WrongCall("--codec", ",", names: "--codec"), WrongCall("--format", "avi", names: "avi"),
        WrongCall("--format", "", names: "--format"), WrongCall("--heights", "big", names: "big"),
        WrongCall("--heights", "721", names: "721"), WrongCall("--heights", "-720", names: "--heights"),
        WrongCall("--heights", "99999", names: "99999"), WrongCall("--preset", "warp", names: "warp"),
        WrongCall("--quality", "52", names: "52"), WrongCall("--quality", "nan", names: "nan"),
        WrongCall("--segment-seconds", "0", names: "--segment-seconds"),
        WrongCall("--segment-seconds", "inf", names: "--segment-seconds"),
        WrongCall("--start", "-1", names: "--start"), WrongCall("--start", "soon", names: "soon"),
        WrongCall("--duration", "0", names: "--duration"), WrongCall("--duration", "nan", names: "nan"),
        WrongCall("--jobs", "0", names: "--jobs"), WrongCall("--jobs", "many", names: "many"),
        WrongCall("--memory", "lots", names: "lots"), WrongCall("--memory", "-2G", names: "--memory"),
        WrongCall("--progress", "loud", names: "loud"), WrongCall("--max-pixels", "0", names: "imits"),
        WrongCall("--max-streams", "-3", names: "--max-streams"), WrongCall("--probe-size", "1", names: "--probe-size"),
        WrongCall("--max-duration", "0", names: "imits"), WrongCall("--unheard-of", names: "--unheard-of"),
        WrongCall("second.mp4", names: "second.mp4"),
    ])
    func anInvalidOptionIsExplained(_ call: WrongCall) async throws {
        let source = try await Clip(seconds: 1).make().path
        let outcome = try await ClairoProcess.run(
            arguments: ["transcode", source, "-o", scratch.path("out")] + call.arguments)
        #expect(outcome.status == 64)
        #expect(outcome.errors.contains(call.names), "\(outcome.errors)")
        #expect(outcome.text == "")
        #expect(!FileManager.default.fileExists(atPath: scratch.path("out")))
    }

    @Test func theErrorForAnUnknownCodecListsTheKnownOnes() async throws {
        let outcome = try await ClairoProcess.run("plan", Clip(seconds: 1).make().path, "--codec", "vp9")
        #expect(outcome.errors == "clairo: --codec vp9 is not known\n        Give some of h264, hevc, av1.\n")
    }

    @Test(arguments: ["probe", "plan", "transcode", "verify"])
    func aMissingArgumentIsAUsageError(command: String) async throws {
        #expect(try await ClairoProcess.run(command).status == 64)
    }

    @Test func anUnknownCommandIsAUsageError() async throws {
        #expect(try await ClairoProcess.run("transmogrify").status == 64)
    }

    // MARK: Invalid locations

    @Test(arguments: ["probe", "plan", "transcode"])
    func aMissingFileIsANoInputError(command: String) async throws {
        let outcome = try await ClairoProcess.run(command, scratch.path("missing.mp4"))
        #expect(outcome.status == 66)
        #expect(outcome.errors.contains("missing.mp4"))
    }

    @Test func aFolderIsANoInputError() async throws {
        #expect(try await ClairoProcess.run("probe", scratch.path).status == 66)
        #expect(try await ClairoProcess.run("probe", "/dev/zero").status == 66)
    }

    @Test func verifyingAFolderWithoutAnOutputIsANoInputError() async throws {
        let outcome = try await ClairoProcess.run("verify", scratch.path)
        #expect(outcome.status == 66)
        #expect(outcome.errors.contains("clairo.json"))
    }

    @Test func anExistingFileCannotBeAnOutputFolder() async throws {
        try scratch.write("in the way", to: "out")
        let source = try await Clip(seconds: 1).make().path
        #expect(try await ClairoProcess.run("transcode", source, "-o", scratch.path("out")).status == 73)
        #expect(try await ClairoProcess.run("transcode", source, "-o", scratch.path("out/below")).status == 73)
        #expect(try String(contentsOfFile: scratch.path("out"), encoding: .utf8) == "in the way")
    }

    @Test(.enabled(if: Unprivileged.canRunClairo, "only root can access the binary"))
    func aLocationWithoutPermissionIsReported() async throws {
        let source = try await Clip(seconds: 1).make()
        let secret = scratch.path("secret.mp4")
        try FileManager.default.copyItem(atPath: source.path, toPath: secret)
        chmod(secret, 0)
        #expect(try await Unprivileged.clairo("probe", secret, in: scratch).status == 77)
        let locked = scratch.path("locked")
        mkdir(locked, 0o555)
        let outcome = try await Unprivileged.clairo("transcode", source.path, "-o", locked + "/out", in: scratch)
        #expect(outcome.status == 77, "\(outcome)")
    }

    // MARK: JSON

    @Test func probePrintsMediaInfoAsJSON() async throws {
        let source = try await Clip(rate: "30000/1001", seconds: 2).make()
        let outcome = try await ClairoProcess.run("probe", source.path, "--json")
        #expect(outcome.status == 0 && outcome.errors == "")
        let info = try JSONDecoder().decode(MediaInfo.self, from: outcome.output)
        #expect(info.primaryVideo?.frameRate == Rational(30000, 1001))
        #expect(info.primaryVideo?.displaySize == FrameSize(width: 320, height: 180))
        #expect(info.primaryAudio.map(\.channels) == [2])
    }

    @Test func planPrintsThePlanAndWritesNothing() async throws {
        let source = try await Clip(seconds: 2).make()
        let outcome = try await ClairoProcess.run(
            "plan", source.path, "--json", "--heights", "180,96", in: scratch.path)
        let plan = try JSONDecoder().decode(Plan.self, from: outcome.output)
        #expect(plan.video?.rungs.map(\.id) == ["180p", "96p"])
        #expect(plan.settings.heights == [180, 96])
        #expect(files(below: scratch.path).isEmpty)
    }

    @Test func transcodeAndVerifyPrintTheirReportsAsJSON() async throws {
        let source = try await Clip(seconds: 2).make()
        let made = try await ClairoProcess.run(
            "transcode", source.path, "-o", scratch.path("out"), "--preset", "ultrafast", "--json", "--progress", "none"
        )
        #expect(made.status == 0 && made.errors == "")
        let report = try JSONDecoder().decode(TranscodeReport.self, from: made.output)
        #expect(report.manifest.state == .complete)
        #expect(report.verification?.passed == true)
        let stored = try Data(contentsOf: scratch.url("out/clairo.json"))
        #expect(try JSONDecoder().decode(OutputManifest.self, from: stored) == report.manifest)
        let verified = try await ClairoProcess.run("verify", scratch.path("out"), "--json")
        #expect(verified.status == 0)
        // Only a transcode knows what it decoded.
        let checks = report.verification?.checks ?? []
        #expect(checks.contains { $0.name == "source-frames" && $0.detail.contains("50 shown") })
        let again = try JSONDecoder().decode(VerificationReport.self, from: verified.output).checks
        func ofOutput(_ checks: [VerificationReport.Check]) -> [VerificationReport.Check] {
            checks.filter { !$0.name.hasPrefix("source-") }
        }
        #expect(!again.isEmpty && ofOutput(again) == ofOutput(checks))
    }

    @Test func errorsAreJSONIfJSONWasRequested() async throws {
        try scratch.write("not a film", to: "film.mp4")
        let outcome = try await ClairoProcess.run("probe", scratch.path("film.mp4"), "--json")
        #expect(outcome.status == 65)
        let document = try JSONDecoder().decode(ErrorDocument.self, from: outcome.output)
        #expect(document.error.exitCode == 65 && document.error.kind == .badInput)
        #expect(outcome.errors.contains(document.error.message))
    }

    @Test func verifyReportsDamageAndExitsWith65() async throws {
        let source = try await Clip(seconds: 2).make()
        let out = scratch.path("out")
        _ = try await ClairoProcess.run("transcode", source.path, "-o", out, "--preset", "ultrafast")
        try FileManager.default.removeItem(atPath: out + "/video/180p/00001.m4s")
        let plain = try await ClairoProcess.run("verify", out)
        #expect(plain.status == 65)
        #expect(plain.text.contains("video/180p/00001.m4s"))
        let json = try await ClairoProcess.run("verify", out, "--json")
        #expect(json.status == 65)
        #expect(try JSONDecoder().decode(VerificationReport.self, from: json.output).passed == false)
    }

    // MARK: Readable text

    @Test func probeAndPlanPrintReadableText() async throws {
        let source = try await Clip(seconds: 2).make()
        let info = try await ClairoProcess.run("probe", source.path)
        for word in ["h264", "320x180", "25 fps", "aac", "2.0"] {
            #expect(info.text.contains(word), "\(word): \(info.text)")
        }
        let plan = try await ClairoProcess.run("plan", source.path)
        for word in ["180p", "kept", "dropped", "720p", "nothing is upscaled", "CPU time"] {
            #expect(plan.text.contains(word) || word == "kept" && plan.text.contains("capped"), "\(word): \(plan.text)")
        }
    }

    @Test func controlCharactersInAFileNeverReachTheTerminal() async throws {
        let source = try await Clip(
            seconds: 1, options: ["-metadata:s:a", "title=\u{1B}[31mred\u{7}"], suffix: "mkv"
        ).make()
        let hostile = scratch.path("\u{1B}[2Jclear.mkv")
        try FileManager.default.copyItem(atPath: source.path, toPath: hostile)
        for command in ["probe", "plan"] {
            let outcome = try await ClairoProcess.run(command, hostile)
            #expect(outcome.status == 0)
            #expect(!outcome.text.contains("\u{1B}") && !outcome.errors.contains("\u{1B}"), "\(command)")
        }
    }

    // MARK: Names

    @Test(arguments: [
        "two words.mp4", "it's \"quoted\".mp4", "line\nbreak.mp4", "Füße 東京 🎬.mp4", "percent %s %d.mp4",
        "back\\slash.mp4",
        "semi;colon|pipe.mp4", "no-suffix", "many.dots.in.it.mp4", ".hidden.mp4",
    ])
    func namesWithSpecialCharactersAreAccepted(name: String) async throws {
        let source = try await Clip(seconds: 1).make()
        try FileManager.default.copyItem(atPath: source.path, toPath: scratch.path(name))
        let outcome = try await ClairoProcess.run(
            "transcode", name, "-o", "out of " + name, "--preset", "ultrafast", "--progress", "none", in: scratch.path)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await ClairoProcess.run("verify", "out of " + name, in: scratch.path).status == 0)
    }

    @Test func aNameWithALeadingDashIsAcceptedAfterTwoDashes() async throws {
        let source = try await Clip(seconds: 1).make()
        try FileManager.default.copyItem(atPath: source.path, toPath: scratch.path("-dash.mp4"))
        let outcome = try await ClairoProcess.run(
            "transcode", "--preset", "ultrafast", "-o", "out", "--", "-dash.mp4", in: scratch.path)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(try await ClairoProcess.run("probe", "--", "-dash.mp4", in: scratch.path).status == 0)
    }

    @Test func theOutputIsNamedAfterTheInputInTheCurrentFolder() async throws {
        let source = try await Clip(seconds: 1).make()
        for folder in ["in", "work"] {
            try FileManager.default.createDirectory(atPath: scratch.path(folder), withIntermediateDirectories: true)
        }
        try FileManager.default.copyItem(atPath: source.path, toPath: scratch.path("in/my holiday.final.mp4"))
        let outcome = try await ClairoProcess.run(
            "transcode", "../in/my holiday.final.mp4", "--preset", "ultrafast", in: scratch.path("work"))
        #expect(outcome.status == 0)
        #expect(FileManager.default.fileExists(atPath: scratch.path("work/my holiday.final/master.m3u8")))
    }

    @Test func aNameWithoutSuffixDoesNotOverwriteItsSource() async throws {
        let source = try await Clip(seconds: 1).make()
        try FileManager.default.copyItem(atPath: source.path, toPath: scratch.path("film"))
        let outcome = try await ClairoProcess.run("transcode", "film", "--preset", "ultrafast", in: scratch.path)
        #expect(outcome.status == 73)
        #expect(try Data(contentsOf: scratch.url("film")) == Data(contentsOf: source))
    }
}
