internal import ArgumentParser
internal import ClairoCore
internal import Foundation
internal import Glibc

/// What a command sees of the process it runs in; tests give it another.
struct CommandEnvironment: Sendable {
    /// Results, to stdout.
    var output: @Sendable (String) -> Void
    /// Messages, to stderr.
    var error: @Sendable (String) -> Void
    /// Whether stderr is a terminal, on which a line may be redrawn.
    var isTerminal: Bool
    /// Whether stdout is one.
    var isOutputTerminal: Bool
    /// The environment variables.
    var variables: [String: String]

    /// Who started this process, where that is a service manager.
    var manager: ServiceManager { ServiceManager(variables) }

    /// Something that a person should know, to stderr.
    func warn(_ text: String) { error("warning: \(text)\n") }

    static let process = CommandEnvironment(
        output: { text in
            do {
                try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
            } catch {
                // There is nobody left to tell the result to.
                try? FileHandle.standardError.write(contentsOf: Data("clairo: Cannot write to standard output\n".utf8))
                exit(ClairoError.ExitCode.inputOutput.rawValue)
            }
        },
        error: { try? FileHandle.standardError.write(contentsOf: Data($0.utf8)) },
        isTerminal: isatty(STDERR_FILENO) == 1, isOutputTerminal: isatty(STDOUT_FILENO) == 1,
        variables: ProcessInfo.processInfo.environment)
}

/// A command that takes its surroundings as a value, so that tests run it in process.
protocol EnvironmentCommand: AsyncParsableCommand {
    func run(_ environment: CommandEnvironment) async throws
}

extension EnvironmentCommand {
    func run() async throws { try await run(.process) }
}
