internal import ArgumentParser
internal import ClairoCore
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

    @Argument(help: "The output folder, or s3://BUCKET/PREFIX.", completion: .directory)
    var folder: String

    @Flag(help: "Print one JSON object with every check.")
    var json = false

    @OptionGroup var sandboxOptions: SandboxOptions

    func run(_ environment: CommandEnvironment) async throws {
        let stop = StopRequest()
        let store = try OutputDestination.open(folder, environment, stop: stop)
        let result = try await Signals.stopping(stop) {
            try await sandboxOptions.run(.verify, output: store, stop: stop, say: environment.warn)
        }
        guard let report = result.verification else {
            throw ClairoError.defect("\(folder) was looked at without a result")
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
