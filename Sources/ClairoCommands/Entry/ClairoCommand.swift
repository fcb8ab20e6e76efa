public import ArgumentParser
internal import ClairoCore
internal import ClairoMedia
internal import Foundation
internal import OpenSSL

/// The root of the command line.
public struct ClairoCommand: AsyncParsableCommand {
    /// The subcommands, and the text of `clairo --help`.
    public static let configuration = CommandConfiguration(
        commandName: "clairo",
        abstract: "Turn videos into streams that play everywhere.",
        discussion: """
            Transcode one file and check the result:

              clairo transcode holiday.mov
              clairo verify holiday

            Run the whole pipeline in one process, and list the videos:

              clairo run holiday.mov
              clairo status

            upload, produce and consume are the parts of the pipeline, for one machine or a thousand. Without configuration \
            they need no other service. Settings make them use S3, MySQL and Kafka: clairo config shows the settings, clairo \
            doctor checks them.

            Exit codes follow sysexits(3): 0 success, 64 usage, 65 bad media, 66 no input, 69 service unavailable, 70 \
            internal error, 73 cannot create output, 74 input/output error, 75 try again later, 77 no permission, 78 \
            configuration error, 130 and 143 stopped by a signal.
            """,
        version: clairoVersion,
        subcommands: [
            ProbeCommand.self, PlanCommand.self, TranscodeCommand.self, VerifyCommand.self, UploadCommand.self,
            StatusCommand.self, ServeCommand.self, RunCommand.self, ProduceCommand.self, ConsumeCommand.self,
            RetryCommand.self, CancelCommand.self, KeyCommand.self, RemoveCommand.self, DLQCommand.self, GCCommand.self,
            MigrateCommand.self,
            ServeMetricsCommand.self, DoctorCommand.self, ConfigCommand.self, RunTaskCommand.self,
        ])

    public init() {}

    /// Parses the process's arguments, runs the command and ends the process with its exit code.
    ///
    /// Runs on the main actor and therefore on the main thread: if a command does not suspend, no other thread runs,
    /// which `run-task` needs for its sandbox.
    @MainActor public static func start() async {
        let environment = CommandEnvironment.process
        ProcessMemory.tune()
        LibCrypto.keepUntilProcessEnds()
        do {
            let command = try parseAsRoot(Array(SystemText.arguments.dropFirst()))
            if let command = command as? any EnvironmentCommand {
                try await command.run()
            } else if var command = command as? any AsyncParsableCommand {
                try await command.run()
            } else {
                var command = command
                try command.run()
            }
        } catch let ended as AlreadyReported {
            Foundation.exit(ended.exitCode.rawValue)
        } catch let error as ClairoError {
            Foundation.exit(report(error, environment))
        } catch {
            exit(withError: error)
        }
    }

    /// Reports the error that ends this process, in the way that its arguments ask for.
    /// - Returns: The exit code.
    static func report(_ error: ClairoError, _ environment: CommandEnvironment) -> Int32 {
        report(error, asJSON: CommandLine.arguments.contains("--json"), environment)
    }

    /// Reports an error: one or two lines on stderr, and with `--json` an object on stdout.
    static func report(_ error: ClairoError, asJSON: Bool, _ environment: CommandEnvironment) -> Int32 {
        environment.error(
            "clairo: \(Render.printable(error.message))\n" + (error.advice.map { "        \($0)\n" } ?? ""))
        if asJSON, let data = try? JSON.encode(ErrorDocument(error: .init(error)), pretty: false) {
            environment.output(String(decoding: data, as: UTF8.self) + "\n")
        }
        return error.exitCode.rawValue
    }
}
