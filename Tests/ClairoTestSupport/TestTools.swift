internal import Foundation
internal import Glibc

/// Programs that tests use.
public enum TestTools {
    /// The folder of programs that `Scripts/test` installs from PyPI. It is searched here too, so that `swift test`
    /// finds it.
    public static let folder =
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent().path + "/.build/test-tools"

    /// The path of a program, or nil if it is not installed.
    public static func path(of program: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        return ([folder + "/bin"] + folders).map { "\($0)/\(program)" }.first { access($0, X_OK) == 0 }
    }

    /// A Python that can import `module`, or nil.
    public static func python(with module: String) async -> String? {
        for python in [folder + "/bin/python3", "python3"] {
            let check = try? ChildProcess(python, ["-c", "import \(module)"])
            if let outcome = try? await check?.outcome(), outcome.status == 0 { return python }
        }
        return nil
    }
}
