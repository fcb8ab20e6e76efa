internal import ArgumentParser
internal import ClairoCore
internal import Foundation
internal import Glibc

/// The process that a command runs in, as a value, so that tests can replace it.
struct CommandEnvironment: Sendable {
    /// Writes results to stdout.
    var output: @Sendable (String) -> Void
    /// Writes messages to stderr.
    var error: @Sendable (String) -> Void
    /// Whether stderr is a terminal, where lines can be redrawn.
    var isTerminal: Bool
    /// Whether stdout is a terminal.
    var isOutputTerminal: Bool
    /// The environment variables.
    var variables: [String: String]
    /// The name of the command, such as `consume`.
    var command = ""

    /// The service manager that started this process, if one did.
    var manager: ServiceManager { ServiceManager(variables) }

    /// Writes a warning to stderr.
    func warn(_ text: String) { error("warning: \(text)\n") }

    static let process = CommandEnvironment(
        output: { text in
            do {
                try FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
            } catch {
                // The result is lost, so this is an error even if the work is done.
                try? FileHandle.standardError.write(contentsOf: Data("clairo: Cannot write to standard output\n".utf8))
                exit(ClairoError.ExitCode.inputOutput.rawValue)
            }
        },
        error: { try? FileHandle.standardError.write(contentsOf: Data($0.utf8)) },
        isTerminal: isatty(STDERR_FILENO) == 1, isOutputTerminal: isatty(STDOUT_FILENO) == 1,
        variables: ProcessInfo.processInfo.environment)
}

/// A command that takes its environment as a value, so that tests can run it in process.
protocol EnvironmentCommand: AsyncParsableCommand {
    func run(_ environment: CommandEnvironment) async throws
}

extension EnvironmentCommand {
    func run() async throws {
        var environment = CommandEnvironment.process
        environment.command = Self.configuration.commandName ?? ""
        try await run(environment)
    }
}
