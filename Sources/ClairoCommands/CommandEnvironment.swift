internal import ArgumentParser
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

    static let process = CommandEnvironment(
        output: { FileHandle.standardOutput.write(Data($0.utf8)) },
        error: { FileHandle.standardError.write(Data($0.utf8)) },
        isTerminal: isatty(STDERR_FILENO) == 1)
}

/// A command that takes its surroundings as a value, so that tests run it in process.
protocol EnvironmentCommand: AsyncParsableCommand {
    func run(_ environment: CommandEnvironment) async throws
}

extension EnvironmentCommand {
    func run() async throws { try await run(.process) }
}
