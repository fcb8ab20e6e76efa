internal import Foundation

/// Runs the built `clairo` binary as a user would.
public enum ClairoProcess {
    /// Next to the test bundle, where SwiftPM puts products. `CLAIRO_BINARY` overrides it.
    public static let path: String = {
        ProcessInfo.processInfo.environment["CLAIRO_BINARY"] ?? product("clairo")
    }()

    /// The program that tests start in the place of `clairo run-task` (Tests/ClairoMisbehaving).
    public static let misbehaving = product("clairo-misbehaving")

    private static func product(_ name: String) -> String {
        let tests =
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (tests as NSString).deletingLastPathComponent + "/" + name
    }

    public static func start(
        _ arguments: [String], in folder: String? = nil, environment: [String: String] = [:],
        deadline: Duration = .seconds(600)
    ) throws -> ChildProcess {
        try ChildProcess(path, arguments, in: folder, environment: environment, deadline: deadline)
    }

    public static func run(
        arguments: [String], in folder: String? = nil, environment: [String: String] = [:],
        deadline: Duration = .seconds(600)
    ) async throws -> ChildProcess.Outcome {
        try await start(arguments, in: folder, environment: environment, deadline: deadline).outcome()
    }

    public static func run(
        _ arguments: String..., in folder: String? = nil, environment: [String: String] = [:],
        deadline: Duration = .seconds(600)
    ) async throws -> ChildProcess.Outcome {
        try await start(arguments, in: folder, environment: environment, deadline: deadline).outcome()
    }
}
