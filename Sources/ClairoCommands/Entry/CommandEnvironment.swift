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
    /// Whether stderr is a terminal where lines can be redrawn.
    var isTerminal: Bool
    /// Whether stdout is a terminal where lines can be redrawn.
    var isOutputTerminal: Bool
    /// The environment variables, as `SystemText`.
    var variables: [String: String]
    /// The name of the command, such as `consume`.
    var command = ""

    /// The service manager that started this process, if one did.
    var manager: ServiceManager { ServiceManager(variables) }

    /// Writes a warning to stderr.
    func warn(_ text: String) { error("warning: \(text)\n") }

    static let process = {
        let variables = SystemText.environment
        return CommandEnvironment(
            output: write, error: { try? FileHandle.standardError.write(contentsOf: printed($0)) },
            isTerminal: isTerminal(STDERR_FILENO, variables), isOutputTerminal: isTerminal(STDOUT_FILENO, variables),
            variables: variables)
    }()

    private static func write(_ text: String) {
        do {
            try FileHandle.standardOutput.write(contentsOf: printed(text))
        } catch {
            // The result is lost, so this is an error even if the work is done.
            try? FileHandle.standardError.write(contentsOf: Data("clairo: Cannot write to standard output\n".utf8))
            exit(ClairoError.ExitCode.inputOutput.rawValue)
        }
    }

    /// Output is UTF-8, whatever names it contains.
    private static func printed(_ text: String) -> Data { Data(SystemText.repaired(text).utf8) }

    private static func isTerminal(_ descriptor: Int32, _ variables: [String: String]) -> Bool {
        isatty(descriptor) == 1 && hasEscapeSequences(variables)
    }

    /// Whether the terminal that TERM names has escape sequences. `dumb` has none, for example the shell of Emacs
    /// (terminfo(5)).
    static func hasEscapeSequences(_ variables: [String: String]) -> Bool {
        !["", "dumb"].contains(variables["TERM"] ?? "")
    }
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
