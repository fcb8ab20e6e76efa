import ClairoCore
import ClairoTestSupport
import Foundation
import Testing

/// What a process finds where it is started: limits, variables, names that are not UTF-8.
@Suite(.sharesMachine) struct EnvironmentTests {
    let scratch: Scratch
    init() throws { scratch = try Scratch() }

    private func clip() async throws -> String {
        let source = try await Clip(seconds: 2).make()
        try FileManager.default.copyItem(atPath: source.path, toPath: scratch.path("clip.mp4"))
        return scratch.path("clip.mp4")
    }

    // MARK: Limits

    /// Runs the binary as an unprivileged user, who cannot raise a hard limit, below a limit of the shell.
    private func clairo(_ option: String, _ value: Int, _ arguments: String...) async throws -> ChildProcess.Outcome {
        try await Unprivileged.start(
            "bash",
            ["-c", "ulimit \(option) \(value) && exec \"$@\"", "bash", ClairoProcess.path] + arguments,
            in: scratch, environment: ["CLAIRO_HOME": scratch.path("home")]
        ).outcome()
    }

    @Test(
        .enabled(if: Unprivileged.canRunClairo),
        arguments: [("-v", 40_000_000), ("-v", 4_000_000), ("-d", 2_000_000), ("-t", 100_000)])
    func lowerLimitsOfTheShellAreKept(option: String, value: Int) async throws {
        let outcome = try await clairo(option, value, "probe", try await clip())
        #expect(outcome.status == 0, "\(outcome)")
    }

    @Test(.enabled(if: Unprivileged.canRunClairo), arguments: [("-v", "address space"), ("-d", "data")])
    func aLimitThatIsTooLowForAnyTaskIsNamed(option: String, words: String) async throws {
        let value = option == "-v" ? 600_000 : 110_000
        let outcome = try await clairo(option, value, "probe", try await clip())
        #expect(outcome.status == 78, "\(outcome)")
        #expect(outcome.errors.contains("\(value / 1024) MiB of \(words)"), "\(outcome)")
        #expect(outcome.errors.contains("ulimit \(option)"))
    }

    // MARK: Variables

    /// Docker and OpenShift set it for a user without an entry in passwd.
    @Test func theRootFolderCanBeTheHome() async throws {
        let outcome = try await ClairoProcess.run(
            "config", in: scratch.path, environment: ["HOME": "/", "CLAIRO_HOME": "", "XDG_DATA_HOME": ""])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.text.contains("sqlite:/.local/share/clairo/clairo.db"))
        #expect(outcome.text.contains("file:/.local/share/clairo/raw"))
    }

    @Test func twoSlashesAtTheBeginningOfTheHomeAreOne() async throws {
        let outcome = try await ClairoProcess.run("status", environment: ["CLAIRO_HOME": "/" + scratch.path("home")])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(FileManager.default.fileExists(atPath: scratch.path("home/clairo.db")))
    }

    @Test(arguments: ["status", "config"])
    func aMisspelledVariableGetsAHint(command: String) async throws {
        let outcome = try await ClairoProcess.run(
            command, environment: ["CLAIRO_HOME": scratch.path("home"), "CLAIRO_DATABSE": "mysql://x/y"])
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.errors.contains("CLAIRO_DATABSE is not a setting; did you mean CLAIRO_DATABASE?"))
    }

    // MARK: Names

    /// Runs commands of bash, in whose text `\351` can stand in a name. `$clairo` is the binary, `$n` the clip.
    private func bash(_ commands: String) async throws -> ChildProcess.Outcome {
        let lines = """
            set -e
            n=$(printf 'caf\\351.mp4'); mv clip.mp4 "$n"
            export CLAIRO_HOME="$PWD/"$(printf 'h\\366me')
            clairo=$0
            \(commands)
            """
        _ = try await clip()
        return try await ChildProcess("bash", ["-c", lines, ClairoProcess.path], in: scratch.path).outcome()
    }

    private func expectRepaired(_ outcome: ChildProcess.Outcome, sourceLocation: SourceLocation = #_sourceLocation) {
        #expect(outcome.status == 0, "\(outcome)", sourceLocation: sourceLocation)
        for output in [outcome.output, outcome.messages] {
            #expect(String(validating: output, as: UTF8.self) != nil, "\(outcome)", sourceLocation: sourceLocation)
        }
        #expect(outcome.text.contains("caf\u{FFFD}"), "\(outcome)", sourceLocation: sourceLocation)
        #expect(!outcome.text.unicodeScalars.contains { $0.value > 0x10FE00 }, sourceLocation: sourceLocation)
    }

    @Test func aFileWithoutAUTF8NameIsProbedAndTranscodedIntoAFolderLikeIt() async throws {
        let outcome = try await bash(
            """
            "$clairo" probe "$n"
            "$clairo" plan --json "$n"
            "$clairo" transcode "$n" --preset ultrafast --heights 180 --json --progress none
            "$clairo" verify "$(printf 'caf\\351')"
            """)
        expectRepaired(outcome)
        #expect(outcome.text.contains("checks passed"))
    }

    @Test func aFileWithoutAUTF8NameIsUploadedAndProcessedInAHomeLikeIt() async throws {
        let outcome = try await bash(
            """
            "$clairo" upload --json "$n"
            "$clairo" run --json *.mp4 2> /dev/null
            "$clairo" status
            """)
        expectRepaired(outcome)
    }

    @Test func settingsAreReadFromAFileWithoutAUTF8Name() async throws {
        let outcome = try await bash(
            """
            c=$(printf 'c\\351.yaml'); echo 'gc-interval: 7m' > "$c"
            "$clairo" config --config "$c"
            """)
        #expect(outcome.status == 0, "\(outcome)")
        #expect(outcome.text.contains("7m  c\u{FFFD}.yaml"), "\(outcome)")
    }

    @Test func aMissingFileWithoutAUTF8NameIsReportedInUTF8() async throws {
        let outcome = try await bash("\"$clairo\" probe --json \"$(printf 'x\\351')\"")
        #expect(outcome.status == 66, "\(outcome)")
        #expect(String(validating: outcome.output, as: UTF8.self)?.contains("x\u{FFFD}") == true, "\(outcome)")
        #expect(String(validating: outcome.messages, as: UTF8.self)?.contains("x\u{FFFD}") == true, "\(outcome)")
    }
}
