internal import ArgumentParser
internal import ClairoCore
internal import ClairoMedia
internal import ClairoStorage
internal import Foundation

/// `clairo verify`: checks a finished output as a player would meet it.
struct VerifyCommand: EnvironmentCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify",
        abstract: "Check a finished output as a player would meet it.",
        discussion: """
            Decodes every rendition whole and compares frames, times, boundaries, rates, codecs and checksums with the \
            playlists, the manifest and clairo.json. Exits with 65 where something is wrong.

              clairo verify holiday
              clairo verify holiday --json
            """)

    @Argument(help: "The output folder.", completion: .directory)
    var folder: String

    @Flag(help: "Print one JSON object with every check.")
    var json = false

    func run(_ environment: CommandEnvironment) async throws {
        let store = DirectoryStore(root: URL(fileURLWithPath: folder))
        let control = JobControl()
        let report = try await Signals.stopping(control) {
            try await onDedicatedThread(name: "verify") { try Verifier(store: store, control: control).run() }
        }
        if json {
            environment.output(String(decoding: try JSON.encode(report), as: UTF8.self) + "\n")
        } else if report.passed {
            environment.output("\(folder): \(report.checks.count) checks passed\n")
        } else {
            for problem in report.problems {
                environment.output("\(problem.name)  \(problem.subject): \(problem.detail)\n")
            }
        }
        guard report.passed else {
            let count = report.problems.count
            let failure = ClairoError.badMedia(
                "\(folder) is not sound: \(count) of \(report.checks.count) checks failed",
                advice: "Make it again with clairo transcode --force.")
            environment.error("clairo: \(failure)\n")
            throw ExitCode(failure.exitCode.rawValue)
        }
    }
}
